#include "tests/unit/raft/cluster.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace garam::raft {

Configuration Voters(int count) {
  Configuration configuration;
  for (int i = 1; i <= count; ++i) {
    configuration.voters.push_back({NodeId(i), Incarnation(static_cast<uint64_t>(100 + i))});
  }
  return configuration;
}

Cluster::Cluster(ClusterOptions options) : options_(std::move(options)), random_(options_.seed) {
  now_ += std::chrono::hours(1);
  if (!options_.configuration) options_.configuration = Voters(options_.nodes);
  for (int i = 1; i <= options_.nodes; ++i) {
    nodes_[NodeId(i)].random = std::make_unique<SeededRandom>(random_.Next());
    images_[NodeId(i)];
    Start(NodeId(i));
  }
}

void Cluster::Start(NodeId id) {
  Node& node = nodes_.at(id);
  NodeImage& image = images_.at(id);
  image.durable = image.handed = image.written;  // Recovery flushes what it keeps.
  CoreOptions core;
  core.group = GroupId(7);
  core.self = id;
  core.incarnation = Incarnation(static_cast<uint64_t>(100 + id.value()));
  core.stage = options_.stage;
  core.in_doubt = image.in_doubt;
  core.damaged = image.damaged;
  core.life = node.log_life;
  if (options_.adjust) options_.adjust(core);
  image.commit = LogIndex(0);
  node.core = std::make_unique<Core>(core, StateOf(id), *node.random, now_);
  Drain(id);
}

InitialState Cluster::StateOf(NodeId id) const {
  InitialState state;
  state.hard_state = nodes_.at(id).hard_state;
  state.first_index = nodes_.at(id).first_index;
  state.configurations.push_back({LogIndex(0), *options_.configuration});
  for (const LogEntry& entry : images_.at(id).written) {
    state.terms.Append(entry.term, entry.index, Offset(0));
    state.last_index = entry.index;
    if (entry.kind == EntryKind::kConfiguration) {
      state.configurations.push_back({entry.index, *Configuration::Decode(entry.bytes.view())});
    }
  }
  state.terms.DropBefore(state.first_index);
  return state;
}

void Cluster::DropPrefix(NodeId id, LogIndex first) {
  Do(id, [this, id, first](Core& core) {
    // What lies below must be on the disk: there is no other place to have it from.
    core.DropPrefix(std::min(first, core.durable_index() + 1));
    nodes_.at(id).first_index = core.first_index();
  });
}

void Cluster::CopyLog(NodeId to, NodeId from) {
  if (!alive(to) || !alive(from) || cut_.contains(std::minmax(to, from))) return;
  const Core& source = core(from);
  const LogIndex least = source.first_index() - 1;
  const int64_t span = std::min(source.commit_index(), source.written_index()) - least;
  if (span < 0) return;
  const LogIndex end = least + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(span) + 1));
  if (!core(to).NeedsInstall(end, source.terms().TermAt(end))) return;
  NodeImage& image = images_.at(to);
  const std::vector<LogEntry>& all = images_.at(from).handed;
  image.handed.assign(all.begin(), all.begin() + end.value());
  image.written = image.durable = image.handed;
  nodes_.at(to).writes.clear();
  nodes_.at(to).first_index = source.first_index();
  Do(to, [this, to](Core& core) { core.Install(StateOf(to), now_); });
}

void Cluster::At(Duration delay, std::function<void()> action) {
  events_.emplace(std::pair(now_ + delay, next_event_++), std::move(action));
}

