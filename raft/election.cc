// How a core comes to lead, and how it lets another: Raft thesis 3.4, 9.6 (pre-vote), 3.10
// (transfer), and D17's staggered candidates.
#include <algorithm>
#include <tuple>
#include <utility>

#include "common/mutation.h"
#include "common/status.h"
#include "raft/core.h"
#include "raft/digest.h"

namespace garam::raft {

// Raft thesis 4.2.2: who is let go by a configuration that may not be committed still stands, for
// nobody else may have it, and whoever lacks it needs our vote.
bool Core::MayStand() const {
  if (options_.standing != Standing::kFull) return false;
  if (configuration().MayStand(self(), options_.incarnation)) return true;
  return configuration_index() > commit_ && configurations_.size() > 1 &&
         configurations_[configurations_.size() - 2].configuration.MayStand(self(),
                                                                            options_.incarnation);
}

// A learner may be asked before it knows that it was promoted (pitfall 13), so membership as far as
// we know it does not matter; but a blank replica, and one whose place belongs to another
// incarnation of this node, have forgotten what they promised (pitfall 16).
bool Core::MayVote() const {
  if (Mutated(Mutation::kBlankVotes)) return true;
  if (options_.standing == Standing::kNone || configuration().empty()) return false;
  return configuration().Contains(self(), options_.incarnation) ||
         !configuration().Find(self()).has_value();
}

// Whether, in doubt, it has a vote of last resort to give.
bool Core::MayHelpOut() const { return !options_.damaged || options_.unclean_election; }

bool Core::LeaderSticks(NodeId candidate) const {
  if (is_leader()) return QuorumAmong(NodeState::kUp);
  return leader_ != kNoNode && leader_ != candidate && StateOf(leader_) == NodeState::kUp;
}

bool Core::LogIsUpToDate(const VoteRequest& request) const {
  const Term own = log_.last_term();
  if (Mutated(Mutation::kVoteIgnoresTerm)) return request.last_index >= last_index();
  return request.last_term > own ||
         (request.last_term == own && request.last_index >= last_index());
}

void Core::StepVoteRequest(NodeId from, const VoteRequest& request, MonoTime now) {
  auto refuse = [&](bool in_doubt = false) {
    Send(from, VoteReply{term(), request.pre, false, in_doubt});
    // Whoever asks its leader for a vote does not know of it.
    if (is_leader()) Nudge(from, now);
  };
  if (!request.transfer && request.term >= term() && LeaderSticks(from)) return refuse();
  if (request.pre) {
    if (request.term <= term() || !MayVote() || !LogIsUpToDate(request)) return refuse();
    if (in_doubt()) return refuse(/*in_doubt=*/MayHelpOut());
    Send(from, VoteReply{request.term, true, true});
    return;
  }
  if (request.term < term()) return refuse();
  const std::optional<MonoTime> own_turn = election_at_;
  if (request.term > term()) BecomeFollower(request.term, kNoNode, now);
  const bool free_to_vote =
      hard_state_.voted_for == kNoNode ||
      (hard_state_.voted_for == from && hard_state_.voted_incarnation == request.incarnation);
  const bool sure = !in_doubt() || (request.last_resort && MayHelpOut());
  if (role_ != Role::kFollower || leader_ != kNoNode || !free_to_vote || !MayVote() || !sure ||
      !LogIsUpToDate(request)) {
    // Its term is new, but its log is not good enough: our own turn must not be put off for it.
    if (role_ == Role::kFollower && own_turn && election_at_) {
      election_at_ = std::min(*election_at_, *own_turn);
    }
    return refuse();
  }
  SetHardState({term(), from, request.incarnation});
  Send(from, VoteReply{term(), false, true});
  ArmElection(options_.timing.election, options_.timing.election_jitter, now);
}

void Core::StepVoteReply(NodeId from, const VoteReply& reply, MonoTime now) {
  const bool another = reply.from != Incarnation(0) && reply.from != configuration().LatestOf(from);
  if (another && !Mutated(Mutation::kBlankVotes)) return;
  const Term asked = role_ == Role::kPreCandidate ? term() + 1 : term();
  if (!reply.granted && reply.term > term()) return BecomeFollower(reply.term, kNoNode, now);
  if (role_ != (reply.pre ? Role::kPreCandidate : Role::kCandidate)) return;
  if (reply.granted) {
    if (reply.term == asked) votes_.insert(from);
  } else if (reply.in_doubt && role_ == Role::kPreCandidate) {
    doubtful_.insert(from);
  } else if (reply.pre || reply.term == asked) {
    refusals_.insert(from);
  }
  CountVotes(now);
}

void Core::StepTimeoutNow(NodeId from, const TimeoutNow& message, MonoTime now) {
  if (message.term < term()) return;
  if (message.term > term()) BecomeFollower(message.term, kNoNode, now);
  if (role_ != Role::kFollower || (leader_ != kNoNode && leader_ != from) || !MayStand()) return;
  if (!in_doubt()) StartElection(Round::kTransfer, now);
}

void Core::BecomeFollower(Term new_term, NodeId leader, MonoTime now) {
  if (is_leader() && Mutated(Mutation::kStepDownTruncates)) TruncateLog(commit_ + 1);
  if (new_term > term()) {
    SetHardState({new_term, kNoNode, Incarnation(0)});
    verified_ = LogIndex(0);
    session_ = 0;
    replied_written_ = replied_durable_ = LogIndex(0);
    doubt_until_.reset();
  }
  role_ = Role::kFollower;
  leader_ = leader;
  votes_.clear();
  refusals_.clear();
  doubtful_.clear();
  progress_.clear();
  reads_.clear();
  uncommitted_bytes_ = 0;
  transferee_ = kNoNode;
  transfer_until_.reset();
  quorum_lost_at_.reset();
  if (leader != kNoNode) {
    HeardLeader(now);
  } else {
    ArmElection(options_.timing.election, options_.timing.election_jitter, now);
  }
}

void Core::StartElection(Round round, MonoTime now) {
  const Timing& timing = options_.timing;
  const bool pre = round == Round::kPreVote;
  leader_ = kNoNode;
  votes_.clear();
  refusals_.clear();
  doubtful_.clear();
  last_resort_ = round == Round::kLastResort;
  if (!MayStand() || !QuorumAmong(NodeState::kSuspect)) {
    role_ = Role::kFollower;
    return ArmElection(timing.election, timing.election_jitter, now);
  }
  if (pre) {
    role_ = Role::kPreCandidate;
    if (!in_doubt()) votes_.insert(self());
    if (in_doubt() && !options_.damaged) doubtful_.insert(self());
    ArmElection(timing.prevote_retry, timing.prevote_retry_jitter, now);
  } else {
    role_ = Role::kCandidate;
    SetHardState({term() + 1, self(), options_.incarnation});
    candidate_version_ = hard_state_version_;
    verified_ = LogIndex(0);
    session_ = 0;
    replied_written_ = replied_durable_ = LogIndex(0);
    doubt_until_.reset();
    ArmElection(timing.election, timing.election_jitter, now);
  }
  const VoteRequest request{pre ? term() + 1 : term(),
                            pre,
                            round == Round::kTransfer,
                            options_.incarnation,
                            last_index(),
                            log_.last_term(),
                            last_resort_};
  for (NodeId voter : configuration().VoterNodes()) {
    if (voter != self() && StateOf(voter) != NodeState::kDown) Send(voter, request);
  }
  CountVotes(now);
}

void Core::CountVotes(MonoTime now) {
  const bool own_vote_stands =
      durable_version_ >= candidate_version_ || Mutated(Mutation::kVoteRequestEarly);
  const bool sure = !in_doubt() || last_resort_;
  if (role_ == Role::kCandidate && own_vote_stands && sure) votes_.insert(self());
  switch (Tally()) {
    case VoteResult::kPending:
      if (LastResortIsOpen()) StartElection(Round::kLastResort, now);
      return;
    case VoteResult::kWon:
      if (role_ == Role::kPreCandidate) {
        StartElection(Round::kVote, now);
      } else {
        BecomeLeader(now);
      }
      return;
    case VoteResult::kLost:
      role_ = Role::kFollower;  // Until the timer that is armed asks again.
      return;
  }
}

// A vote of last resort counts those in doubt as well, so it wants everybody that can be asked:
// whoever is left out may be the one that had more.
VoteResult Core::Tally() const {
  const VoteResult result = configuration().Count(votes_, refusals_);
  if (!last_resort_ || result != VoteResult::kWon) return result;
  if (!refusals_.empty()) return VoteResult::kLost;
  return EverybodyIn(votes_) ? VoteResult::kWon : VoteResult::kPending;
}

// Everybody has answered our pre-vote, nobody has a better log, and too few are sure of theirs.
bool Core::LastResortIsOpen() const {
  if (role_ != Role::kPreCandidate || doubtful_.empty()) return false;
  std::set<NodeId> answered = doubtful_;
  answered.insert(votes_.begin(), votes_.end());
  return EverybodyIn(answered) && configuration().Count(answered, {}) == VoteResult::kWon;
}

// Whether every voter is in `nodes`; with unclean elections, every one that is not down.
bool Core::EverybodyIn(const std::set<NodeId>& nodes) const {
  for (NodeId voter : configuration().VoterNodes()) {
    const bool wanted = !options_.unclean_election || StateOf(voter) != NodeState::kDown;
    if (wanted && !nodes.contains(voter)) return false;
  }
  return true;
}

void Core::BecomeLeader(MonoTime now) {
  role_ = Role::kLeader;
  leader_ = self();
  options_.in_doubt = false;  // Elected by all: what is lost is lost, this log is the group's.
  election_at_.reset();
  pause_credited_ = false;
  uncommitted_bytes_ = 0;
  for (LogIndex index = commit_ + 1; index <= last_index(); ++index) {
    if (tail().Has(index)) uncommitted_bytes_ += tail().At(index).bytes.size();
  }
  progress_.clear();
  commit_moved_at_ = now;
  RebuildProgress(now);
  // Only an entry of our own term can commit what came before it (pitfall 1).
  if (!Mutated(Mutation::kNoNoop)) {
    AppendToLog({last_index() + 1, term(), EntryKind::kNoop, Bytes()});
  }
  term_start_ = Mutated(Mutation::kNoNoop) ? commit_ : last_index();
  CheckQuorum(now);
  SendToAll(now);
}

void Core::Campaign(MonoTime now) {
  if (is_leader() || !MayStand()) return;
  StartElection(Round::kPreVote, now);
}

absl::Status Core::Transfer(NodeId target, MonoTime now) {
  if (!is_leader()) return MakeError(Errc::kNotLeader, "only the leader can hand over");
  if (target == self()) return absl::OkStatus();
  if (target == kNoNode) target = BestSuccessor();
  const std::optional<Member> member = configuration().Find(target);
  if (!member || !configuration().MayStand(target, member->incarnation)) {
    return MakeError(Errc::kInvalidRequest, "no voter to hand the leadership to");
  }
  transferee_ = target;
  timeout_now_sent_ = false;
  transfer_until_ = now + options_.timing.election;
  MaybeFinishTransfer();
  return absl::OkStatus();
}

void Core::StepDown(MonoTime now) {
  if (!is_leader()) return;
  const NodeId successor = BestSuccessor();
  if (successor != kNoNode) Send(successor, TimeoutNow{term()});
  BecomeFollower(term(), kNoNode, now);
}

// The reachable voter that lacks least of what is committed; of those that lack nothing the first
// by Turn, so that the groups of a broker that goes spread over the others.
NodeId Core::BestSuccessor() const {
  NodeId best = kNoNode;
  std::tuple<int64_t, std::pair<bool, uint64_t>> best_is;
  for (const auto& [node, peer] : progress_) {
    const std::optional<Member> member = configuration().Find(node);
    if (!member || !configuration().MayStand(node, member->incarnation)) continue;
    if (StateOf(node) != NodeState::kUp) continue;
    const int64_t lacks = commit_.value() - std::min(MatchOf(node), commit_).value();
    const std::tuple is(lacks, Turn(node));
    if (best == kNoNode || is < best_is) {
      best = node;
      best_is = is;
    }
  }
  return best;
}

void Core::NodeUp(NodeId node, MonoTime now) {
  nodes_.erase(node);
  if (is_leader()) {
    CheckQuorum(now);
    Nudge(node, now);
  } else if (role_ == Role::kFollower && leader_ == node) {
    election_at_.reset();
    pause_credited_ = false;
  }
}

void Core::NodeSuspect(NodeId node, MonoTime now) {
  nodes_[node] = NodeState::kSuspect;
  if (is_leader()) {
    CheckQuorum(now);
  } else if (role_ == Role::kFollower && leader_ == node) {
    ArmElection(options_.timing.election, options_.timing.election_jitter, now);
  }
}

void Core::NodeDown(NodeId node, MonoTime now) {
  nodes_[node] = NodeState::kDown;
  if (is_leader()) {
    CheckQuorum(now);
  } else if (leader_ == node) {
    ForgetLeader(now);
  } else if (role_ == Role::kFollower && leader_ == kNoNode && configuration().IsVoter(node)) {
    ForgetLeader(now);  // It may have led before we knew of it.
  }
}

void Core::LeaderLost(NodeId node, Term lost_term, MonoTime now) {
  if (!is_leader() && leader_ == node && term() <= lost_term) ForgetLeader(now);
}

void Core::ForgetLeader(MonoTime now) {
  leader_ = kNoNode;
  const std::optional<MonoTime> before = election_at_;
  ArmStaggered(now);
  if (before && election_at_) election_at_ = std::min(*before, *election_at_);
}

void Core::ArmElection(Duration base, Duration jitter, MonoTime now) {
  election_at_.reset();
  if (!MayStand()) return;
  election_staggered_ = false;
  election_at_ = now + base + RandomUpTo(jitter);
}

void Core::ArmStaggered(MonoTime now) {
  election_at_.reset();
  if (!MayStand()) return;
  election_staggered_ = true;
  election_at_ =
      now + Rank() * options_.timing.stagger + RandomUpTo(options_.timing.stagger_jitter);
}

// The order in which a group's voters take their turns, another one for each group.
std::pair<bool, uint64_t> Core::Turn(NodeId node) const {
  const auto bits = static_cast<uint64_t>(static_cast<uint32_t>(node.value()));
  return {node != options_.preferred, Mix64(Mix64(group().value()) ^ bits)};
}

// The place of this node among the voters that are not down: each group has an order of its own, so
// that the groups of a dead leader spread over the survivors, one candidate at a time (pitfall 33).
int64_t Core::Rank() const {
  int64_t rank = 0;
  for (NodeId voter : configuration().VoterNodes()) {
    if (StateOf(voter) != NodeState::kDown && Turn(voter) < Turn(self())) ++rank;
  }
  return rank;
}

Duration Core::RandomUpTo(Duration bound) {
  if (bound <= Duration::zero()) return Duration::zero();
  return Duration(static_cast<Duration::rep>(random_.Below(static_cast<uint64_t>(bound.count()))));
}

void Core::TickElection(MonoTime now) {
  if (!election_at_ || now < *election_at_) return;
  const Timing& timing = options_.timing;
  const bool alone = configuration().VoterNodes().size() == 1;
  // Late by that much, it was we who slept: what the leader said meanwhile may still be unread.
  if (now - *election_at_ > timing.own_pause && !pause_credited_ && !alone) {
    pause_credited_ = true;
    if (election_staggered_) return ArmStaggered(now);
    return ArmElection(timing.election, timing.election_jitter, now);
  }
  pause_credited_ = false;
  StartElection(Round::kPreVote, now);
}

}  // namespace garam::raft
