// One member of one Raft group on this broker: joins the pure raft::Core to its storage::Log. It
// carries out each Ready in order (persist, send, send when durable), and tells its owner (a
// partition, or the cluster metadata) what happened.
//
// Threads:   the shard's executor only.
// Ownership: owns the core and the log; the shard and the owner outlive it.
// Errors:    a failed write or sync is final (design.md section 6): the replica stops
//            acknowledging, steps down, and OnStorageFailed is called once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/peers.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/log_entry.h"
#include "raft/core.h"
#include "storage/log.h"

namespace garam {

class LogCopy;
class Shard;

// What a replica tells its owner. Called on the shard; an event may propose, but must not destroy
// the replica.
class ReplicaEvents {
 public:
  virtual ~ReplicaEvents() = default;
  // Role, term or known leader changed.
  virtual void OnRole() = 0;
  // These entries were appended to this replica's log, by itself as leader or from its leader.
  virtual void OnAppended(const std::vector<LogEntry>& entries) = 0;
  // Entries at `from` and above are gone; the log then ended before `next_offset`.
  virtual void OnTruncated(LogIndex from, Offset next_offset) = 0;
  virtual void OnCommitted(LogIndex commit) = 0;
  // At the end of a turn that touched this replica: matches may have moved.
  virtual void OnProgress() = 0;
  virtual void OnStorageFailed(const absl::Status& reason) = 0;
  // After OnStorageFailed for a full disk: there is space again.
  virtual void OnStorageFree() = 0;
  // The log is damaged, and the leader has what it held: the owner is to close this replica, and
  // to begin another one in its place. Once.
  virtual void OnReplaceable() = 0;
  // A node of the cluster became reachable, or no longer is.
  virtual void OnNode(NodeId node, bool reachable) = 0;
  // What the entries up to some committed one have made, be it above the copy's end: it goes beside
  // a copy of the log. An error: the copy must wait.
  virtual absl::StatusOr<std::string> SnapshotForCopy() const;
  // This came beside a copied log: keep it on stable storage.
  virtual void KeepSnapshot(std::string snapshot,
                            absl::AnyInvocable<void(const absl::Status&) &&> done);
  // The log has been replaced by a copy of the leader's; all of it is committed.
  virtual void OnInstalled() = 0;
  // This node led when the core gave `round` to whoever asked.
  virtual void OnStillLeader(uint64_t /*round*/) {}
};

class Replica final : public storage::LogObserver {
 public:
  // Without a core and a log until Attach; a log wants its observer when it is opened.
  Replica(Shard& shard, GroupId group, ReplicaEvents& events);
  ~Replica() override;
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // Once. `log` was opened with this replica as its observer; `noted`: it is on record as unflushed
  // in this run of the machine. Joins the shard.
  void Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log,
              bool noted = false);

  GroupId group() const { return group_; }
  ReplicaEvents& events() { return events_; }
  // Whether Attach has been called: there is a core and a log.
  bool attached() const { return core_ != nullptr; }
  raft::Core& core() { return *core_; }
  const raft::Core& core() const { return *core_; }
  storage::Log& log() { return *log_; }
  const storage::Log& log() const { return *log_; }

  bool leads() const { return core_->is_leader(); }
  // Leads, and an entry of its own term has committed: what it says of the group is true.
  bool confirmed() const { return core_->confirmed(); }
  // Whether the log takes no writes, for good or until the disk has space again.
  bool failed() const { return failed_; }
  bool disk_full() const { return disk_full_; }

  // From the next write on: when segments end, what counts as stored (at once, or once it is on
  // record that the log may be unflushed), and how elections may end. After Attach.
  void SetOptions(const storage::LogOptions& log, raft::Stage stage, bool unclean_election);

  // Appends as leader of `term`; what was proposed is persisted and sent at the end of the turn.
  // Returns the index of the first entry. kNotLeader, kThrottled, kStorage.
  absl::StatusOr<LogIndex> Propose(Term term, std::vector<LogEntry> entries);
  // Asks the group whether this replica still leads; OnStillLeader says when it did. kNotLeader.
  absl::StatusOr<uint64_t> AskStillLeader();
  // Hands the leadership to `target`, kNoNode: to the best one, when it is here to be given.
  void HandOver(NodeId target);

