#include "broker/group_host.h"

#include <utility>

#include "broker/batch_writer.h"
#include "broker/data_partition.h"
#include "broker/group_times.h"
#include "broker/image_topics.h"
#include "broker/record_reader.h"
#include "broker/shard.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "coordinator/groups/group_errors.h"

namespace garam {
namespace {

// At a time, when a replica catches up on what it has not applied yet.
constexpr size_t kReadBytes = 1 << 20;

constexpr Duration kReadAgain = Millis(20);

// What became of an append, as the coordinator's clients are to hear it.
absl::Status ForMembers(const absl::Status& status) {
  switch (ErrcOf(status)) {
    case Errc::kNotLeader:
    case Errc::kStorage:
    case Errc::kUnknownTopic:
      return NotCoordinator();
    case Errc::kTimedOut:
    case Errc::kNotEnoughReplicas:
    case Errc::kNotEnoughReplicasAfterAppend:
    case Errc::kThrottled:
      return MakeError(Errc::kCoordinatorNotAvailable,
                       "the replicas of __consumer_offsets did not take it in time: try again");
    default:
      return status;
  }
}

}  // namespace

GroupHost::GroupHost(Shard& shard, DataPartition& partition, const GroupSettings& settings,
                     Image image)
    : shard_(shard),
      partition_(partition),
      settings_(settings),
      coordinator_({settings.limits, shard.random(),
                    [&shard] {
                      return Moment{shard.now(), shard.clock().WallMs()};
                    },
                    [this](std::vector<GroupRecord> records, GroupCoordinator::StatusDone done) {
                      Append(std::move(records), std::move(done));
                    },
                    [image] { return std::make_shared<ImageTopics>(image()); },
                    [this](GroupCoordinator::StatusDone done) { Drain(std::move(done)); },
                    [image, unset = settings.limits.consumers](const std::string& group) {
                      return TimesOf(*image(), group, unset);
                    }}) {}

GroupHost::~GroupHost() = default;

void GroupHost::Start() {
  running_ = true;
  watch_ = partition_.Watch([this](size_t) { Pump(); });
  ArmExpiry();
  Pump();
}

void GroupHost::Stop() {
  if (!std::exchange(running_, false)) return;
  partition_.Unwatch(watch_);
  shard_.executor().Cancel(std::exchange(timer_, kNoTimer));
  shard_.executor().Cancel(std::exchange(expiry_timer_, kNoTimer));
  shard_.executor().Cancel(std::exchange(retry_timer_, kNoTimer));
  coordinator_.Resign();
  FailWaiting();
}

void GroupHost::With(const std::function<void(GroupCoordinator&)>& work) {
  const Rearm rearm(*this);
  work(coordinator_);
}

// Applies what is committed and not applied yet, then sees whether this replica coordinates.
void GroupHost::Pump() {
  while (running_ && !reading_ && Step()) {
  }
}

// False when there is nothing more to do at once.
bool GroupHost::Step() {
  if (applied_ < partition_.start_offset()) {
    // The log was replaced, or shortened, faster than this replica went through it.
    coordinator_.Resign();
    coordinator_.Clear();
    leading_in_ = Term(0);
    applied_ = partition_.start_offset();
  }
  if (Mutated(Mutation::kGroupsNotFollowed) && leading_in_ == Term(0)) {
    applied_ = partition_.high_watermark();
  }
  if (applied_ >= partition_.high_watermark()) {
    FollowRole();
    return false;
  }
  reading_ = stepping_ = true;
  failed_ = false;
  partition_.ReadVisible(applied_, kReadBytes,
                         [this, weak = std::weak_ptr<bool>(alive_)](auto batches) {
                           if (!weak.expired()) Take(std::move(batches));
                         });
  stepping_ = false;
  return !failed_;
}

void GroupHost::Take(absl::StatusOr<std::vector<Bytes>> batches) {
  reading_ = false;
  if (!running_) return;
  failed_ = !batches.ok() || batches->empty();
  if (!batches.ok()) {
    LogWarn("{}-{}: its groups are not known here: {}", partition_.topic(), partition_.index(),
            batches.status().ToString());
  }
  if (failed_) return ArmRetry();
  for (const Bytes& batch : *batches) Apply(batch);
  RunApplied();
  if (!stepping_) Pump();
}

// Others may have committed what the disk here does not have yet.
void GroupHost::ArmRetry() {
  if (retry_timer_ != kNoTimer) return;
  retry_timer_ = shard_.executor().PostAt(shard_.now() + kReadAgain,
                                          [this, weak = std::weak_ptr<bool>(alive_)] {
                                            if (weak.expired()) return;
                                            retry_timer_ = kNoTimer;
                                            Pump();
                                          });
}

void GroupHost::Apply(const Bytes& batch) {
  const RecordBatchView header(batch.data());
  if (header.next_offset() <= applied_) return;
  const absl::Status walked = ForEachKeyValue(batch, [this](const KeyValue& record) {
    if (record.offset < applied_ || !record.key) return true;
    const absl::Status status = coordinator_.Apply({*record.key, record.value});
    if (!status.ok()) LogWarn("{}", status.ToString());
    return true;
  });
  if (!walked.ok()) {
    LogWarn("{}-{}: {}", partition_.topic(), partition_.index(), walked.ToString());
  }
  applied_ = header.next_offset();
}

void GroupHost::RunApplied() {
  const Rearm rearm(*this);
  while (!waiting_.empty() && waiting_.begin()->first <= applied_) {
    auto entry = waiting_.extract(waiting_.begin());
    std::move(entry.mapped())(absl::OkStatus());
  }
}

// All that is committed is applied.
void GroupHost::FollowRole() {
  const Term term = partition_.confirmed_term();
  if (term == leading_in_) return;
  if (leading_in_ != Term(0)) {
    coordinator_.Resign();
    FailWaiting();
  }
  leading_in_ = term;
  if (term == Term(0)) return;
  coordinator_.Lead();
  ArmTimer();
}

void GroupHost::Append(std::vector<GroupRecord> records, GroupCoordinator::StatusDone done) {
  std::vector<OwnRecord> own;
  own.reserve(records.size());
  for (GroupRecord& record : records) {
    own.push_back({std::move(record.key), std::move(record.value)});
  }
  const auto count = static_cast<int64_t>(own.size());
  if (Mutated(Mutation::kGroupsAnswerEarly)) {
    shard_.executor().Post([done = std::exchange(done, [](const absl::Status&) {})]() mutable {
      std::move(done)(absl::OkStatus());
    });
  }
  partition_.Produce(
      WriteBatch(own, shard_.clock().WallMs()), Acks::kAll, shard_.now() + settings_.commit_timeout,
      [this, weak = std::weak_ptr<bool>(alive_), count,
       done = std::move(done)](absl::StatusOr<ProduceResult> result) mutable {
        // Never from inside the coordinator's own call.
        shard_.executor().Post(
            [this, weak, count, result = std::move(result), done = std::move(done)]() mutable {
              if (weak.expired()) return;
              const Offset end = result.ok() ? result->base_offset + count : Offset(0);
              OnProduced(end, result.ok() ? absl::OkStatus() : ForMembers(result.status()),
                         std::move(done));
            });
      });
}

// Never from inside the coordinator's own call, as with Append.
void GroupHost::Drain(GroupCoordinator::StatusDone done) {
  shard_.executor().Post([this, weak = std::weak_ptr<bool>(alive_), end = partition_.end_offset(),
                          done = std::move(done)]() mutable {
    if (!weak.expired()) OnProduced(end, absl::OkStatus(), std::move(done));
  });
}

void GroupHost::OnProduced(Offset end, absl::Status status, GroupCoordinator::StatusDone done) {
  const Rearm rearm(*this);
  if (!status.ok() || !running_ || end <= applied_) return std::move(done)(std::move(status));
  waiting_.emplace(end, std::move(done));
}

void GroupHost::FailWaiting() {
  for (auto& [end, done] : std::exchange(waiting_, {})) {
    std::move(done)(NotCoordinator());
  }
}

void GroupHost::ArmTimer() {
  const std::optional<MonoTime> next = running_ ? coordinator_.NextDeadline() : std::nullopt;
  if (timer_ != kNoTimer && next && timer_for_ <= *next) return;  // It looks again then.
  shard_.executor().Cancel(std::exchange(timer_, kNoTimer));
  if (!next) return;
  timer_for_ = *next;
  timer_ = shard_.executor().PostAt(*next, [this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired()) OnTimer();
  });
}

void GroupHost::OnTimer() {
  timer_ = kNoTimer;
  const Rearm rearm(*this);
  coordinator_.Tick();
}

void GroupHost::ArmExpiry() {
  expiry_timer_ = shard_.executor().PostAt(shard_.now() + settings_.expiry_check_every,
                                           [this, weak = std::weak_ptr<bool>(alive_)] {
                                             if (weak.expired()) return;
                                             coordinator_.ExpireOffsets();
                                             ArmExpiry();
                                           });
}

}  // namespace garam
