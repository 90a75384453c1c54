#include "broker/shard.h"

#include <algorithm>
#include <utility>

#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

// How long a message of a group that is not here waits for the group: a created topic reaches the
// brokers one after another.
constexpr Duration kEarlyMax = Millis(2000);
constexpr size_t kEarlyCountMax = 4096;

}  // namespace

Shard::Shard(ShardEnv env)
    : env_(std::move(env)),
      random_(env_.random_seed),
      batch_cache_(env_.batch_cache_bytes),
      copy_pacer_(env_.copy_bytes_per_second),
      hard_state_store_(env_.kv),
      hard_states_(
          env_.executor, env_.pool, env_.clock,
          [this](const HardStateWriter::Records& records) { return Store(records); },
          env_.on_fatal) {}

Shard::~Shard() = default;

// On the pool.
absl::Status Shard::Store(const HardStateWriter::Records& records) {
  if (!records.states.empty()) RETURN_IF_ERROR(hard_state_store_.Save(records.states));
  if (records.unflushed.empty()) return absl::OkStatus();
  return hard_state_store_.SaveUnflushed(records.unflushed, env_.boot_id);
}

void Shard::Add(Replica* replica) {
  replicas_[replica->group()] = replica;
  table_.Add(replica->core(), now());
  std::vector<Early> early = std::exchange(early_, {});
  for (Early& one : early) {
    if (one.message.group == replica->group()) {
      replica->Step(one.from, std::move(one.message.message));
    } else if (one.until > now()) {
      early_.push_back(std::move(one));
    }
  }
}

void Shard::Remove(Replica* replica) {
  auto found = replicas_.find(replica->group());
  if (found == replicas_.end() || found->second != replica) return;
  replicas_.erase(found);
  table_.Remove(replica->group());
  std::erase(dirty_, replica);
}

Replica* Shard::Find(GroupId group) const {
  auto found = replicas_.find(group);
  return found == replicas_.end() ? nullptr : found->second;
}

void Shard::MarkDirty(const std::vector<GroupId>& groups) {
  for (GroupId group : groups) {
    if (Replica* replica = Find(group)) replica->MarkDirty();
  }
}

void Shard::MarkDirty(Replica* replica) {
  dirty_.push_back(replica);
  ScheduleTurnEnd();
}

void Shard::SaveHardState(GroupId group, HardState state, Task durable) {
  hard_states_.Save(group, state, std::move(durable));
}

void Shard::SaveUnflushed(GroupId group, Task durable) {
  hard_states_.SaveUnflushed(group, std::move(durable));
}

void Shard::ClearUnflushed(GroupId group, Task done) {
  env_.pool.Submit([this, group, done = std::move(done)]() mutable {
    absl::Status cleared = hard_state_store_.ClearUnflushed({group});
    if (!cleared.ok()) LogWarn("group {}: {}", group.value(), cleared.ToString());
    env_.executor.Post(std::move(done));
  });
}

void Shard::Send(GroupId group, raft::Outgoing outgoing) {
  bool entries = std::holds_alternative<raft::Append>(outgoing.message) ||
                 std::holds_alternative<raft::AppendReply>(outgoing.message);
  auto& queue = entries ? to_streams_ : to_control_;
  queue[outgoing.to].push_back({group, std::move(outgoing.message)});
  ScheduleTurnEnd();
}

void Shard::ScheduleTurnEnd() {
  if (turn_end_scheduled_ || ending_turn_) return;
  turn_end_scheduled_ = true;
  env_.executor.Post([this, weak = std::weak_ptr<bool>(alive_)] {
    if (weak.expired()) return;
    turn_end_scheduled_ = false;
    EndTurn();
  });
}

void Shard::EndTurn() {
  if (ending_turn_) return;
  ending_turn_ = true;
  while (!dirty_.empty()) {
    Replica* replica = dirty_.back();
    dirty_.pop_back();
    replica->Drain();
  }
  Flush();
  ending_turn_ = false;
  if (!dirty_.empty()) ScheduleTurnEnd();
  ArmTimer();
}

void Shard::Flush() {
  for (auto& [node, messages] : std::exchange(to_streams_, {})) {
    std::vector<GroupId> appends;
    for (const GroupMessage& one : messages) {
      if (std::holds_alternative<raft::Append>(one.message)) appends.push_back(one.group);
    }
    if (env_.streams.Send(node, env_.id, std::move(messages))) continue;
    for (GroupId group : appends) {
      if (Replica* replica = Find(group)) replica->core().SendFailed(node, now());
      table_.Touch(group);
    }
  }
  for (auto& [node, messages] : std::exchange(to_control_, {})) {
    env_.control.SendRaft(node, std::move(messages));
  }
}

void Shard::ArmTimer() {
  std::optional<MonoTime> next = table_.NextDeadline();
  if (!next) return;
  if (timer_ != kNoTimer) {
    if (timer_for_ <= *next) return;
    env_.executor.Cancel(timer_);
  }
  timer_for_ = *next;
  timer_ = env_.executor.PostAt(*next, [this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired()) OnTimer();
  });
}

void Shard::OnTimer() {
  timer_ = kNoTimer;
  MarkDirty(table_.Tick(now()));
  EndTurn();
}

void Shard::Deliver(NodeId from, std::vector<GroupMessage> messages) {
  for (GroupMessage& one : messages) {
    if (Replica* replica = Find(one.group)) {
      replica->Step(from, std::move(one.message));
    } else {
      KeepEarly(from, std::move(one));
    }
  }
  EndTurn();
}

void Shard::KeepEarly(NodeId from, GroupMessage message) {
  if (early_.size() >= kEarlyCountMax) {
    MonoTime at = now();
    std::erase_if(early_, [at](const Early& early) { return early.until <= at; });
    if (early_.size() >= kEarlyCountMax) return;
  }
  early_.push_back({from, std::move(message), now() + kEarlyMax});
}

void Shard::TellNode(NodeId node, bool reachable) {
  for (auto& [group, replica] : replicas_) replica->events().OnNode(node, reachable);
}

void Shard::NodeUp(NodeId node) {
  MarkDirty(table_.NodeUp(node, now()));
  TellNode(node, true);
  EndTurn();
}

void Shard::NodeSuspect(NodeId node) {
  MarkDirty(table_.NodeSuspect(node, now()));
  TellNode(node, false);
  EndTurn();
}

void Shard::NodeDown(NodeId node) {
  MarkDirty(table_.NodeDown(node, now()));
  TellNode(node, false);
  EndTurn();
}

void Shard::NodeRestarted(NodeId node) {
  MarkDirty(table_.NodeRestarted(node, now()));
  EndTurn();
}

void Shard::PeerReset(NodeId node) {
  MarkDirty(table_.PeerReset(node, now()));
  EndTurn();
}

void Shard::LeaderLost(NodeId node, GroupId group, Term term) {
  Replica* replica = Find(group);
  if (replica == nullptr) return;
  replica->core().LeaderLost(node, term, now());
  replica->MarkDirty();
}

bool Shard::HandOverLeaderships() {
  bool leads = false;
  for (auto& [group, replica] : replicas_) {
    if (!replica->leads()) continue;
    // A group of one has nobody to hand over to.
    if (replica->core().progress().empty()) continue;
    leads = true;
    replica->HandOver(kNoNode);
  }
  return leads;
}

}  // namespace garam
