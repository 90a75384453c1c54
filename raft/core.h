// The Raft state machine of one group: messages, ticks, proposals and completions go in, numbered
// Readys come out. No I/O, clock, randomness, lock or thread inside; the same inputs give the same
// outputs.
//
// Durability. Nothing leaves before what it promises is on stable storage: messages wait inside the
// core for OnHardStateDurable, append answers for OnWritten or OnDurable by the stage that counts;
// they come out in a later Ready. A leader sends entries before its own write is done, and counts
// itself only after it.
//
// Time. `now` never goes back. The owner calls Tick at NextDeadline(); without a deadline the group
// sleeps and costs nothing. Liveness comes from NodeUp/NodeSuspect/NodeDown, not from messages.
//
// Threads:   one at a time.
// Ownership: `random` must outlive the core.
// Errors:    inputs that cannot come from a correct peer are dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/random.h"
#include "raft/configuration.h"
#include "raft/messages.h"
#include "raft/progress.h"
#include "raft/raft_log.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace garam::raft {

class Core {
 public:
  Core(CoreOptions options, InitialState state, Random& random, MonoTime now);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // --- Inputs ---

  // A message of `from`, of the incarnation that the owner knows by its handshake.
  void Step(NodeId from, Message message, MonoTime now);
  void Tick(MonoTime now);

  // Appends `entries` (index and term are filled in here; the payload must already name
  // `expected_term` where it does). Returns the index of the first. kNotLeader: this core does not
  // lead `expected_term`, or is handing it over; kThrottled: too much is uncommitted;
  // kInvalidRequest: a configuration that may not be proposed now. Nothing was taken then.
  absl::StatusOr<LogIndex> Propose(Term expected_term, std::vector<LogEntry> entries, MonoTime now);

  // What the liveness of node pairs says. A leader that is down is forgotten and an election is
  // staggered by rank; one that is suspect is given a normal election timeout.
  void NodeUp(NodeId node, MonoTime now);
  void NodeSuspect(NodeId node, MonoTime now);
  void NodeDown(NodeId node, MonoTime now);
  // The peer's stream broke, or its process is another one: what it acknowledged before counts no
  // longer, and a sleeping leader asks it again. A leader among them is forgotten only by NodeDown.
  void PeerReset(NodeId node, MonoTime now);
  // Messages of the last Ready to `node` were dropped before they left: probes again a bit later.
  void SendFailed(NodeId node, MonoTime now);
  // `node` says that it does not lead this group in `term` any more (D16).
  void LeaderLost(NodeId node, Term term, MonoTime now);

  // Hands the leadership to `target`, or with kNoNode to the best one. Proposals are
  // refused meanwhile; gives up after an election timeout. kNotLeader, or kInvalidRequest when
  // there is nobody to take it.
  absl::Status Transfer(NodeId target, MonoTime now);
  // Stands at once (with a pre-vote): the first start of a group on its preferred replica.
  void Campaign(MonoTime now);
  // Gives up the leadership now, telling the best voter to stand. Nothing when it does not lead.
  void StepDown(MonoTime now);
  // kNone also steps down.
  void SetStanding(Standing standing, MonoTime now);
  void SetStage(Stage stage, MonoTime now);
  void SetUncleanElection(bool unclean) { options_.unclean_election = unclean; }
  // As leader: what every replica may compact. It only grows; followers are told, also while the
  // group would sleep.
  void RaiseCompactBefore(LogIndex before, MonoTime now);

  // The log was replaced by what a leader's committed entries are (D15): `state` is what the disk
  // says now, with no configurations where they are still the founders. Only while NeedsInstall.
  // What the old log had besides is forgotten, Readys that are under way with it: it was committed
  // nowhere, and nobody counts on it (pitfalls 12 and 15).
  void Install(InitialState state, MonoTime now);
  // Whether a log that ends with the committed entry `last` of `last_term` is to replace ours: not
  // when ours has that entry, for what follows it may have been acknowledged.
  bool NeedsInstall(LogIndex last, Term last_term) const;
  // Asks a quorum whether this node still leads; Ready::confirmed_round says when it did. What was
  // committed before the question is then known here (Raft thesis 6.4). kNotLeader.
  absl::StatusOr<uint64_t> AskStillLeader(MonoTime now);

