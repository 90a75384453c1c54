// The idempotent producers of one partition (D11), kept equal to its log: makes a ProducerState
// from the last snapshot and the log when the partition opens, follows what is appended, truncated
// and committed, and stores snapshots now and then, so that the next start reads little.
//
// Snapshots are rows in the key-value store, s<group>: the term of the entry that they are as of,
// and the state. They are of committed entries; one that does not fit the log is not used. The log
// keeps what the snapshot does not have (Log::KeepFrom), so one is made when it is to begin later:
// what goes may be all that a producer has sent. For the same reason one goes beside a copy of the
// log (D15), as of the last committed entry; whoever has copied the log is ready once it has that
// entry too.
//
// Threads:   the partition's shard.
// Ownership: owned by the partition; shard and replica outlive it. Close before it is destroyed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/producer_state.h"
#include "common/executor.h"
#include "common/log_entry.h"
#include "storage/kv_store.h"

namespace garam {

class Replica;
class Shard;

class ProducerKeeper {
 public:
  struct Events {
    // Whoever waits for ready() may try again.
    std::function<void()> on_ready;
    // A leader is to append a kExpireProducers with this index.
    std::function<void(LogIndex before)> expire;
  };

  ProducerKeeper(Shard& shard, Replica& replica, Duration expiration, Events events);
  ~ProducerKeeper();

  // The replica is attached.
  void Start();
  // `closed` runs when nothing of this is under way any more.
  void Close(Task closed);

  // Whether the state is that of the log. Until then nobody can tell new batches from old ones.
  bool ready() const { return ready_; }
  // Only when ready.
  absl::StatusOr<std::optional<ProducerState::Original>> Check(const ProducerBatch& batch) const {
    return state_.Check(batch);
  }
  const ProducerState& state() const { return state_; }

  // The leader has proposed `batch` at `index`.
  void OnProposed(LogIndex index, const ProducerBatch& batch);
  // As ReplicaEvents says.
  void OnAppended(const std::vector<LogEntry>& entries);
  void OnTruncated(LogIndex from);
  void OnCommitted(LogIndex commit, bool leads);
  void OnInstalled();
  // What was proposed and never reached the log is nobody's.
  void OnLeadershipEnd();

  // The row that goes beside a copy; "" when there is none. kLeaderNotReady: soon.
  absl::StatusOr<std::string> RowForCopy() const;
  // Stores such a row of another replica, before its log takes the place of this one.
  void Keep(std::string row, absl::AnyInvocable<void(const absl::Status&) &&> done);

  // Of the row of `group`, for whoever removes its log.
  static std::string RowKey(GroupId group);

 private:
  struct Snapshot {
    LogIndex through;
    std::string row;
  };
  struct Row {
    Term term;
    ProducerState state;
  };

  void Restart();
  void OnLoaded(uint64_t restart, absl::StatusOr<std::optional<std::string>> row);
  void TakeRow(const std::string& bytes);
  void Replay();
  void OnReplayed(uint64_t restart, absl::StatusOr<std::vector<LogEntry>> entries);
  void ReplayLater();
  bool Apply(const LogEntry& entry);
  bool KeepAsOf(const LogEntry& entry);
  bool SnapshotIsDue() const;
  std::string MakeRow(const ProducerState& state, LogIndex through) const;
  void MaybeSave();
  void Save(Snapshot snapshot);
  void OnStored(LogIndex through);
  void Store(std::string row, bool sync, absl::AnyInvocable<void(const absl::Status&) &&> done);
  static absl::StatusOr<Row> DecodeRow(std::string_view bytes);
  void MaybeExpire(LogIndex commit);
  void OneLess();

  Shard& shard_;
  Replica& replica_;
  const Duration expiration_;
  const Events events_;
  ProducerState state_;
  bool ready_ = false;
  uint64_t restarts_ = 0;             // What belongs to an older one is ignored.
  LogIndex next_;                     // The first entry that is not in the state; while not ready.
  LogIndex row_through_;              // The stored row is as of this one; 0 without a row.
  std::optional<LogIndex> awaited_;   // It is as of this one, which is still to come.
  size_t bytes_ = 0;                  // Of batches since the last snapshot,
  int rolls_ = 0;                     // and segments.
  std::optional<Snapshot> snapshot_;  // Until it is committed.
  bool saving_ = false;
  // When the commit index was where: tells how old what lies below is.
  std::deque<std::pair<int64_t, LogIndex>> marks_;
  size_t under_way_ = 0;  // Jobs of the pool.
  Task closed_;
  bool closing_ = false;
  TimerId retry_timer_ = kNoTimer;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
