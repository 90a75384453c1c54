// One partition on this broker: Kafka's view of a replica. Assigns offsets, answers produces when
// they are as safe as their acks ask, serves reads up to the high watermark, and wakes fetches.
//
// Threads:   everything on the partition's shard, but for the const identity accessors.
// Ownership: held by shared_ptr, for it may be deleted while a caller waits.
// Errors:    completions get kNotLeader when leadership is lost and kUnknownTopic when the
// partition
//            is deleted; every completion is called exactly once, on the shard.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/topic_config.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/uuid.h"

namespace garam {

class GroupCoordinator;
class Replica;

enum class Acks { kNone = 0, kLeader = 1, kAll = -1 };

struct ProduceResult {
  Offset base_offset;
  int64_t log_append_time_ms = -1;  // -1 for CreateTime.
  Offset log_start_offset;
};
using ProduceDone = absl::AnyInvocable<void(absl::StatusOr<ProduceResult>) &&>;

// Who leads, as far as this broker knows: what KIP-951 hints carry.
struct LeaderHint {
  NodeId leader = kNoNode;
  Term epoch;
};

struct DivergingEpoch {
  Term epoch;
  Offset end_offset;
};

struct ReadSpec {
  Offset from;
  std::optional<Term> current_leader_epoch;  // What the client believes; checked when given.
  std::optional<Term> last_fetched_epoch;    // KIP-595 divergence check; when given.
  size_t bytes_max = 0;
  bool first_batch_whole = true;  // KIP-74: return the first batch even above bytes_max.
};

struct ReadResult {
  Offset high_watermark;
  Offset last_stable_offset;
  Offset log_start_offset;
  std::optional<DivergingEpoch> diverging;
  std::vector<Bytes> batches;  // Whole batches, in order, below the high watermark.
  size_t bytes = 0;
};

// What ListOffsets' negative timestamps ask for.
enum class SpecialOffset { kLatest, kEarliest, kMaxTimestamp, kEarliestLocal, kLatestTiered };

struct FoundOffset {
  Offset offset{-1};
  int64_t timestamp_ms = -1;
  Term leader_epoch{-1};
};

struct EpochEnd {
  Term epoch{-1};
  Offset end_offset{-1};
};

// What this broker's replica has on its disk.
struct LogSize {
  int64_t bytes = 0;
  int64_t lag_offsets = 0;  // Behind the high watermark.
};

// An idempotent producer that the partition remembers.
struct ActiveProducer {
  int64_t id = -1;
  int16_t epoch = -1;
  int32_t last_sequence = -1;
  int64_t last_timestamp_ms = -1;
  friend bool operator==(const ActiveProducer&, const ActiveProducer&) = default;
};

class Partition {
 public:
  virtual ~Partition() = default;

  // Identity: any thread.
  virtual const TopicId& topic_id() const = 0;
  virtual const std::string& topic() const = 0;
  virtual int32_t index() const = 0;
  virtual GroupId group() const = 0;
  virtual size_t shard() const = 0;
  // A snapshot; any thread.
  virtual std::shared_ptr<const TopicConfig> config() const = 0;

  // Lets `work` use the coordinator of the groups that hash to this partition; false where it is
  // none of __consumer_offsets.
  virtual bool WithGroups(const std::function<void(GroupCoordinator&)>& /*work*/) { return false; }

  // Appends one batch that `ValidateBatch` let through. The partition patches the base offset and
  // the leader epoch in `batch`: nobody else may read these bytes until `done`. The batch's place
  // behind those that were produced before it is fixed when the call returns; `done` says how it
  // ended. For kNone, `done` comes as soon as the batch is in the log's queue, which may wait for
  // followers that are far behind: what is not done yet is the caller's to bound.
  virtual void Produce(Bytes batch, Acks acks, MonoTime deadline, ProduceDone done) = 0;

  // Reads at once: `done` may be called before Read returns.
  virtual void Read(ReadSpec spec,
                    absl::AnyInvocable<void(absl::StatusOr<ReadResult>) &&> done) = 0;

  // Bytes between `from` and the high watermark as known without I/O; an estimate from index rows
  // when `from` is not in the tail cache. Errors as Read's.
  virtual absl::StatusOr<size_t> BytesAvailable(const ReadSpec& spec) const = 0;

  // Calls `wake` (each time, until removed) when the high watermark moved, the leadership was lost
  // or the partition was deleted. `bytes` is how much became visible, 0 when it is not about data.
  using WatchId = uint64_t;
  virtual WatchId Watch(std::function<void(size_t bytes)> wake) = 0;
  virtual void Unwatch(WatchId id) = 0;

  virtual void FindSpecial(SpecialOffset which, std::optional<Term> current_leader_epoch,
                           absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) = 0;
  // The first record at or after `timestamp_ms`; kLatest-like answer offset -1 when there is none.
  virtual void FindByTimestamp(int64_t timestamp_ms, std::optional<Term> current_leader_epoch,
                               absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) = 0;
  virtual LogSize Size() const = 0;  // Also of one that does not lead.
  // By the age of their last batch, the oldest first; also of one that does not lead. kNotLeader
  // while it is not known yet: ask again.
  virtual absl::StatusOr<std::vector<ActiveProducer>> Producers() const = 0;
  // Drops the records below `before`, kHighWatermark: all that are visible. `done` gets the log
  // start once a majority has dropped them; what is gone already is no error. kOffsetOutOfRange.
  static constexpr Offset kHighWatermark{-1};
  virtual void DeleteRecords(Offset before, MonoTime deadline,
                             absl::AnyInvocable<void(absl::StatusOr<Offset>) &&> done) = 0;
  virtual absl::StatusOr<EpochEnd> EndOfEpoch(Term epoch,
                                              std::optional<Term> current_leader_epoch) const = 0;
};

}  // namespace garam