bool Cluster::RunNext(MonoTime until) {
  std::optional<MonoTime> tick_at;
  NodeId ticking = kNoNode;
  for (auto& [id, node] : nodes_) {
    const std::optional<MonoTime> at = node.core ? node.core->NextDeadline() : std::nullopt;
    if (at && (!tick_at || *at < *tick_at)) {
      tick_at = at;
      ticking = id;
    }
  }
  if (!events_.empty() && (!tick_at || events_.begin()->first.first <= *tick_at)) {
    auto event = events_.begin();
    if (event->first.first > until) return false;
    now_ = std::max(now_, event->first.first);
    std::function<void()> action = std::move(event->second);
    events_.erase(event);
    action();
    return true;
  }
  if (!tick_at || *tick_at > until) return false;
  now_ = std::max(now_, *tick_at);
  Do(ticking, [this](Core& core) { core.Tick(now_); });
  return true;
}

void Cluster::Run() {
  while (RunNext(now_)) {
  }
}

void Cluster::RunFor(Duration time) {
  const MonoTime until = now_ + time;
  while (RunNext(until)) {
  }
  now_ = until;
}

void Cluster::Step(NodeId to, NodeId from, Message message) {
  Do(to, [&](Core& core) { core.Step(from, std::move(message), now_); });
}

void Cluster::Elect(NodeId node) {
  Run();
  Do(node, [this](Core& core) { core.Campaign(now_); });
  Run();
  if (!alive(node) || !core(node).confirmed()) {
    oracle_.Fail(absl::StrCat("node ", node.value(), " was not elected"));
  }
}

absl::StatusOr<LogIndex> Cluster::Propose(NodeId node, const std::string& payload) {
  LogEntry entry;
  entry.kind = EntryKind::kBatch;
  entry.bytes = Bytes::Copy(payload);
  absl::StatusOr<LogIndex> index = core(node).Propose(core(node).term(), {entry}, now_);
  Drain(node);
  return index;
}

void Cluster::Drain(NodeId id) {
  Node& node = nodes_.at(id);
  NodeImage& image = images_.at(id);
  while (node.core && node.core->has_ready()) {
    Ready ready = node.core->TakeReady();
    if (ready.hard_state) {
      const HardState before =
          node.hard_states.empty() ? node.hard_state : node.hard_states.back().second;
      oracle_.Expect(ready.hard_state->term >= before.term, "the term went back");
      node.hard_states.emplace_back(ready.seq, *ready.hard_state);
    }
    if (ready.has_log_write()) {
      LogWrite write{ready.seq, ready.truncate_from, ready.entries};
      Apply(write, image.handed);
      const LogIndex from =
          ready.entries.empty() ? node.core->last_index() + 1 : ready.entries.front().index;
      oracle_.Handed(image, from);
      node.writes.push_back(std::move(write));
    }
    if (ready.role) {
      node.role_changes.push_back(*ready.role);
      if (ready.role->role == Role::kLeader) oracle_.LeaderElected(ready.role->term, id, image);
    }
    if (ready.commit) {
      oracle_.Expect(*ready.commit > image.commit, "the commit went back");
      const LogIndex before = std::exchange(image.commit, *ready.commit);
      oracle_.Committed(id, before, *ready.commit, node.core->stage() == Stage::kDurable, images_);
    }
    if (!node.hold && (ready.hard_state || ready.has_log_write())) Schedule(id);
    for (Outgoing& outgoing : ready.messages) Post(id, std::move(outgoing));
    if (ready.copy_from && copy_delay) {
      At(copy_delay(id), [this, id, from = *ready.copy_from] { CopyLog(id, from); });
    }
    for (const ReadRequest& read : ready.reads) {
      std::vector<LogEntry> entries;
      size_t bytes = 0;
      for (auto i = static_cast<size_t>(read.from.value() - 1); i < image.handed.size(); ++i) {
        bytes += image.handed[i].bytes.size();
        if (!entries.empty() && bytes > read.bytes_max) break;
        entries.push_back(image.handed[i]);
      }
      At(Duration::zero(), [this, id, read, entries, life = node.life] {
        if (nodes_.at(id).life != life) return;
        Do(id, [&](Core& core) { core.OnEntriesRead(read.peer, read.from, entries, now_); });
      });
    }
  }
  if (node.core) image.in_doubt = node.core->in_doubt();
  if (!image.in_doubt) image.damaged = false;
}

