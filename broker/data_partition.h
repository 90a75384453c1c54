// A partition that lives on this broker: Partition over a Replica.
//
// Threads, errors: as broker/partition.h says.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/batch_cache.h"
#include "broker/group_host.h"
#include "broker/log_compaction.h"
#include "broker/partition.h"
#include "broker/peers.h"
#include "broker/produce_waiters.h"
#include "broker/producer_keeper.h"
#include "broker/replica.h"
#include "common/record_batch.h"
#include "raft/isr.h"
#include "raft/membership_plan.h"
#include "storage/compaction/cleaning_choice.h"
#include "storage/segment_info.h"

namespace garam {

class Shard;
struct RecordPosition;

struct PartitionIdentity {
  TopicId topic_id;
  std::string topic;
  int32_t index = 0;
  GroupId group;
};

class DataPartition final : public Partition,
                            public ReplicaEvents,
                            public std::enable_shared_from_this<DataPartition> {
 public:
  // `announce` is told each change of leader or ISR of this partition while this broker leads it,
  // and who leads as soon as this replica hears of it.
  using Announce = std::function<void(const LeaderState&)>;
  // `members` is told, while this broker leads, that the group has the members that a wish wanted.
  using Members = std::function<void(GroupId, LogIndex wish)>;

  // What the replica here tells of its disk: it cannot append, or it can again (ok); its log is
  // damaged, and it is to be replaced.
  struct DiskEvents {
    std::function<void(GroupId, const absl::Status&)> can_append;
    std::function<void(GroupId)> replaceable;
  };

  DataPartition(Shard& shard, PartitionIdentity identity, std::shared_ptr<const TopicConfig> config,
                std::vector<NodeId> replicas, Duration replica_lag_max, Announce announce,
                Members members, DiskEvents disk_events, Duration producer_expiration);
  ~DataPartition() override;

  // What the log is to be opened with; before Attach.
  storage::LogObserver& observer() { return replica_; }
  // Once, on the shard, before anything else on it.
  // As Replica::Attach.
  void Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log, bool noted);
  // Ends every waiter with `reason` and closes the replica; `closed` runs when all is quiet.
  void Stop(const absl::Status& reason, Task closed);
  // What is being closed will never be quiet: its process has been killed.
  void Abandon() { closing_.reset(); }

  // On the shard.
  const Replica& replica() const { return replica_; }
  // Leads, and what it says of the partition (high watermark, ISR) is true.
  bool confirmed() const { return confirmed_; }
  // Who is to belong to the group (nobody: whoever does), and who is to lead it when it can.
  // Whichever replica leads sees to it; a new wish for the same is a wish for that leader now.
  void SetWanted(raft::WantedMembers wanted, NodeId preferred);
  // Its topic was altered: everything that this says is in force from the next write on.
  void SetConfig(std::shared_ptr<const TopicConfig> config);
  // Hands the leadership to the preferred replica, when this broker has it and that one is in sync.
  void LetPreferredLead();
  // A node that says that it cannot append here leaves the ISR at once.
  void SetCanAppend(NodeId node, bool can_append);
  // Has the log begin later where it holds what is past its retention, if this replica leads.
  void ApplyRetention();
  // How dirty the log here is; nothing where it is not to be compacted, or not now.
  std::optional<storage::CleaningChoice> OfferCompaction();
  struct CompactionLimits {
    size_t map_bytes = 0;
    int64_t bytes_per_second = 0;  // 0: as fast as it goes.
    storage::HashSecret secret;
  };
  // One pass over what is due by then; kAborted when nothing is. `done` on the shard.
  void Compact(const CompactionLimits& limits, LogCompaction::DoneFn done);
  // D14: nothing at or above this is compacted here.
  LogIndex CompactBefore() const;
  // As storage::Log::Check; kNotLeader once it is stopped.
  void Check(LogIndex from, size_t bytes_max, storage::Log::CheckDone done);