  // A message of this group from `from`; the Ready it makes is carried out by EndTurn.
  void Step(NodeId from, raft::Message message);
  // Carries out everything the core has ready. The shard calls it at the end of a turn.
  void Drain();
  // Asks the shard to call Drain at the end of this turn.
  void MarkDirty();

  // What compaction has made of sealed segments takes their place; as storage::Log::Replace. What
  // is gone from them, followers get no more as entries.
  absl::Status ReplaceSegments(storage::CleanedSegment cleaned);
  // D14: nothing at or above this may be compacted here.
  LogIndex CompactBefore() const;
  // Of any entry of the log, also where compaction has come by.
  Term TermAt(LogIndex index) const;

  // A part of the log for a member that is far behind (D15). kNotLeader, kNotFound.
  void GiveCopy(std::optional<CopyRequest::Piece> piece, CopyDone done);
  // Has the log replaced; called by its LogCopy. kAborted when it no longer makes sense.
  void Install(std::unique_ptr<storage::SegmentInstall> install, std::string snapshot,
               storage::Log::InstallDone done);
  // Entries below `index` are in a snapshot on stable storage: forgets them in whole segments.
  void DropBefore(LogIndex index);
  // As storage::Log::KeepFrom.
  void KeepFrom(LogIndex index);

  // Committed entries [from, last], from memory or from the segments. After Close no answer comes.
  void ReadEntries(LogIndex from, LogIndex last, size_t bytes_max,
                   absl::AnyInvocable<void(absl::StatusOr<std::vector<LogEntry>>) &&> done);

  // Leaves the shard; `closed` runs when nothing of this replica is under way any more.
  void Close(Task closed);

  // storage::LogObserver
  void OnWritten(uint64_t seq) override;
  void OnDurable(uint64_t seq) override;
  void OnFailed(const absl::Status& status) override;
  void OnDiskFull(const absl::Status& status) override;
  void OnDiskFree() override;
  void OnDamaged(const absl::Status& status) override;

 private:
  void Carry(raft::Ready ready);
  void Persist(const raft::Ready& ready);
  void TellWritten(uint64_t seq);
  void NoteUnflushed();
  void FollowStage();
  void AfterDoubt();
  void AskForReplacement();
  bool OthersHaveEverything() const;
  void ServeRead(const raft::ReadRequest& request);
  void DropPrefix();
  void ReplaceLog(std::unique_ptr<storage::SegmentInstall> install, storage::Log::InstallDone done);
  absl::Status TakeInstalled();
  void CloseLog(Task closed);
  Offset OffsetBefore(const std::vector<LogEntry>& entries) const;

  Shard& shard_;
  const GroupId group_;
  std::unique_ptr<raft::Core> core_;
  std::unique_ptr<storage::Log> log_;
  ReplicaEvents& events_;
  bool dirty_ = false;
  bool failed_ = false;
  bool disk_full_ = false;
  bool closed_ = false;
  bool installing_ = false;  // The log is being replaced: the core must not change it.
  std::shared_ptr<LogCopy> copy_;
  // D3: before the first answer that counts what is only written, a row says that the log is not
  // flushed; should the machine then lose power, this replica knows that it is in doubt.
  enum class Note { kNone, kUnderWay, kDurable };
  Note note_ = Note::kNone;
  storage::LogOptions wanted_log_;
  std::optional<raft::Stage> wanted_stage_;  // Not in force yet, as wanted_log_.
  uint64_t written_held_ = 0;                // The core hears of it once the note is durable.
  bool was_in_doubt_ = false;
  TimerId replacement_timer_ = kNoTimer;  // Armed while damaged and not replaceable yet.
  // Ends completions that arrive after Close: they hold a weak reference.
  std::shared_ptr<Replica*> alive_ = std::make_shared<Replica*>(this);
};

}  // namespace garam