// The disk does one thing after the other; the log and the hard state are two disks.
void Cluster::Schedule(NodeId id) {
  Node& node = nodes_.at(id);
  const Duration delay = disk_delay ? disk_delay(id) : Duration::zero();
  node.disk_free_at = std::max(node.disk_free_at, now_) + delay;
  const uint64_t life = node.life;
  At(delay, [this, id, life] {
    if (nodes_.at(id).life == life && !nodes_.at(id).hold) FinishHardState(id);
  });
  At((node.disk_free_at - now_) / 2, [this, id, life] {
    if (nodes_.at(id).life == life && !nodes_.at(id).hold) FinishWritten(id);
  });
  At(node.disk_free_at - now_, [this, id, life] {
    if (nodes_.at(id).life == life && !nodes_.at(id).hold) FinishDurable(id);
  });
}

void Cluster::Apply(const LogWrite& write, std::vector<LogEntry>& log) {
  if (write.truncate_from && write.truncate_from->value() <= static_cast<int64_t>(log.size())) {
    log.resize(static_cast<size_t>(write.truncate_from->value() - 1));
  }
  log.insert(log.end(), write.entries.begin(), write.entries.end());
}

void Cluster::HoldDisk(NodeId node, bool hold) {
  nodes_.at(node).hold = hold;
  if (!hold) Schedule(node);
}

void Cluster::FinishHardState(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.hard_states.empty()) return;
  const uint64_t seq = node.hard_states.back().first;
  node.hard_state = node.hard_states.back().second;
  node.hard_states.clear();
  Do(id, [&](Core& core) { core.OnHardStateDurable(seq, now_); });
}

void Cluster::FinishWritten(NodeId id) {
  Node& node = nodes_.at(id);
  uint64_t seq = 0;
  for (LogWrite& write : node.writes) {
    seq = write.seq;
    if (!std::exchange(write.written, true)) Apply(write, images_.at(id).written);
  }
  if (seq > 0) Do(id, [&](Core& core) { core.OnWritten(seq, now_); });
}

void Cluster::FinishDurable(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.writes.empty()) return;
  const uint64_t seq = node.writes.back().seq;
  for (LogWrite& write : node.writes) {
    if (!write.written) Apply(write, images_.at(id).written);
    Apply(write, images_.at(id).durable);
  }
  node.writes.clear();
  Do(id, [&](Core& core) { core.OnDurable(seq, now_); });
}

void Cluster::Post(NodeId from, Outgoing outgoing) {
  Check(from, outgoing);
  Envelope envelope{from, outgoing.to, std::move(outgoing.message)};
  if (keep_sent_) sent_.push_back(envelope);
  if (cut_.contains(std::minmax(envelope.from, envelope.to))) return;
  if (filter && !filter(envelope)) return;
  const Duration delay = message_delay ? message_delay(envelope) : Duration::zero();
  Deliver(std::move(envelope), delay);
}

void Cluster::Deliver(Envelope envelope, Duration delay) {
  // A connection ends with the process that it was made to, which doubt counts on; the rest of the
  // core does without.
  const uint64_t process = nodes_.at(envelope.to).process;
  At(delay, [this, process, envelope = std::move(envelope)] {
    if (cut_.contains(std::minmax(envelope.from, envelope.to))) return;
    const bool counts = options_.stage == Stage::kWritten || images_.at(envelope.to).in_doubt;
    if (counts && nodes_.at(envelope.to).process != process) return;
    if (nodes_.contains(envelope.to)) Step(envelope.to, envelope.from, envelope.message);
  });
}