  const TopicId& topic_id() const override { return identity_.topic_id; }
  const std::string& topic() const override { return identity_.topic; }
  int32_t index() const override { return identity_.index; }
  GroupId group() const override { return identity_.group; }
  size_t shard() const override;
  std::shared_ptr<const TopicConfig> config() const override;

  // Of the leadership whose high watermark is true; 0 while there is none here.
  Term confirmed_term() const { return open_ && confirmed_ ? leading_term_ : Term(0); }
  Offset high_watermark() const { return high_watermark_; }
  Offset start_offset() const { return replica_.log().start_offset(); }
  const ProducerKeeper& producers() const { return producers_; }
  // Behind everything that has been appended here, whether it is committed or not.
  Offset end_offset() const { return next_offset_; }
  // What is committed, of any replica's log: whole batches from the one with `from` on, which lies
  // between start_offset() and high_watermark(). Reads at once, as Read.
  void ReadVisible(Offset from, size_t bytes_max,
                   absl::AnyInvocable<void(absl::StatusOr<std::vector<Bytes>>) &&> done);
  bool WithGroups(const std::function<void(GroupCoordinator&)>& work) override;
  // Before Attach, of a partition of __consumer_offsets.
  void CoordinateGroups(const GroupSettings& settings, GroupHost::Image image);

  void Produce(Bytes batch, Acks acks, MonoTime deadline, ProduceDone done) override;
  void Read(ReadSpec spec, absl::AnyInvocable<void(absl::StatusOr<ReadResult>) &&> done) override;
  absl::StatusOr<size_t> BytesAvailable(const ReadSpec& spec) const override;
  WatchId Watch(std::function<void(size_t bytes)> wake) override;
  void Unwatch(WatchId id) override;
  void FindSpecial(SpecialOffset which, std::optional<Term> current_leader_epoch,
                   absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) override;
  void FindByTimestamp(int64_t timestamp_ms, std::optional<Term> current_leader_epoch,
                       absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) override;
  LogSize Size() const override;
  absl::StatusOr<std::vector<ActiveProducer>> Producers() const override;
  void DeleteRecords(Offset before, MonoTime deadline,
                     absl::AnyInvocable<void(absl::StatusOr<Offset>) &&> done) override;
  absl::StatusOr<EpochEnd> EndOfEpoch(Term epoch,
                                      std::optional<Term> current_leader_epoch) const override;

  // ReplicaEvents
  void OnRole() override;
  void OnAppended(const std::vector<LogEntry>& entries) override;
  void OnTruncated(LogIndex from, Offset next_offset) override;
  void OnCommitted(LogIndex commit) override;
  void OnProgress() override;
  void OnStorageFailed(const absl::Status& reason) override;
  void OnStorageFree() override;
  void OnReplaceable() override;
  void OnNode(NodeId node, bool reachable) override;
  absl::StatusOr<std::string> SnapshotForCopy() const override { return producers_.RowForCopy(); }
  void KeepSnapshot(std::string snapshot,
                    absl::AnyInvocable<void(const absl::Status&) &&> done) override {
    producers_.Keep(std::move(snapshot), std::move(done));
  }
  void OnInstalled() override;
  void OnStillLeader(uint64_t round) override;

  // D15; see Replica::GiveCopy.
  void GiveCopy(std::optional<CopyRequest::Piece> piece, CopyDone done);

 private:
  // Where the log stood after one entry: what turns a commit index into a high watermark.
  struct Boundary {
    LogIndex index;
    Offset next_offset;
    size_t bytes;
  };

  // A batch whose place in the log is not fixed yet: the group has as much uncommitted as it may.
  struct Offered {
    Bytes batch;
    Acks acks;
    MonoTime deadline;
    ProduceDone done;
  };

