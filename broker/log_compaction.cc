#include "broker/log_compaction.h"

#include <algorithm>
#include <string>
#include <utility>

#include "broker/replica.h"
#include "broker/shard.h"

namespace garam {
namespace {

// A step holds a background thread for some milliseconds.
constexpr size_t kStepBytes = size_t{1} << 20;
// Its reads and syncs cost those who write beside it little then (docs/decisions/0016). What is so
// much that it would take long goes as fast as it can: it must not fall behind.
constexpr int64_t kBytesPerSecondBesideWrites = 40'000'000;
constexpr int64_t kPoliteBytesMax = int64_t{16} << 30;

}  // namespace

LogCompaction::LogCompaction(Shard& shard, Replica& replica)
    : shard_(shard), replica_(replica), beside_writes_(kBytesPerSecondBesideWrites) {}

void LogCompaction::Start(storage::CompactionInput input, int64_t bytes_per_second, DoneFn done) {
  if (done_ || stopped_) return std::move(done)(absl::AbortedError("a pass is under way"));
  done_ = std::move(done);
  pacer_.emplace(bytes_per_second);
  paced_bytes_ = 0;
  int64_t log_bytes = 0;
  for (const storage::SealedSegment& segment : input.segments) log_bytes += segment.size_bytes;
  gives_way_ = log_bytes <= kPoliteBytesMax;
  busy_ = true;
  // The map may be large: even to make it is work for the pool.
  shard_.pool().SubmitBackground([self = shared_from_this(), &home = shard_.executor(),
                                  &files = shard_.log_env().fs,
                                  input = std::move(input)]() mutable {
    auto run = std::make_shared<storage::CompactionRun>(files, std::move(input));
    home.Post([self, run = std::move(run)]() mutable {
      self->run_ = std::move(run);
      self->OnStep(storage::CompactionRun::Did::kSome);
    });
  });
}

void LogCompaction::Next() {
  busy_ = true;
  shard_.pool().SubmitBackground(
      [self = shared_from_this(), &home = shard_.executor(), run = run_] {
        Step did = run->Step(kStepBytes);
        home.Post([self, did = std::move(did)] { self->OnStep(did); });
      });
}

void LogCompaction::OnStep(const Step& did) {
  busy_ = false;
  if (abandoned_) return;
  if (stopped_) return End(absl::AbortedError("the partition is being closed"));
  // The log has dropped a segment that was still to be read.
  if (absl::IsNotFound(did.status())) return End(absl::AbortedError("the log has changed"));
  if (!did.ok()) return End(did.status());
  if (*did == storage::CompactionRun::Did::kCleaned) {
    storage::CleanedSegment cleaned = run_->Take();
    std::string path = cleaned.path;
    absl::Status replaced = replica_.ReplaceSegments(std::move(cleaned));
    if (!replaced.ok()) {
      run_->Refused(std::move(path));
      return End(std::move(replaced));
    }
  }
  if (*did == storage::CompactionRun::Did::kAll) {
    replica_.log().SetCleanPoint(run_->clean_point());
    return End(absl::OkStatus());
  }
  timer_ = shard_.executor().PostAt(MayGoOn(), [self = shared_from_this()] {
    self->timer_ = kNoTimer;
    if (self->run_ != nullptr && !self->stopped_ && !self->abandoned_) self->Next();
  });
}

// What has been moved is paid for before more is.
MonoTime LogCompaction::MayGoOn() {
  const MonoTime now = shard_.now();
  const auto bytes =
      static_cast<size_t>(run_->bytes_moved() - std::exchange(paced_bytes_, run_->bytes_moved()));
  pacer_->Reserve(bytes, now);
  if (gives_way_ && shard_.WritesLately()) beside_writes_.Reserve(bytes, now);
  return std::max(pacer_->Reserve(0, now), beside_writes_.Reserve(0, now));
}

void LogCompaction::End(absl::Status status) {
  if (run_ == nullptr) return Ended(status, {});
  busy_ = true;
  const CompactionDone did{run_->bytes_read(), run_->bytes_written(), run_->records_dropped()};
  shard_.pool().SubmitBackground([self = shared_from_this(), &home = shard_.executor(),
                                  run = std::exchange(run_, nullptr), status = std::move(status),
                                  did]() mutable {
    run->Discard();
    run = nullptr;
    home.Post([self, status = std::move(status), did] { self->Ended(status, did); });
  });
}

void LogCompaction::Ended(const absl::Status& status, const CompactionDone& did) {
  busy_ = false;
  if (DoneFn done = std::exchange(done_, nullptr)) {
    std::move(done)(status.ok() ? absl::StatusOr<CompactionDone>(did) : status);
  }
  if (quiet_) std::exchange(quiet_, nullptr)();
}

void LogCompaction::Stop(Task quiet) {
  stopped_ = true;
  shard_.executor().Cancel(std::exchange(timer_, kNoTimer));
  quiet_ = std::move(quiet);
  if (busy_) return;
  if (!done_) return std::exchange(quiet_, nullptr)();
  End(absl::AbortedError("the partition is being closed"));
}

}  // namespace garam
