// What a leader does: proposals, replication, commit, check-quorum. Raft thesis 3.5, 3.6, 6.2.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutation.h"
#include "common/status.h"
#include "raft/core.h"

namespace garam::raft {
namespace {

// What an entry weighs in the window beside its payload.
constexpr size_t kEntryOverhead = 64;

size_t PayloadBytes(const std::vector<LogEntry>& entries) {
  size_t bytes = 0;
  for (const LogEntry& entry : entries) bytes += entry.bytes.size();
  return bytes;
}

}  // namespace

absl::StatusOr<LogIndex> Core::Propose(Term expected_term, std::vector<LogEntry> entries,
                                       MonoTime now) {
  if (!is_leader() || expected_term != term()) {
    return MakeError(Errc::kNotLeader, absl::StrCat("does not lead term ", expected_term.value()));
  }
  if (transferring()) return MakeError(Errc::kNotLeader, "leadership is being handed over");
  if (entries.empty()) return MakeError(Errc::kInvalidRequest, "nothing proposed");
  const size_t bytes = PayloadBytes(entries);
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + bytes > options_.uncommitted_bytes_max) {
    return MakeError(Errc::kThrottled, "too much waits for a quorum");
  }
  bool new_members = false;
  for (const LogEntry& entry : entries) {
    if (entry.kind != EntryKind::kConfiguration) continue;
    // Pitfall 11: one at a time, and none before our own term has committed something.
    if (new_members || !confirmed() || configuration_index() > commit_) {
      return MakeError(Errc::kInvalidRequest, "another membership change is not committed yet");
    }
    RETURN_IF_ERROR(Configuration::Decode(entry.bytes.view()).status());
    new_members = true;
  }
  const LogIndex first = last_index() + 1;
  uncommitted_bytes_ += bytes;
  for (LogEntry& entry : entries) {
    entry.index = last_index() + 1;
    entry.term = term();
    AppendToLog(std::move(entry));
  }
  if (new_members) {
    RebuildProgress(now);
    CheckQuorum(now);
  }
  SendToAll(now);
  return first;
}

void Core::RebuildProgress(MonoTime now) {
  const std::vector<NodeId> nodes = configuration().Nodes();
  std::erase_if(progress_, [&](const auto& peer) {
    return !std::binary_search(nodes.begin(), nodes.end(), peer.first) ||
           peer.second.member != configuration().LatestOf(peer.first);
  });
  for (NodeId node : nodes) {
    if (node == self() || progress_.contains(node)) continue;
    Progress peer;
    peer.member = configuration().LatestOf(node);
    peer.session = Mutated(Mutation::kOldConversation) ? 1 : ++last_session_;
    peer.next = last_index() + 1;
    peer.last_ack = now;
    progress_.emplace(node, std::move(peer));
  }
}

void Core::SendToAll(MonoTime now) {
  for (auto& [node, peer] : progress_) MaybeSend(node, peer, now);
}

void Core::MaybeSend(NodeId node, Progress& peer, MonoTime now) {
  if (peer.reading || StateOf(node) == NodeState::kDown) return;
  if (peer.state == PeerState::kTooFarBehind) return;
  if (peer.next < first_index()) {
    LeaveBehind(peer, now);
    return SendEmpty(node, peer, now);
  }
  if (peer.state == PeerState::kProbe && peer.awaiting) return;
  if (peer.state == PeerState::kProbe && (peer.rejected || peer.next > last_index())) {
    return SendEmpty(node, peer, now);
  }
  // With one entry at a time the bug shows in less than a day.
  const bool slowly = Mutated(Mutation::kCommitOldTerm);
  const size_t bytes_max = slowly ? 1 : options_.append_bytes_max;
  const size_t inflight_max = slowly ? 1 : options_.inflight_bytes_max;
  while (peer.next <= last_index() && peer.inflight_bytes < inflight_max) {
    if (!tail().Has(peer.next)) {
      peer.reading = peer.next;
      reads_.push_back({node, peer.next, bytes_max});
      return;
    }
    SendEntries(node, peer, tail().Copy(peer.next, bytes_max), now);
    if (peer.state == PeerState::kProbe) return;
  }
}