  void CloseReplica(Task closed);
  bool Propose(Offered& offered);
  bool ProposeNew(Offered& offered);
  void RefuseOnceSure(Offered& offered, absl::Status reason);
  void AnswerDuplicate(Offered& offered, const ProducerState::Original& original);
  bool EndsSegment(const RecordBatchView& batch);
  void BeginPlannedSegment(LogIndex base);
  void ExpireProducers(LogIndex before);
  void ProposeOffered();
  // Whoever waits for a place in the log, or to hear that there is none.
  void FailOffered(const absl::Status& reason);
  void RearmDeadline(MonoTime deadline);
  void Expire();
  absl::Status CheckProduce(size_t batch_bytes, Acks acks) const;
  absl::Status CheckLeader(std::optional<Term> current_leader_epoch) const;
  absl::Status NotLeader() const;
  bool leading() const { return leading_term_ != Term(0); }
  void EndLeadership();
  bool MinimumHas(LogIndex index) const;
  void Park(Acks acks, ProduceWaiters::Waiter waiter);
  void AnswerProduces();
  void ArmDeadline();
  void FeedIsr();
  void FollowConfiguration();
  void Reconfigure();
  void ArmIsr();
  void AnnounceState();
  void WakeWatchers(size_t bytes);
  bool IsLongAway(NodeId node) const;
  void RaiseCompactBefore();
  std::optional<DivergingEpoch> Diverges(const ReadSpec& spec) const;
  using FoundDone = absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&>;
  bool DiskIsBehind() const;
  void SearchTimestamp(int64_t timestamp_ms, Offset from, FoundDone done);
  void AnswerTimestamp(absl::StatusOr<std::optional<Bytes>> batch,
                       std::optional<RecordPosition> position, FoundDone done);

  Shard& shard_;
  const PartitionIdentity identity_;
  mutable std::mutex config_mutex_;
  // Changed on the shard only, which reads it without the mutex.
  std::shared_ptr<const TopicConfig> config_;
  std::vector<NodeId> replicas_;  // Voters, as the core has them.
  const Announce announce_;
  const Members members_;
  const DiskEvents disk_events_;
  const Duration replica_lag_max_;
  Replica replica_;
  const std::shared_ptr<LogCompaction> compaction_;
  bool open_ = false;                       // Between Attach and Stop.
  std::shared_ptr<DataPartition> closing_;  // Itself, from Stop until all is quiet.

  ProducerKeeper producers_;
  PartitionTail tail_;
  ProduceWaiters waiters_;
  std::deque<Offered> offered_;  // In the order of Produce.
  // Batches that are out of order, if this replica leads: by the round that says so.
  struct Refused {
    uint64_t round;
    absl::Status reason;
    ProduceDone done;
  };
  std::vector<Refused> refused_;
  TimerId deadline_timer_ = kNoTimer;
  MonoTime deadline_armed_for_;

  Offset appended_offset_;  // Where the log ends.
  Offset next_offset_;      // The same with what was proposed in this turn: the leader's to give.
  Offset high_watermark_;
  // The log's last segment once it has all that was proposed, while that is up to
  // planned_through_.
  storage::SegmentInfo planned_;
  LogIndex planned_through_;
  Offset retention_start_;           // What retention has proposed last in this leadership.
  std::deque<Boundary> boundaries_;  // Above the high watermark, in log order.

  raft::IsrTracker isr_;    // While this replica leads.
  Term leading_term_;       // The leadership that OnRole has begun; 0: none …
  bool confirmed_ = false;  // … and isr_ has been told that it is confirmed.
  TimerId isr_timer_ = kNoTimer;
  uint64_t announced_isr_version_ = 0;
  Term announced_term_;
  NodeId announced_leader_ = kNoNode;

  raft::WantedMembers wanted_;  // Not empty while the group is being moved.
  NodeId preferred_ = kNoNode;  // Who is to lead it.
  bool members_told_ = false;   // Of this leadership and this wish.

  std::optional<MonoTime> copied_at_;  // When somebody asked for a part of the log.

  std::unique_ptr<GroupHost> groups_;
  WatchId last_watch_ = 0;
  std::map<WatchId, std::function<void(size_t)>> watches_;
};

}  // namespace garam