  // Completions of Readys. Each may come late, in any order between the kinds; within a kind a
  // higher seq covers the lower ones.
  void OnHardStateDurable(uint64_t seq, MonoTime now);
  void OnWritten(uint64_t seq, MonoTime now);
  void OnDurable(uint64_t seq, MonoTime now);  // Implies written.
  void OnEntriesRead(NodeId peer, LogIndex from, absl::StatusOr<std::vector<LogEntry>> entries,
                     MonoTime now);

  // Drops written, committed entries from memory, oldest first, until `bytes_max` are left: a slow
  // follower is then served from the disk.
  void TrimTail(size_t bytes_max);
  // The log now starts at `first_index` (retention); at most commit_index() + 1.
  void DropPrefix(LogIndex first_index);

  // --- Outputs ---

  bool has_ready() const;
  Ready TakeReady();
  std::optional<MonoTime> NextDeadline() const;

  // --- What it is ---

  GroupId group() const { return options_.group; }
  NodeId self() const { return options_.self; }
  Incarnation incarnation() const { return options_.incarnation; }
  Role role() const { return role_; }
  bool is_leader() const { return role_ == Role::kLeader; }
  Term term() const { return hard_state_.term; }
  NodeId leader() const { return leader_; }  // kNoNode: unknown.
  // Leads, and an entry of its own term is committed: what it says of the group is true (pitfall
  // 17).
  bool confirmed() const { return is_leader() && commit_ >= term_start_; }
  // Whether the log may have lost its end (D3). Ends by catching up, or by being elected by all.
  bool in_doubt() const { return options_.in_doubt; }
  bool transferring() const { return transferee_ != kNoNode; }
  Stage stage() const { return options_.stage; }
  LogIndex commit_index() const { return commit_; }
  LogIndex first_index() const { return log_.first_index(); }
  LogIndex last_index() const { return log_.last_index(); }
  LogIndex written_index() const { return log_.written_index(); }
  LogIndex durable_index() const { return log_.durable_index(); }
  // Terms by index; the offsets in these rows are not kept up and are 0 for what was appended here.
  const TermRows& terms() const { return log_.terms(); }
  const LogTail& tail() const { return log_.tail(); }
  size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  // D14, as this or the last leader has said; 0: not yet since the start.
  LogIndex compact_before() const { return compact_before_; }
  // The latest in the log, committed or not.
  const Configuration& configuration() const { return configurations_.back().configuration; }
  LogIndex configuration_index() const { return configurations_.back().index; }
  // Of a leader: its peers, ascending; itself is not among them. Empty otherwise.
  const std::map<NodeId, Progress>& progress() const { return progress_; }
  // The match of `node` at the stage that counts; of itself too. 0 when unknown.
  LogIndex MatchOf(NodeId node) const;
  NodeState StateOf(NodeId node) const;
  // Of a leader: whether `node` may become a voter. It must know of its place as well: whoever has
  // no configuration cannot vote.
  bool IsCaughtUp(NodeId node) const;
  // As leader: the commit index that the node said last it knows; 0 when it has said nothing.
  LogIndex KnownCommit(NodeId node) const;

 private:
  struct Held {
    uint64_t hard_state_version;
    Outgoing outgoing;
  };

  // core.cc
  void Send(NodeId to, Message message);
  void SetHardState(HardState state);
  RoleChange CurrentRole() const { return {role_, term(), leader_}; }
  void MoveCommit(LogIndex to, MonoTime now);
  void AppendToLog(LogEntry entry);
  void TruncateLog(LogIndex from);
  void RebuildProgress(MonoTime now);
  void AfterLogMoved(MonoTime now);
  bool QuorumAmong(NodeState worst) const;

  // election.cc
  void StepVoteRequest(NodeId from, const VoteRequest& request, MonoTime now);
  void StepVoteReply(NodeId from, const VoteReply& reply, MonoTime now);
  void StepTimeoutNow(NodeId from, const TimeoutNow& message, MonoTime now);
  void BecomeFollower(Term term, NodeId leader, MonoTime now);
  enum class Round { kPreVote, kVote, kTransfer, kLastResort };
  void StartElection(Round round, MonoTime now);
  void BecomeLeader(MonoTime now);
  void CountVotes(MonoTime now);
  VoteResult Tally() const;
  bool LastResortIsOpen() const;
  bool EverybodyIn(const std::set<NodeId>& nodes) const;
  bool MayStand() const;
  bool MayVote() const;
  bool MayHelpOut() const;
  bool LeaderSticks(NodeId candidate) const;
  bool LogIsUpToDate(const VoteRequest& request) const;
  void ArmElection(Duration base, Duration jitter, MonoTime now);
  void ArmStaggered(MonoTime now);
  void ForgetLeader(MonoTime now);
  void TickElection(MonoTime now);
  int64_t Rank() const;
  std::pair<bool, uint64_t> Turn(NodeId node) const;
  NodeId BestSuccessor() const;
  Duration RandomUpTo(Duration bound);

