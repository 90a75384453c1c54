// Construction, the ways in and out, and what every role shares. election.cc, leading.cc and
// following.cc hold the rest of the class.
#include "raft/core.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

#include "common/mutation.h"
#include "common/status.h"

namespace garam::raft {
namespace {

// A newcomer that lacks so little of what is committed votes from now on: it will have it soon.
constexpr int64_t kCaughtUpEntries = 64;

}  // namespace

Core::Core(CoreOptions options, InitialState state, Random& random, MonoTime now)
    : options_(std::move(options)),
      random_(random),
      hard_state_(state.hard_state),
      log_(state.first_index, state.last_index, std::move(state.terms)),
      commit_(std::clamp(state.commit, state.first_index - 1, state.last_index)),
      configurations_(std::move(state.configurations)) {
  if (configurations_.empty()) configurations_.push_back({});
  if (Mutated(Mutation::kDoubtIgnored)) options_.in_doubt = false;
  // Entries are written beside the hard state, not after it: a crash may keep an entry of a term
  // and lose the term. Nothing was promised in that term, for promises wait for both.
  if (log_.last_term() > term()) SetHardState({log_.last_term(), kNoNode, Incarnation(0)});
  commit_told_ = commit_;
  role_told_ = CurrentRole();
  const std::vector<NodeId> voters = configuration().VoterNodes();
  if (voters.size() == 1 && voters[0] == self() && MayStand()) {
    election_at_ = now;  // Nobody to wait for.
  } else {
    ArmElection(options_.timing.election, options_.timing.election_jitter, now);
  }
}

void Core::Step(NodeId from, Message message, MonoTime now) {
  if (from == self()) return;
  if (auto* request = std::get_if<VoteRequest>(&message)) {
    StepVoteRequest(from, *request, now);
  } else if (auto* vote = std::get_if<VoteReply>(&message)) {
    StepVoteReply(from, *vote, now);
  } else if (auto* append = std::get_if<Append>(&message)) {
    StepAppend(from, std::move(*append), now);
  } else if (auto* reply = std::get_if<AppendReply>(&message)) {
    StepAppendReply(from, *reply, now);
  } else if (auto* timeout_now = std::get_if<TimeoutNow>(&message)) {
    StepTimeoutNow(from, *timeout_now, now);
  }
}

void Core::Tick(MonoTime now) {
  if (is_leader()) {
    TickLeader(now);
  } else {
    TickElection(now);
  }
}

std::optional<MonoTime> Core::NextDeadline() const {
  return is_leader() ? LeaderDeadline() : election_at_;
}

bool Core::has_ready() const {
  return hard_state_pending_ || log_.has_write() || !messages_.empty() || !reads_.empty() ||
         commit_ != commit_told_ || !(CurrentRole() == role_told_) || copy_from_.has_value() ||
         confirmed_round_ != round_told_;
}

Ready Core::TakeReady() {
  Ready ready;
  ready.seq = ++last_seq_;
  if (hard_state_pending_) {
    hard_state_pending_ = false;
    ready.hard_state = hard_state_;
    hard_states_in_flight_.emplace_back(ready.seq, hard_state_version_);
  }
  if (log_.has_write()) log_.TakeWrite(ready.seq, &ready.truncate_from, &ready.entries);
  ready.messages = std::exchange(messages_, {});
  ready.reads = std::exchange(reads_, {});
  ready.copy_from = std::exchange(copy_from_, std::nullopt);
  if (confirmed_round_ != round_told_) {
    ready.confirmed_round = confirmed_round_;
    round_told_ = confirmed_round_;
  }
  if (commit_ != commit_told_) {
    ready.commit = commit_;
    commit_told_ = commit_;
  }
  if (!(CurrentRole() == role_told_)) {
    role_told_ = CurrentRole();
    ready.role = role_told_;
  }
  return ready;
}

void Core::OnHardStateDurable(uint64_t seq, MonoTime now) {
  while (!hard_states_in_flight_.empty() && hard_states_in_flight_.front().first <= seq) {
    durable_version_ = std::max(durable_version_, hard_states_in_flight_.front().second);
    hard_states_in_flight_.pop_front();
  }
  while (!held_.empty() && held_.front().hard_state_version <= durable_version_) {
    messages_.push_back(std::move(held_.front().outgoing));
    held_.pop_front();
  }
  if (role_ == Role::kCandidate) CountVotes(now);
}

void Core::OnWritten(uint64_t seq, MonoTime now) {
  if (log_.OnWritten(seq)) AfterLogMoved(now);
}

void Core::OnDurable(uint64_t seq, MonoTime now) {
  if (log_.OnDurable(seq)) AfterLogMoved(now);
}

void Core::AfterLogMoved(MonoTime now) {
  if (is_leader()) {
    MaybeCommit(now);
  } else {
    MaybeEndDoubt();
    Acknowledge(/*always=*/false);
  }
}

void Core::SetStage(Stage stage, MonoTime now) {
  options_.stage = stage;
  AfterLogMoved(now);
}

void Core::SetStanding(Standing standing, MonoTime now) {
  options_.standing = standing;
  if (standing == Standing::kNone) StepDown(now);
  if (!MayStand()) {
    if (role_ == Role::kPreCandidate || role_ == Role::kCandidate) role_ = Role::kFollower;
    if (!is_leader()) election_at_.reset();
  } else if (role_ == Role::kFollower && !election_at_ &&
             (leader_ == kNoNode || StateOf(leader_) != NodeState::kUp)) {
    ArmElection(options_.timing.election, options_.timing.election_jitter, now);
  }
}

void Core::TrimTail(size_t bytes_max) { log_.TrimTail(bytes_max, commit_); }

void Core::DropPrefix(LogIndex first_index) { log_.DropPrefix(std::min(first_index, commit_ + 1)); }

NodeState Core::StateOf(NodeId node) const {
  auto found = nodes_.find(node);
  return found == nodes_.end() ? NodeState::kUp : found->second;
}

bool Core::IsCaughtUp(NodeId node) const {
  const LogIndex match = MatchOf(node);
  return match >= configuration_index() && match + kCaughtUpEntries >= commit_;
}

LogIndex Core::KnownCommit(NodeId node) const {
  if (node == self()) return commit_;
  const auto found = progress_.find(node);
  return found == progress_.end() ? LogIndex(0) : found->second.commit;
}

LogIndex Core::MatchOf(NodeId node) const {
  const bool durable = options_.stage == Stage::kDurable;
  if (node == self() && Mutated(Mutation::kLeaderCountsEarly)) return last_index();
  if (node == self()) return durable ? log_.durable_index() : log_.written_index();
  auto found = progress_.find(node);
  if (found == progress_.end()) return LogIndex(0);
  return durable ? found->second.durable : found->second.written;
}

// Whether this node and the voters that are at worst `worst` make a quorum.
bool Core::QuorumAmong(NodeState worst) const {
  std::set<NodeId> reachable{self()};
  for (NodeId voter : configuration().VoterNodes()) {
    if (StateOf(voter) <= worst) reachable.insert(voter);
  }
  return configuration().Count(reachable, {}) == VoteResult::kWon;
}

void Core::Send(NodeId to, Message message) {
  if (auto* vote = std::get_if<VoteReply>(&message)) vote->from = options_.incarnation;
  if (auto* reply = std::get_if<AppendReply>(&message)) reply->life = options_.life;
  // Notes 3.5: no message of a term leaves before the term is durable, requests included.
  const bool early = (Mutated(Mutation::kVoteReplyEarly) && std::get_if<VoteReply>(&message)) ||
                     (Mutated(Mutation::kVoteRequestEarly) && std::get_if<VoteRequest>(&message));
  if (durable_version_ < hard_state_version_ && !early) {
    held_.push_back({hard_state_version_, {to, std::move(message)}});
  } else {
    messages_.push_back({to, std::move(message)});
  }
}

void Core::SetHardState(HardState state) {
  if (state == hard_state_) return;
  hard_state_ = state;
  if (Mutated(Mutation::kVoteNotStored)) return;
  ++hard_state_version_;
  hard_state_pending_ = true;
}

void Core::MoveCommit(LogIndex to, MonoTime now) {
  if (to <= commit_) return;
  assert(to <= last_index());
  for (LogIndex index = commit_ + 1; is_leader() && index <= to; ++index) {
    if (tail().Has(index)) uncommitted_bytes_ -= tail().At(index).bytes.size();
  }
  commit_ = to;
  commit_moved_at_ = now;
  while (configurations_.size() > 1 && configurations_[1].index <= commit_) {
    configurations_.erase(configurations_.begin());
  }
  // Thesis 4.2.2: a leader that is no member of the new configuration leads until it is committed.
  if (is_leader() && configuration_index() <= commit_ && !configuration().IsVoter(self())) {
    StepDown(now);
  }
}

void Core::AppendToLog(LogEntry entry) {
  if (entry.kind == EntryKind::kConfiguration) {
    // In force from the moment it is in the log (thesis 4.1). Callers checked that it decodes.
    absl::StatusOr<Configuration> decoded = Configuration::Decode(entry.bytes.view());
    if (decoded.ok()) configurations_.push_back({entry.index, *std::move(decoded)});
  }
  log_.Append(std::move(entry));
}

void Core::TruncateLog(LogIndex from) {
  assert(from > commit_);
  log_.TruncateFrom(from);
  while (configurations_.size() > 1 && configurations_.back().index >= from) {
    configurations_.pop_back();  // Pitfall 12.
  }
}

}  // namespace garam::raft