void Core::SendEntries(NodeId node, Progress& peer, std::vector<LogEntry> entries, MonoTime now) {
  const LogIndex prev = peer.next - 1;
  const std::optional<Term> prev_term = log_.TermAt(prev);
  if (!prev_term) {  // Pitfall 27: below our log start.
    peer.state = PeerState::kTooFarBehind;
    return;
  }
  const LogIndex last = prev + static_cast<int64_t>(entries.size());
  if (!entries.empty()) {
    const size_t bytes = PayloadBytes(entries) + entries.size() * kEntryOverhead;
    peer.inflight.push_back({last, bytes});
    peer.inflight_bytes += bytes;
  }
  Send(node, Append{term(), peer.session, prev, *prev_term, commit_, std::move(entries),
                    last_index(), configuration().LatestOf(node), first_index(), last_round_,
                    peer.life, compact_before_});
  peer.next = last + 1;
  peer.told_commit = std::max(peer.told_commit, std::min(commit_, last));
  peer.told_compact = compact_before_;
  if (peer.state == PeerState::kProbe) {
    peer.probe_prev = prev;
    peer.awaiting = true;
  }
  if (!peer.retry_at) peer.retry_at = now + options_.timing.append_retry;
}

void Core::SendEmpty(NodeId node, Progress& peer, MonoTime now) {
  peer.next = std::max(peer.next, first_index());
  SendEntries(node, peer, {}, now);
}

void Core::StepAppendReply(NodeId from, const AppendReply& reply, MonoTime now) {
  if (reply.term > term()) return BecomeFollower(reply.term, kNoNode, now);
  if (!is_leader() || reply.term < term()) return;
  auto found = progress_.find(from);
  if (found == progress_.end() || reply.session != found->second.session) return;
  // What a replica said that was on this node before does not count for the one that is.
  if (reply.from != Incarnation(0) && reply.from != configuration().LatestOf(from)) return;
  Progress& peer = found->second;
  peer.last_ack = now;
  if (reply.life != peer.life) {
    peer.life = reply.life;
    return PeerReset(from, now);
  }
  peer.round = std::max(peer.round, reply.round);
  MaybeConfirmRound();
  if (Mutated(Mutation::kMatchGoesBack)) peer.written = peer.durable = LogIndex(0);
  if (reply.rejected) return HandleReject(from, peer, reply, now);
  // Pitfall 10: a late answer may say less than an earlier one; a match only grows.
  peer.written = std::max(peer.written, std::min(reply.written, last_index()));
  peer.durable = std::max(peer.durable, std::min(reply.durable, peer.written));
  peer.commit = std::max(peer.commit, std::min(reply.commit, commit_));
  peer.next = std::max(peer.next, peer.written + 1);
  peer.FreeInflight(peer.written);
  peer.state = PeerState::kReplicate;
  peer.rejected = peer.awaiting = false;
  MaybeCommit(now);
  if (!is_leader()) return;  // The commit was of a configuration without us.
  MaybeSend(from, peer, now);
  peer.retry_at.reset();
  if (Outstanding(from, peer)) peer.retry_at = now + options_.timing.append_retry;
  MaybeFinishTransfer();
}

void Core::HandleReject(NodeId from, Progress& peer, const AppendReply& reply, MonoTime now) {
  const bool stale = peer.state == PeerState::kReplicate
                         ? reply.prev_index <= peer.written
                         : !peer.awaiting || reply.prev_index != peer.probe_prev;
  if (stale) return;
  if (reply.prev_index <= peer.written) {
    // It lost what it acknowledged, and nobody told us of another process: no use in haste.
    return Hold(peer, options_.timing.append_retry, now);
  }
  // Pitfall 36: both sides jump over whole terms.
  const LogIndex agree_at_most = log_.LastAtOrBelow(reply.hint_index, reply.hint_term);
  if (reply.hint_index < first_index() - 1 || reply.prev_index < first_index()) {
    return LeaveBehind(peer, now);
  }
  peer.next = std::max(std::min(reply.prev_index, agree_at_most + 1), peer.written + 1);
  peer.ClearInflight();
  peer.told_commit = peer.commit;
  peer.state = PeerState::kProbe;
  peer.rejected = true;
  peer.awaiting = false;
  peer.reading.reset();
  peer.retry_at.reset();
  MaybeSend(from, peer, now);
}