  // leading.cc
  void StepAppendReply(NodeId from, const AppendReply& reply, MonoTime now);
  void HandleReject(NodeId from, Progress& peer, const AppendReply& reply, MonoTime now);
  void MaybeSend(NodeId node, Progress& peer, MonoTime now);
  void SendEntries(NodeId node, Progress& peer, std::vector<LogEntry> entries, MonoTime now);
  void SendEmpty(NodeId node, Progress& peer, MonoTime now);
  void SendToAll(MonoTime now);
  void MaybeCommit(MonoTime now);
  void LeaveBehind(Progress& peer, MonoTime now);
  void MaybeConfirmRound();
  void CheckQuorum(MonoTime now);
  void MaybeFinishTransfer();
  void Nudge(NodeId node, MonoTime now);
  void Hold(Progress& peer, Duration wait, MonoTime now);
  bool NeedsCommitNotice(NodeId node, const Progress& peer) const;
  void TickLeader(MonoTime now);
  bool Outstanding(NodeId node, const Progress& peer) const;
  std::optional<MonoTime> LeaderDeadline() const;

  // following.cc
  void StepAppend(NodeId from, Append message, MonoTime now);
  bool IsSound(const Append& message) const;
  bool AgreesAt(LogIndex prev_index, Term prev_term) const;
  bool TakeEntries(Append& message);
  static bool TooFarBehind(const Append& message, LogIndex hint);
  void Reject(NodeId to, const Append& message);
  void Acknowledge(bool always);
  void MaybeEndDoubt();
  void HeardLeader(MonoTime now);

  CoreOptions options_;
  Random& random_;

  HardState hard_state_;
  uint64_t hard_state_version_ = 0;  // Raised at each change.
  uint64_t durable_version_ = 0;
  RaftLog log_;
  LogIndex commit_;
  LogIndex compact_before_;
  std::vector<InitialState::ConfigurationAt> configurations_;  // Never empty; ascending.

  Role role_ = Role::kFollower;
  NodeId leader_ = kNoNode;
  std::map<NodeId, NodeState> nodes_;  // Only those not kUp.

  // Elections.
  std::optional<MonoTime> election_at_;
  bool election_staggered_ = false;  // How election_at_ was armed, to arm it again after a pause.
  bool pause_credited_ = false;      // The last deadline passed in our own pause: once in a row.
  uint64_t candidate_version_ = 0;   // Our own vote counts when this version is durable.
  std::set<NodeId> votes_;
  std::set<NodeId> refusals_;
  std::set<NodeId> doubtful_;  // Pre-vote: would vote for us, were they sure of their logs.
  bool last_resort_ = false;   // The vote under way wants everybody.

  // Leading.
  std::map<NodeId, Progress> progress_;
  uint32_t last_session_ = 0;  // A member that leaves and comes back must not hear an old number.
  LogIndex term_start_;        // Of our no-op.
  uint64_t last_round_ = 0;    // Of questions whether we still lead.
  uint64_t confirmed_round_ = 0;
  size_t uncommitted_bytes_ = 0;
  MonoTime commit_moved_at_{};
  std::optional<MonoTime> quorum_lost_at_;  // When we step down unless a quorum is back.
  NodeId transferee_ = kNoNode;
  bool timeout_now_sent_ = false;
  std::optional<MonoTime> transfer_until_;

  // Following.
  LogIndex verified_;  // Up to here our log agrees with the leader of this term.
  uint32_t session_ = 0;
  LogIndex replied_written_;
  LogIndex replied_durable_;
  std::optional<LogIndex> doubt_until_;  // Where the leader's log ended when it found us.
  uint64_t heard_round_ = 0;             // Of the append that is being answered.

  // What the next Ready carries.
  uint64_t last_seq_ = 0;
  bool hard_state_pending_ = false;
  std::deque<std::pair<uint64_t, uint64_t>> hard_states_in_flight_;  // (seq, version)
  std::deque<Held> held_;
  std::vector<Outgoing> messages_;
  std::vector<ReadRequest> reads_;
  std::optional<NodeId> copy_from_;
  uint64_t round_told_ = 0;
  LogIndex commit_told_;
  RoleChange role_told_;
};

}  // namespace garam::raft
