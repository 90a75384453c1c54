// What a follower does with appends: Raft thesis 3.5, with acknowledgements by stage (D3).
#include <algorithm>
#include <cassert>
#include <utility>

#include "common/mutation.h"
#include "raft/core.h"

namespace garam::raft {

void Core::StepAppend(NodeId from, Append message, MonoTime now) {
  if (message.to != Incarnation(0) && message.to != options_.incarnation) return;
  if (message.term < term()) {
    // Answered, so that a leader of the past learns of the present (pitfall 31).
    AppendReply reply;
    reply.term = term();
    reply.session = message.session;
    reply.rejected = true;
    reply.prev_index = message.prev_index;
    return Send(from, reply);
  }
  if (!IsSound(message)) return;
  heard_round_ = message.round;
  if (message.term == term() && leader_ != kNoNode && leader_ != from) return;
  if (message.term > term() || role_ != Role::kFollower) {
    BecomeFollower(message.term, from, now);
  } else {
    leader_ = from;
    HeardLeader(now);
  }
  if (message.session < session_) return;  // Sent before the leader started over with us.
  if (message.session > session_) {
    session_ = message.session;
    replied_written_ = replied_durable_ = LogIndex(0);
  }
  // Where its log ended when it learned of this life: an earlier end may lack what was
  // acknowledged.
  const bool knows_us = message.life == options_.life;
  if (in_doubt() && !doubt_until_ && knows_us) doubt_until_ = message.leader_last;
  if (!AgreesAt(message.prev_index, message.prev_term)) return Reject(from, message);
  const LogIndex last = message.prev_index + static_cast<int64_t>(message.entries.size());
  const bool took = TakeEntries(message);
  // Pitfall 5.
  const LogIndex commit =
      std::min(message.commit, Mutated(Mutation::kCommitBeyondMessage) ? last_index() : last);
  // Pitfall 4: what this leader has shown to agree, never simply what we have.
  verified_ = std::max(verified_, Mutated(Mutation::kAckOwnLast) ? last_index() : last);
  MoveCommit(commit, now);
  compact_before_ = std::max(compact_before_, message.compact_before);
  MaybeEndDoubt();
  // New entries are answered when they are written or durable; anything else at once.
  Acknowledge(/*always=*/!took);
}

void Core::HeardLeader(MonoTime now) {
  pause_credited_ = false;
  if (StateOf(leader_) == NodeState::kUp) {
    election_at_.reset();
  } else {
    ArmElection(options_.timing.election, options_.timing.election_jitter, now);
  }
}

bool Core::IsSound(const Append& message) const {
  Term before = message.prev_term;
  LogIndex expected = message.prev_index + 1;
  for (const LogEntry& entry : message.entries) {
    if (entry.index != expected || entry.term < before || entry.term > message.term) return false;
    if (entry.kind == EntryKind::kConfiguration &&
        !Configuration::Decode(entry.bytes.view()).ok()) {
      return false;
    }
    before = entry.term;
    ++expected;
  }
  return message.prev_index >= LogIndex(0);
}

// What is committed agrees with every leader that can be, whether we still have it or not.
bool Core::AgreesAt(LogIndex prev_index, Term prev_term) const {
  return prev_index <= commit_ || log_.TermAt(prev_index) == prev_term;
}

// Appends what the log lacks; says whether there was any.
bool Core::TakeEntries(Append& message) {
  bool took = false;
  if (Mutated(Mutation::kBlindTruncate)) log_.TruncateFrom(message.prev_index + 1);
  for (LogEntry& entry : message.entries) {
    if (entry.index <= commit_) continue;
    if (entry.index <= last_index()) {
      if (log_.TermAt(entry.index) == entry.term) continue;
      TruncateLog(entry.index);  // Pitfall 7: at the first real conflict only.
    }
    AppendToLog(std::move(entry));
    took = true;
  }
  return took;
}

void Core::Reject(NodeId to, const Append& message) {
  AppendReply reply;
  reply.term = term();
  reply.session = session_;
  reply.rejected = true;
  reply.commit = commit_;
  reply.prev_index = message.prev_index;
  reply.hint_index = std::max(commit_, log_.LastAtOrBelow(message.prev_index, message.prev_term));
  reply.hint_term = log_.terms().TermAt(reply.hint_index);
  reply.from = options_.incarnation;
  reply.round = heard_round_;
  if (TooFarBehind(message, reply.hint_index)) copy_from_ = to;
  Send(to, reply);
}

// Whether the leader has nothing that could follow what we have, `hint` at most. That we do not
// even agree on what is before its first entry says so too.
bool Core::TooFarBehind(const Append& message, LogIndex hint) {
  return hint < message.leader_first - 1 || message.prev_index < message.leader_first;
}

bool Core::NeedsInstall(LogIndex last, Term last_term) const {
  if (role_ != Role::kFollower || last <= commit_) return false;
  return last > last_index() || log_.TermAt(last) != last_term;
}

void Core::Install(InitialState state, MonoTime now) {
  assert(NeedsInstall(state.last_index, state.terms.TermAt(state.last_index)));
  log_ = RaftLog(state.first_index, state.last_index, std::move(state.terms));
  if (!state.configurations.empty()) {
    const bool newer = state.configurations.back().index > configurations_.back().index;
    if (newer || !Mutated(Mutation::kMembersOutliveLog)) {
      configurations_ = std::move(state.configurations);
    }
  } else {
    configurations_.resize(1);
  }
  if (log_.last_term() > term()) BecomeFollower(log_.last_term(), kNoNode, now);
  copy_from_.reset();
  verified_ = last_index();  // It is committed: every leader to come has it.
  MoveCommit(last_index(), now);
  MaybeEndDoubt();
  Acknowledge(/*always=*/true);
}

// What we acknowledged before the power went was in the leader's log when it found us again.
void Core::MaybeEndDoubt() {
  if (!doubt_until_) return;
  const bool durable = options_.stage == Stage::kDurable;
  const LogIndex has = std::min(durable ? log_.durable_index() : log_.written_index(), verified_);
  if (has < *doubt_until_) return;
  options_.in_doubt = false;
  doubt_until_.reset();
}

void Core::Acknowledge(bool always) {
  if (role_ != Role::kFollower || leader_ == kNoNode || session_ == 0) return;
  LogIndex written = std::min(log_.written_index(), verified_);
  LogIndex durable = std::min(log_.durable_index(), verified_);
  if (Mutated(Mutation::kAckBeforeWritten) || (always && Mutated(Mutation::kEmptyAppendAcks))) {
    written = durable = verified_;
  }
  // Where durable counts here, nothing keeps what is only written from being lost unnoticed: a
  // leader whose stage is another, for the topic has just been altered, must not count it.
  if (options_.stage == Stage::kDurable) written = durable;
  const bool stage_moved = options_.stage == Stage::kWritten && written > replied_written_;
  if (!always && !stage_moved && durable <= replied_durable_) return;
  replied_written_ = written;
  replied_durable_ = durable;
  AppendReply reply;
  reply.term = term();
  reply.session = session_;
  reply.written = written;
  reply.durable = durable;
  reply.commit = commit_;
  reply.from = options_.incarnation;
  reply.round = heard_round_;
  Send(leader_, reply);
}

}  // namespace garam::raft