// D15: it was told where our log begins, and gets what is before that elsewhere. Asked now and then
// whether it has it.
void Core::LeaveBehind(Progress& peer, MonoTime now) {
  peer.next = first_index();
  peer.ClearInflight();
  peer.told_commit = peer.commit;
  peer.state = PeerState::kTooFarBehind;
  peer.reading.reset();
  peer.awaiting = true;
  peer.probe_prev = peer.next - 1;
  peer.retry_at = now + options_.timing.append_retry;
}

absl::StatusOr<uint64_t> Core::AskStillLeader(MonoTime now) {
  if (!confirmed()) return MakeError(Errc::kNotLeader, "does not lead, or not for sure yet");
  const uint64_t round = ++last_round_;
  for (auto& [node, peer] : progress_) {
    if (StateOf(node) != NodeState::kDown) SendEmpty(node, peer, now);
  }
  MaybeConfirmRound();
  return round;
}

// Raft thesis 6.4: an answer to an append of this term says that nobody newer led when it was sent.
void Core::MaybeConfirmRound() {
  if (confirmed_round_ == last_round_) return;
  const LogIndex heard = configuration().QuorumIndex([this](NodeId node) {
    auto found = progress_.find(node);
    const uint64_t round = found != progress_.end() ? found->second.round
                           : node == self()         ? last_round_
                                                    : 0;
    return LogIndex(static_cast<int64_t>(round));
  });
  confirmed_round_ = std::max(confirmed_round_, static_cast<uint64_t>(heard.value()));
}

// The peer may not know of us, or we not of what it has: one empty append tells both.
void Core::Nudge(NodeId node, MonoTime now) {
  auto found = progress_.find(node);
  if (found == progress_.end() || StateOf(node) == NodeState::kDown) return;
  Progress& peer = found->second;
  if (peer.state == PeerState::kProbe && peer.awaiting) peer.rejected = true;
  if (peer.reading) return;
  peer.retry_at = now + options_.timing.append_retry;
  SendEmpty(node, peer, now);
}

void Core::PeerReset(NodeId node, MonoTime now) {
  auto found = progress_.find(node);
  if (found == progress_.end()) return;
  Progress fresh;
  fresh.member = found->second.member;
  fresh.life = found->second.life;
  fresh.session = ++last_session_;
  fresh.next = last_index() + 1;
  fresh.rejected = true;  // It probably has most of it: ask before sending anything.
  fresh.last_ack = found->second.last_ack;
  found->second = std::move(fresh);
  MaybeSend(node, found->second, now);
}

void Core::SendFailed(NodeId node, MonoTime now) {
  auto found = progress_.find(node);
  if (found != progress_.end()) Hold(found->second, options_.timing.send_retry, now);
}

// Asks again, with an empty append, after `wait` and not before.
void Core::Hold(Progress& peer, Duration wait, MonoTime now) {
  if (peer.state == PeerState::kTooFarBehind) return;
  peer.state = PeerState::kProbe;
  peer.ClearInflight();
  peer.told_commit = peer.commit;
  peer.probe_prev = peer.next - 1;
  peer.rejected = peer.awaiting = true;
  peer.retry_at = now + wait;
}

void Core::OnEntriesRead(NodeId node, LogIndex from, absl::StatusOr<std::vector<LogEntry>> entries,
                         MonoTime now) {
  auto found = progress_.find(node);
  if (found == progress_.end()) return;
  Progress& peer = found->second;
  if (peer.reading != from) return;
  peer.reading.reset();
  // The follower had them, or has copied them meanwhile: what it lacks is behind them.
  if (peer.next != from) return MaybeSend(node, peer, now);
  // What was read may be older than a truncation before we led: it must be what our log says.
  bool sound = entries.ok() && !entries->empty();
  for (size_t i = 0; sound && i < entries->size(); ++i) {
    const LogEntry& entry = (*entries)[i];
    sound = entry.index == from + static_cast<int64_t>(i) && log_.TermAt(entry.index) == entry.term;
  }
  if (!sound) return Hold(peer, options_.timing.append_retry, now);
  if (StateOf(node) == NodeState::kDown || (peer.state == PeerState::kProbe && peer.awaiting)) {
    return;
  }
  SendEntries(node, peer, *std::move(entries), now);
  MaybeSend(node, peer, now);
}