// Notes 3.3 (8): nothing leaves that the sender's disk does not know yet.
void Cluster::Check(NodeId id, const Outgoing& outgoing) {
  const Node& node = nodes_.at(id);
  const NodeImage& image = images_.at(id);
  Term term = std::visit([](const auto& any) { return any.term; }, outgoing.message);
  auto* request = std::get_if<VoteRequest>(&outgoing.message);
  auto* vote = std::get_if<VoteReply>(&outgoing.message);
  // Pre-votes speak of a term that nobody is in yet.
  if ((request && request->pre) || (vote && vote->pre && vote->granted)) term = Term(0);
  oracle_.Expect(term <= node.hard_state.term, "a message of a term that is not durable left");
  if (vote && vote->granted && !vote->pre) {
    oracle_.Expect(node.hard_state.term > vote->term || node.hard_state.voted_for == outgoing.to,
                   "a vote that is not durable left");
  }
  auto* reply = std::get_if<AppendReply>(&outgoing.message);
  if (reply && !reply->rejected && reply->term == node.core->term()) {
    oracle_.Expect(reply->durable.value() <= static_cast<int64_t>(image.durable.size()),
                   "acknowledged as durable beyond the durable end");
    oracle_.Expect(reply->written.value() <= static_cast<int64_t>(image.written.size()),
                   "acknowledged as written beyond the written end");
  }
}

void Cluster::Isolate(NodeId node) {
  for (const auto& [other, unused] : nodes_) {
    if (other != node) Cut(node, other);
  }
}

void Cluster::Rejoin(NodeId node) {
  for (const auto& [other, unused] : nodes_) {
    if (other != node) Mend(node, other);
  }
}

void Cluster::Crash(NodeId id, Loss loss) {
  Node& node = nodes_.at(id);
  NodeImage& image = images_.at(id);
  node.core.reset();
  ++node.life;
  node.hard_states.clear();
  node.writes.clear();
  node.hold = false;
  if (loss == Loss::kPower) image.written = image.durable;
  if (loss == Loss::kPower && options_.stage == Stage::kWritten) image.in_doubt = true;
  image.handed = image.written;
}

void Cluster::Restart(NodeId id) {
  ++nodes_.at(id).process;
  nodes_.at(id).log_life = 0;
  Start(id);
}

void Cluster::LoseLog(NodeId id) {
  Crash(id, Loss::kProcess);
  NodeImage& image = images_.at(id);
  image.handed = image.written = image.durable = {};
  image.in_doubt = image.damaged = true;
  ++nodes_.at(id).log_life;
  Start(id);
}

void Cluster::AnnounceDown(NodeId node) {
  for (NodeId other : ids()) {
    if (other != node) Do(other, [&](Core& core) { core.NodeDown(node, now_); });
  }
}

void Cluster::AnnounceSuspect(NodeId node) {
  for (NodeId other : ids()) {
    if (other != node) Do(other, [&](Core& core) { core.NodeSuspect(node, now_); });
  }
}

void Cluster::AnnounceUp(NodeId node) {
  for (NodeId other : ids()) {
    if (other != node) Do(other, [&](Core& core) { core.NodeUp(node, now_); });
  }
}

void Cluster::AnnounceRestarted(NodeId node) {
  AnnounceDown(node);
  for (NodeId other : ids()) {
    if (other == node) continue;
    Do(other, [&](Core& core) {
      core.NodeUp(node, now_);
      core.PeerReset(node, now_);
    });
  }
}

std::vector<NodeId> Cluster::ids() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

NodeId Cluster::Leader() {
  NodeId leader = kNoNode;
  for (auto& [id, node] : nodes_) {
    if (!node.core || !node.core->is_leader()) continue;
    if (leader == kNoNode || node.core->term() > core(leader).term()) leader = id;
  }
  return leader;
}

std::vector<std::string> Cluster::Payloads(NodeId node) const {
  std::vector<std::string> payloads;
  for (const LogEntry& entry : images_.at(node).handed) {
    if (entry.kind == EntryKind::kBatch) payloads.emplace_back(entry.bytes.view());
  }
  return payloads;
}

}  // namespace garam::raft
