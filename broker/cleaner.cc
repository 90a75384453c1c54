#include "broker/cleaner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

// What has failed is likely to fail again: a damaged segment, a full disk.
constexpr int kHeldBackRests = 20;

// However short a rest is wanted: every partition is asked after it.
constexpr Duration kRestMin = Millis(10);

// Whether `a` is to be cleaned before `b`.
bool Sooner(const storage::CleaningChoice& a, const storage::CleaningChoice& b) {
  if (a.overdue != b.overdue) return a.overdue;
  return a.dirty_ratio > b.dirty_ratio;
}

}  // namespace

void Cleaner::Stop() {
  options_.home.Cancel(std::exchange(timer_, kNoTimer));
  offered_.clear();
  alive_.reset();
}

void Cleaner::Arm(Duration wait) {
  if (timer_ != kNoTimer) return;
  timer_ = options_.home.PostAt(options_.clock.Mono() + std::max(wait, kRestMin),
                                [this, weak = std::weak_ptr<bool>(alive_)] {
                                  if (weak.expired()) return;
                                  timer_ = kNoTimer;
                                  Look();
                                });
}

void Cleaner::Look() {
  if (unheard_ > 0) return;
  offered_.clear();
  const MonoTime now = options_.clock.Mono();
  std::erase_if(held_back_, [now](const auto& held) { return held.second <= now; });
  for (const PartitionPtr& partition : options_.partitions()) {
    const GroupId group = partition->group();
    const bool wants = partition->config()->cleanup_compact && !held_back_.contains(group) &&
                       !under_way_.contains(group);
    if (!wants) continue;
    ++unheard_;
    options_.executor(partition->shard())
        .Post([this, partition, &home = options_.home, weak = std::weak_ptr<bool>(alive_)] {
          home.Post([this, weak, partition, choice = partition->OfferCompaction()] {
            if (!weak.expired()) OnOffer(partition, choice);
          });
        });
  }
  if (unheard_ == 0) Arm(options_.settings.backoff);
}

void Cleaner::OnOffer(const PartitionPtr& partition,
                      const std::optional<storage::CleaningChoice>& choice) {
  if (choice && choice->due) offered_.push_back({partition, *choice});
  if (--unheard_ == 0) Choose();
}

void Cleaner::Choose() {
  std::stable_sort(offered_.begin(), offered_.end(),
                   [](const Offered& a, const Offered& b) { return Sooner(a.choice, b.choice); });
  for (const Offered& offered : std::exchange(offered_, {})) {
    if (under_way_.size() >= options_.settings.threads) break;
    under_way_.insert(offered.partition->group());
    Clean(offered.partition);
  }
  // Who is done first looks again; until then, somebody else may have become due.
  Arm(options_.settings.backoff);
}

void Cleaner::Clean(const PartitionPtr& partition) {
  const auto threads = static_cast<int64_t>(options_.settings.threads);
  DataPartition::CompactionLimits limits;
  limits.map_bytes = static_cast<size_t>(options_.settings.dedupe_bytes / threads);
  if (options_.settings.bytes_per_second > 0) {
    limits.bytes_per_second = std::max<int64_t>(1, options_.settings.bytes_per_second / threads);
  }
  limits.secret = {options_.random.Next(), options_.random.Next()};
  // It must not keep the partition, which keeps it.
  auto done = [this, group = partition->group(),
               name = absl::StrCat(partition->topic(), "-", partition->index()),
               &home = options_.home,
               weak = std::weak_ptr<bool>(alive_)](absl::StatusOr<CompactionDone> did) {
    home.Post([this, weak, group, name, did = std::move(did)] {
      if (!weak.expired()) OnCleaned(group, name, did);
    });
  };
  options_.executor(partition->shard()).Post([partition, limits, done = std::move(done)]() mutable {
    partition->Compact(limits, std::move(done));
  });
}

void Cleaner::OnCleaned(GroupId group, const std::string& name,
                        const absl::StatusOr<CompactionDone>& done) {
  under_way_.erase(group);
  if (done.ok()) {
    ++options_.counts.passes;
    options_.counts.bytes_read += static_cast<uint64_t>(done->bytes_read);
    options_.counts.bytes_written += static_cast<uint64_t>(done->bytes_written);
    options_.counts.records_dropped += done->records_dropped;
    LogInfo("{}: compacted: {} bytes read, {} written, {} records dropped", name, done->bytes_read,
            done->bytes_written, done->records_dropped);
    return Look();
  }
  if (!absl::IsAborted(done.status())) {
    ++options_.counts.failures;
    LogWarn("{}: not compacted: {}", name, done.status().ToString());
    held_back_[group] = options_.clock.Mono() + kHeldBackRests * options_.settings.backoff;
  }
  Arm(options_.settings.backoff);
}

}  // namespace garam