void Core::MaybeCommit(MonoTime now) {
  const LogIndex index = configuration().QuorumIndex([this](NodeId node) { return MatchOf(node); });
  // Raft 3.6.2: only an entry of our own term commits by counting replicas.
  const bool own_term = log_.TermAt(index) == term() || Mutated(Mutation::kCommitOldTerm);
  if (index > commit_ && own_term) MoveCommit(index, now);
}

void Core::MaybeFinishTransfer() {
  auto found = progress_.find(transferee_);
  if (found == progress_.end() || timeout_now_sent_) return;
  if (found->second.written < last_index()) return;
  timeout_now_sent_ = true;
  Send(transferee_, TimeoutNow{term()});
}

// Pitfalls 31 and 32: a leader that cannot reach a quorum of nodes makes room.
void Core::CheckQuorum(MonoTime now) {
  if (QuorumAmong(NodeState::kUp) || Mutated(Mutation::kNoCheckQuorum)) {
    quorum_lost_at_.reset();
    pause_credited_ = false;
  } else if (!quorum_lost_at_) {
    quorum_lost_at_ = now + options_.timing.election;
  }
}

// Whether something is to come back from the peer, so that its silence means something.
bool Core::Outstanding(NodeId node, const Progress& peer) const {
  if (StateOf(node) != NodeState::kUp) return false;
  return peer.state != PeerState::kReplicate || peer.round < last_round_ ||
         MatchOf(node) < last_index() || peer.commit < commit_;
}

bool Core::NeedsCommitNotice(NodeId node, const Progress& peer) const {
  if (Mutated(Mutation::kSleepUntold)) return false;
  return peer.state == PeerState::kReplicate && StateOf(node) == NodeState::kUp &&
         (peer.told_commit < std::min(commit_, peer.next - 1) ||
          peer.told_compact < compact_before_);
}

void Core::RaiseCompactBefore(LogIndex before, MonoTime now) {
  if (!is_leader() || before <= compact_before_) return;
  compact_before_ = before;
  commit_moved_at_ = std::max(commit_moved_at_, now);  // There may be more to say soon.
}

std::optional<MonoTime> Core::LeaderDeadline() const {
  std::optional<MonoTime> deadline = quorum_lost_at_;
  auto consider = [&deadline](MonoTime at) { deadline = deadline ? std::min(*deadline, at) : at; };
  if (transfer_until_) consider(*transfer_until_);
  for (const auto& [node, peer] : progress_) {
    if (NeedsCommitNotice(node, peer)) consider(commit_moved_at_ + options_.timing.commit_notice);
    if (peer.retry_at && Outstanding(node, peer)) consider(*peer.retry_at);
  }
  return deadline;
}

void Core::TickLeader(MonoTime now) {
  const Timing& timing = options_.timing;
  if (quorum_lost_at_ && now >= *quorum_lost_at_) {
    if (now - *quorum_lost_at_ <= timing.own_pause || pause_credited_) {
      pause_credited_ = false;
      return BecomeFollower(term(), kNoNode, now);
    }
    pause_credited_ = true;
    quorum_lost_at_ = now + timing.election;
  }
  if (transfer_until_ && now >= *transfer_until_) {
    transferee_ = kNoNode;
    transfer_until_.reset();
  }
  for (auto& [node, peer] : progress_) {
    if (NeedsCommitNotice(node, peer) && now >= commit_moved_at_ + timing.commit_notice) {
      SendEmpty(node, peer, now);
    }
    if (!peer.retry_at || now < *peer.retry_at || !Outstanding(node, peer)) continue;
    peer.retry_at = now + timing.append_retry;
    peer.awaiting = false;
    if (peer.state == PeerState::kProbe) {
      peer.rejected = true;
      MaybeSend(node, peer, now);
    } else if (!peer.reading) {
      SendEmpty(node, peer, now);  // Pitfall 37: also when the window is full.
    }
  }
}

}  // namespace garam::raft
