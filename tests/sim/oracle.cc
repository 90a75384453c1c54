#include "tests/sim/oracle.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/crc32c.h"
#include "common/expire_producers.h"
#include "common/log_start.h"
#include "common/record_batch.h"
#include "common/record_cursor.h"
#include "storage/frame.h"
#include "storage/hard_state_store.h"
#include "tests/sim/sim_executor.h"

namespace garam::sim {

uint64_t ValueIn(std::string_view batch) {
  // The producers write "value=<number>#" before whatever else they write.
  constexpr std::string_view kMark = "value=";
  const std::string_view records = RecordBatchView(batch.data()).records();
  const size_t mark = records.find(kMark);
  if (mark == std::string_view::npos) return 0;
  return std::strtoull(std::string(records.substr(mark + kMark.size(), 20)).c_str(), nullptr, 10);
}

std::vector<KeyChange> KeyChangesIn(std::string_view batch) {
  std::vector<KeyChange> changes;
  const RecordBatchView header(batch.data());
  RecordCursor cursor(header.records());
  RecordFields fields;
  for (int32_t i = 0; i < header.record_count() && cursor.Next(fields); ++i) {
    if (!fields.has_key) continue;
    changes.push_back({std::string(fields.key), header.base_offset() + fields.offset_delta,
                       !fields.value.has_value()});
  }
  return changes;
}

namespace {

constexpr int64_t kAroundSegment = storage::kHeaderBytes + storage::kFooterBytes;

}  // namespace

Oracle::Entry Oracle::Describe(const LogEntry& entry) const {
  Entry described;
  described.term = entry.term;
  described.kind = entry.kind;
  described.hash = Crc32c(entry.bytes.view());
  if (entry.kind == EntryKind::kBatch) {
    const RecordBatchView batch(entry.bytes.data());
    described.base_offset = batch.base_offset();
    described.next_offset = batch.next_offset();
    described.value = ValueIn(entry.bytes.view());
    described.producer_id = batch.producer_id();
    described.base_sequence = batch.base_sequence();
    described.record_count = batch.record_count();
    if (options_.compacted) described.changes = KeyChangesIn(entry.bytes.view());
    described.max_timestamp_ms = batch.max_timestamp_ms();
    described.bytes = static_cast<int64_t>(batch.size_bytes());
    return described;
  }
  described.bytes = static_cast<int64_t>(storage::kPrivateFrameBytes + entry.bytes.size());
  if (entry.kind == EntryKind::kRoll) described.bytes += kAroundSegment;
  if (entry.kind == EntryKind::kSetLogStart) {
    described.start = DecodeLogStart(entry.bytes.view()).value_or(Offset(0));
  } else if (entry.kind == EntryKind::kExpireProducers) {
    described.before = DecodeExpireProducers(entry.bytes.view()).value_or(LogIndex(0));
  }
  return described;
}

void Oracle::Fail(NodeId node, GroupId group, const std::string& what) {
  world_.Fail(absl::StrCat("node ", node.value(), ", group ", group.value(), ": ", what));
}

// Most turns change nothing of most replicas. A log with the same end has not changed below it.
bool Oracle::IsAsSeen(const raft::Core& core, const View& view) {
  return !view.fresh && view.member_id == core.incarnation() && view.term == core.term() &&
         view.role == core.role() && view.commit == core.commit_index() &&
         view.durable == core.durable_index() && view.written == core.written_index() &&
         view.last() == core.last_index() &&
         (view.terms.empty() || view.terms.back() == core.terms().TermAt(view.last())) &&
         view.configuration == core.configuration();
}

void Oracle::Check(NodeId node, const Replica& replica) {
  const raft::Core& core = replica.core();
  const GroupId group = replica.group();
  if (deleted_.contains(group)) return;
  View& view = views_[{node, group}];
  if (core.is_leader()) CheckMatches(node, group, core, view);
  if (options_.compacted) CheckCompaction(node, replica, view);
  if (IsAsSeen(core, view)) return;
  if (view.member_id != core.incarnation() && view.member_id != Incarnation(0)) OnLeft(node, group);
  view.member_id = core.incarnation();
  if (view.fresh) CheckRestart(node, group, core, view);
  if (core.commit_index() > core.last_index() || core.durable_index() > core.written_index() ||
      core.written_index() > core.last_index()) {
    Fail(node, group, "commit, durable, written and last index are out of order");
  }
  if (core.term() < view.term) Fail(node, group, "the term has gone back");
  view.term = core.term();
  CheckLog(node, group, core, view);
  view.durable = core.durable_index();
  view.written = core.written_index();
  CheckCommit(node, group, core, view);
  for (LogIndex index : std::exchange(asked_, {})) CheckAsked(node, group, core, index);
  if (group != kMetadataGroup && replica.log().start_offset() > truth_[group].asked) {
    Fail(node, group,
         absl::StrCat("the log begins at ", replica.log().start_offset().value(),
                      ", which is not committed"));
  }
  CheckInForce(node, group, core);
  CheckRole(node, group, core, view);
  if (!(view.configuration == core.configuration())) view.configuration = core.configuration();
}

// D14: below what a leader has given out, and what is committed, but nothing else.
void Oracle::CheckCompaction(NodeId node, const Replica& replica, const View& view) {
  const raft::Core& core = replica.core();
  LogIndex& bound = truth_[replica.group()].compact_before;
  // It may have led, and said so, in this turn only.
  if (core.is_leader() || view.role == raft::Role::kLeader)
    bound = std::max(bound, core.compact_before());
  const LogIndex whole_from = replica.log().whole_from();
  if (whole_from <= std::max(bound, LogIndex(1)) || replica.group() == kMetadataGroup) return;
  Fail(node, replica.group(),
       absl::StrCat("is compacted up to ", whole_from.value(), ", its leaders said ",
                    bound.value()));
}

void Oracle::CheckLive(NodeId node, GroupId group, const std::map<std::string, Offset>& live) {
  std::map<std::string, Offset> expected;
  for (const Entry& entry : truth_[group].committed) {
    for (const KeyChange& change : entry.changes) change.ApplyTo(expected);
  }
  if (live == expected) return;
  std::string what;
  for (const auto& [key, offset] : expected) {
    const auto found = live.find(key);
    if (found != live.end() && found->second == offset) continue;
    absl::StrAppend(&what, " ", key, " at ", found == live.end() ? -1 : found->second.value(),
                    " not ", offset.value());
  }
  for (const auto& [key, offset] : live) {
    if (!expected.contains(key)) absl::StrAppend(&what, " ", key, " is back at ", offset.value());
  }
  Fail(node, group, absl::StrCat("the last values differ:", what));
}

// What a log no longer has is committed; it may have been only in this turn.
Term Oracle::TermOf(const raft::Core& core, const Truth& truth, const View& view, LogIndex index) {
  if (index >= core.first_index() - 1) return core.terms().TermAt(index);
  const auto at = static_cast<size_t>(index.value() - 1);
  if (at < truth.committed.size()) return truth.committed[at].term;
  return at < view.terms.size() ? view.terms[at] : Term(0);
}

void Oracle::CheckStart(GroupId group, Offset start) {
  const Truth& truth = truth_[group];
  if (start >= truth.starts && start <= truth.may_start) return;
  world_.Fail(absl::StrCat("group ", group.value(), ": the log begins at ", start.value(),
                           ", it should between ", truth.starts.value(), " and ",
                           truth.may_start.value()));
}

// A node comes back with what it had promised.
void Oracle::CheckRestart(NodeId node, GroupId group, const raft::Core& core, View& view) {
  if (rotten_.contains({node, group}) && core.in_doubt()) OnLeft(node, group);
  view.fresh = false;
  if (core.term() < view.term_promised) Fail(node, group, "a promised term is forgotten");
  const Truth& truth = truth_[group];
  LogIndex kept = view.after_power ? view.durable : view.written;
  // A copy took the place of the log as the process ended: it has nothing that is not committed.
  if (core.first_index() > view.commit + 1) kept = std::min(kept, view.commit);
  const bool lossless = !view.after_power || durable_counts(group);
  for (LogIndex i(1); i <= kept && lossless; i = i + 1) {
    if (i > core.last_index()) {
      Fail(node, group,
           absl::StrCat("the log ends at ", core.last_index().value(), " after a restart, ",
                        kept.value(), " was there"));
      break;
    }
    if (TermOf(core, truth, view, i) == view.terms[static_cast<size_t>(i.value() - 1)]) continue;
    // What a leader sent while the log was being opened may have replaced the rest at once.
    if (core.leader() != kNoNode && i > view.commit) break;
    Fail(node, group, absl::StrCat("entry ", i.value(), " has another term after a restart"));
    break;
  }
  view.terms.clear();
  for (LogIndex i(1); i <= core.last_index(); i = i + 1)
    view.terms.push_back(TermOf(core, truth, view, i));
  view.commit = core.commit_index();
  view.term = core.term();
  view.role = raft::Role::kFollower;
  view.after_power = false;
}

// Log matching: the same index and term is the same entry, on whatever node.
void Oracle::CheckLog(NodeId node, GroupId group, const raft::Core& core, View& view) {
  const LogIndex last = core.last_index();
  if (last < view.commit) Fail(node, group, "truncated below the commit index");
  if (last < view.last()) view.terms.resize(static_cast<size_t>(last.value()));
  Truth& truth = truth_[group];
  // From the end: what is below an entry of a term that was there before has not changed.
  std::vector<std::pair<LogIndex, Term>> changed;
  for (LogIndex i = last; i > view.commit; i = i - 1) {
    const Term term = TermOf(core, truth, view, i);
    if (i <= view.last() && view.terms[static_cast<size_t>(i.value() - 1)] == term) break;
    changed.emplace_back(i, term);
  }
  if (core.configuration_index() > last) Fail(node, group, "a configuration is not in the log");
  if (changed.empty()) return;
  view.terms.resize(static_cast<size_t>(last.value()));
  for (const auto& [index, term] : changed) {
    view.terms[static_cast<size_t>(index.value() - 1)] = term;
    if (!core.tail().Has(index)) continue;
    const Entry entry = Describe(core.tail().At(index));
    auto [found, added] = truth.seen.try_emplace(Key(index, term), entry);
    if (!added && found->second.hash != entry.hash) {
      Fail(node, group,
           absl::StrCat("entry ", index.value(), " of term ", term.value(),
                        " differs from another node's"));
    }
    if (entry.kind == EntryKind::kConfiguration) CheckConfiguration(node, group, core, index);
    if (added && entry.kind == EntryKind::kSetLogStart) asked_.push_back(index);
  }
}

// Nobody asks for a log start above what is committed; and what is below it was deleted by a
// client, or is past its retention.
void Oracle::CheckAsked(NodeId node, GroupId group, const raft::Core& core, LogIndex index) {
  Truth& truth = truth_[group];
  const Offset start = truth.seen.at(Key(index, core.terms().TermAt(index))).start;
  world_.Trace(absl::StrCat("node ", node.value(), ", group ", group.value(), " is to begin at ",
                            start.value()));
  if (start > truth.end_offset) {
    return Fail(node, group,
                absl::StrCat("is to begin at ", start.value(), ", committed is up to ",
                             truth.end_offset.value()));
  }
  if (start <= truth.may_start) return;
  if (!MayGo(group, core, index, start)) {
    return Fail(node, group,
                absl::StrCat("is to begin at ", start.value(), ", which drops what is to stay"));
  }
  Raise(truth.may_start, start);
}

// By retention, when the entry at `index` was made.
bool Oracle::MayGo(GroupId group, const raft::Core& core, LogIndex index, Offset start) {
  Truth& truth = truth_[group];
  const int64_t now_ms = kWallStartMs + world_.now_us() / 1000;
  bool old = options_.retention_ms >= 0;
  int64_t kept = kAroundSegment;
  for (LogIndex i(1); i < index; i = i + 1) {
    const Entry* entry = nullptr;
    if (i <= frontier(group)) {
      entry = &truth.committed[static_cast<size_t>(i.value() - 1)];
    } else if (const auto seen = truth.seen.find(Key(i, core.terms().TermAt(i)));
               seen != truth.seen.end()) {
      entry = &seen->second;
    }
    if (entry == nullptr) continue;
    const bool goes = entry->kind == EntryKind::kBatch && entry->next_offset <= start;
    const bool gone = goes && entry->next_offset <= truth.may_start;
    kept = goes ? kAroundSegment : kept + entry->bytes;
    if (goes && !gone && now_ms - entry->max_timestamp_ms <= options_.retention_ms) old = false;
  }
  return old || (options_.retention_bytes >= 0 && kept >= options_.retention_bytes);
}

// The latest one in the log is in force, committed or not; and a leader makes another one only when
// the last is committed.
void Oracle::CheckConfiguration(NodeId node, GroupId group, const raft::Core& core,
                                LogIndex index) {
  if (core.configuration_index() < index) Fail(node, group, "a configuration is not in force");
  if (!core.is_leader() || core.terms().TermAt(index) != core.term()) return;
  for (LogIndex i = core.commit_index() + 1; i < index; i = i + 1) {
    if (core.tail().Has(i) && core.tail().At(i).kind == EntryKind::kConfiguration) {
      Fail(node, group,
           absl::StrCat("configurations ", i.value(), " and ", index.value(),
                        " are both not committed"));
    }
  }
}

// What a leader knows of a follower only grows, until it starts over with it.
void Oracle::CheckMatches(NodeId node, GroupId group, const raft::Core& core, View& view) {
  for (const auto& [peer, progress] : core.progress()) {
    Match& seen = view.matches[peer];
    const bool same = seen.term == core.term() && seen.session == progress.session;
    if (same && (progress.written < seen.written || progress.durable < seen.durable)) {
      Fail(node, group, absl::StrCat("the match of node ", peer.value(), " has gone back"));
    }
    seen = {core.term(), progress.session, progress.written, progress.durable};
  }
}

// What is in force was read from the log: what is committed at its index is a configuration.
void Oracle::CheckInForce(NodeId node, GroupId group, const raft::Core& core) {
  const LogIndex index = core.configuration_index();
  if (index == LogIndex(0) || index > core.commit_index()) return;
  const auto at = static_cast<size_t>(index.value() - 1);
  const std::vector<Entry>& committed = truth_[group].committed;
  if (at < committed.size() && committed[at].kind != EntryKind::kConfiguration) {
    Fail(node, group, absl::StrCat("entry ", index.value(), " is no configuration, yet in force"));
  }
}

// State machine safety: nobody commits two different entries at one index.
void Oracle::CheckCommit(NodeId node, GroupId group, const raft::Core& core, View& view) {
  const LogIndex commit = core.commit_index();
  if (commit < view.commit) Fail(node, group, "the commit index has gone back");
  Truth& truth = truth_[group];
  for (LogIndex i = view.commit + 1; i <= commit; i = i + 1) {
    if (i > frontier(group)) {
      Commit(node, group, core, i);
    } else if (truth.committed[static_cast<size_t>(i.value() - 1)].term !=
               TermOf(core, truth, view, i)) {
      Fail(node, group, absl::StrCat("commits another entry at ", i.value()));
    }
    if (world_.failed()) return;
  }
  view.commit = commit;
}

void Oracle::Commit(NodeId node, GroupId group, const raft::Core& core, LogIndex index) {
  Truth& truth = truth_[group];
  const Term term = TermOf(core, truth, views_[{node, group}], index);
  auto seen = truth.seen.find(Key(index, term));
  if (seen == truth.seen.end()) {
    return Fail(node, group, absl::StrCat("commits entry ", index.value(), " that nobody wrote"));
  }
  Entry& entry = seen->second;
  entry.committed_in = core.term();
  if (entry.kind == EntryKind::kBatch) {
    if (entry.base_offset != truth.end_offset) {
      return Fail(node, group,
                  absl::StrCat("offset ", entry.base_offset.value(), " follows ",
                               truth.end_offset.value()));
    }
    CheckSequence(node, group, index, entry);
    truth.index_of[entry.base_offset] = truth.committed.size();
    truth.end_offset = entry.next_offset;
  }
  if (entry.kind == EntryKind::kSetLogStart) Raise(truth.asked, entry.start);
  if (entry.kind == EntryKind::kExpireProducers) {
    for (auto& [id, sender] : truth.senders) sender.known &= sender.last >= entry.before;
  }
  truth.committed.push_back(entry);
  ++committed_entries_;
  CheckQuorum(node, group, core, index, term);
}

// What an idempotent producer sends is in the log once, and in its order. One that was forgotten
// may repeat itself, and leaves nothing out.
void Oracle::CheckSequence(NodeId node, GroupId group, LogIndex index, const Entry& entry) {
  if (entry.producer_id < 0 || may_lose(group)) return;
  Sender& sender = truth_[group].senders[entry.producer_id];
  const bool fits =
      sender.known ? entry.base_sequence == sender.next : entry.base_sequence <= sender.next;
  if (!fits) {
    Fail(node, group,
         absl::StrCat("sequence ", entry.base_sequence, " of a producer is committed, ",
                      sender.next, " was the next one"));
  }
  sender = {entry.base_sequence + entry.record_count, index, true};
}

bool Oracle::Has(NodeId node, GroupId group, LogIndex index, Term term) const {
  for (const auto* views : {&views_, &lost_}) {
    const auto found = views->find({node, group});
    if (found != views->end() && Has(found->second, group, index, term)) return true;
  }
  return false;
}

bool Oracle::Has(const View& view, GroupId group, LogIndex index, Term term) const {
  const LogIndex end = durable_counts(group) ? view.durable : view.written;
  return index <= end && index <= view.last() &&
         view.terms[static_cast<size_t>(index.value() - 1)] == term;
}

// At its first commit an entry is on the disks of a quorum, those of dead nodes included.
void Oracle::CheckQuorum(NodeId node, GroupId group, const raft::Core& core, LogIndex index,
                         Term term) {
  if (!durable_counts(group) && !lost_power_.empty()) return;  // What they had is gone.
  auto is_quorum = [&](const raft::Configuration& configuration) {
    return configuration.QuorumIndex([&](NodeId member) {
      return Has(member, group, index, term) ? index : LogIndex(0);
    }) >= index;
  };
  // The one that this turn began with may be what it was committed under.
  if (!is_quorum(core.configuration()) && !is_quorum(views_[{node, group}].configuration)) {
    Fail(node, group,
         absl::StrCat("entry ", index.value(), " of term ", term.value(),
                      " is committed, and not on a quorum of disks"));
  }
}

// Election safety and leader completeness.
void Oracle::CheckRole(NodeId node, GroupId group, const raft::Core& core, View& view) {
  const raft::Role before = std::exchange(view.role, core.role());
  if (core.role() != raft::Role::kLeader) return;
  Truth& truth = truth_[group];
  auto [leader, added] = truth.leaders.try_emplace(core.term(), node);
  if (leader->second != node) {
    return Fail(node, group,
                absl::StrCat("term ", core.term().value(), " has two leaders, ",
                             leader->second.value(), " is the other"));
  }
  if (before == raft::Role::kLeader && !added) return;
  world_.Trace(absl::StrCat("node ", node.value(), " leads group ", group.value(), " in term ",
                            core.term().value()));
  if (may_lose(group)) return;
  for (size_t i = 0; i < truth.committed.size(); ++i) {
    const LogIndex index(static_cast<int64_t>(i) + 1);
    // One that was stopped may learn late of the votes for an older term.
    if (truth.committed[i].committed_in > core.term()) continue;
    if (index > core.last_index() || TermOf(core, truth, view, index) != truth.committed[i].term) {
      return Fail(node, group,
                  absl::StrCat("leads term ", core.term().value(), " without the committed entry ",
                               index.value()));
    }
  }
}

void Oracle::OnVote(NodeId voter, uint64_t disk, GroupId group, Term term, NodeId candidate) {
  auto [vote, added] = truth_[group].votes.try_emplace({voter, disk, term}, candidate);
  if (vote->second != candidate) {
    Fail(voter, group, absl::StrCat("votes twice in term ", term.value()));
  }
}

void Oracle::OnSend(NodeId node, const GroupMessage& message, storage::KvStore& kv) {
  if (deleted_.contains(message.group)) return;
  Term term;
  bool promises = true;
  if (const auto* append = std::get_if<raft::Append>(&message.message)) {
    LogIndex& bound = truth_[message.group].compact_before;
    bound = std::max(bound, append->compact_before);
  }
  if (const auto* request = std::get_if<raft::VoteRequest>(&message.message)) {
    term = request->term;
    promises = !request->pre;
    if (promises) OnVote(node, disks_[node], message.group, term, node);
  } else if (const auto* reply = std::get_if<raft::VoteReply>(&message.message)) {
    term = reply->term;
    promises = !reply->pre;
  } else {
    term = std::visit([](const auto& body) { return body.term; }, message.message);
  }
  if (!promises) return;
  View& view = views_[{node, message.group}];
  view.term_promised = std::max(view.term_promised, term);
  Term& stored = stored_[{node, message.group}];
  if (term <= stored) return;
  absl::StatusOr<std::optional<HardState>> state = storage::HardStateStore(kv).Load(message.group);
  if (state.ok() && state->has_value()) stored = (*state)->term;
  if (term > stored) {
    Fail(node, message.group,
         absl::StrCat("a message of term ", term.value(), " leaves, ", stored.value(),
                      " is on the disk"));
  }
}

void Oracle::OnEnded(NodeId node, bool power) {
  if (power) lost_power_.insert(node);
  for (auto view = views_.lower_bound({node, GroupId(0)});
       view != views_.end() && view->first.first == node; ++view) {
    view->second.fresh = true;
    view->second.role = raft::Role::kFollower;
    if (!power) continue;
    view->second.after_power = true;
    view->second.written = view->second.durable;
  }
}

void Oracle::OnWiped(NodeId node) {
  ++disks_[node];
  for (auto view = views_.lower_bound({node, GroupId(0)});
       view != views_.end() && view->first.first == node;) {
    stored_.erase(view->first);
    lost_[view->first] = view->second;
    view = views_.erase(view);
  }
}

void Oracle::OnLeft(NodeId node, GroupId group) {
  View& view = views_[{node, group}];
  if (rotten_.erase({node, group}) > 0) lost_[{node, group}] = view;
  left_[{node, group}] = view;
  // What it voted stays; its log does not.
  const Term promised = view.term_promised;
  view = View{};
  view.term_promised = promised;
}

void Oracle::OnAcked(GroupId group, Offset offset, uint64_t value, int min_isr) {
  Truth& truth = truth_[group];
  auto found = truth.index_of.find(offset);
  if (found == truth.index_of.end() || truth.committed[found->second].value != value) {
    return world_.Fail(absl::StrCat(
        "group ", group.value(), ": value ", value, " is acknowledged at offset ", offset.value(),
        ", and not committed there; committed is up to ", truth.end_offset.value()));
  }
  truth.acked[offset] = value;
  if (!durable_counts(group) && !lost_power_.empty()) return;
  int have = 0;
  const LogIndex index(static_cast<int64_t>(found->second) + 1);
  const Term term = truth.committed[found->second].term;
  for (int i = 1; i <= options_.nodes; ++i) {
    // A leader that was stopped for a while may say so after others have left the group.
    const auto left = left_.find({NodeId(i), group});
    const bool had = left != left_.end() && Has(left->second, group, index, term);
    if (had || Has(NodeId(i), group, index, term)) ++have;
  }
  if (have < min_isr) {
    world_.Fail(absl::StrCat("group ", group.value(), ": offset ", offset.value(),
                             " is acknowledged and on ", have, " disks only"));
  }
}

void Oracle::OnRead(GroupId group, Offset offset, uint64_t value, Offset high_watermark) {
  Truth& truth = truth_[group];
  if (high_watermark > truth.end_offset || offset >= truth.end_offset) {
    return world_.Fail(absl::StrCat("group ", group.value(), ": a read shows offset ",
                                    offset.value(), " and high watermark ", high_watermark.value(),
                                    ", committed is up to ", truth.end_offset.value()));
  }
  auto found = truth.index_of.find(offset);
  const bool dropped = options_.compacted && value == 0;
  if (found == truth.index_of.end() ||
      (truth.committed[found->second].value != value && !dropped)) {
    world_.Fail(absl::StrCat("group ", group.value(), ": offset ", offset.value(),
                             " is read with value ", value, ", another one was committed"));
  }
}

LogIndex Oracle::frontier(GroupId group) const {
  auto found = truth_.find(group);
  if (found == truth_.end()) return LogIndex(0);
  return LogIndex(static_cast<int64_t>(found->second.committed.size()));
}

Offset Oracle::end_offset(GroupId group) const {
  auto found = truth_.find(group);
  return found == truth_.end() ? Offset(0) : found->second.end_offset;
}

bool Oracle::Settled(NodeId node, GroupId group) const {
  auto found = views_.find({node, group});
  if (found == views_.end() || found->second.fresh) return false;
  const View& view = found->second;
  return view.commit == frontier(group) && view.last() == view.commit &&
         view.durable <= view.last();
}

bool Oracle::may_lose(GroupId group) const {
  return !durable_counts(group) && 2 * static_cast<int>(lost_power_.size()) >= options_.nodes;
}

}  // namespace garam::sim
