#include "broker/leader_table.h"

#include <tuple>

namespace garam {
namespace {

bool Newer(const LeaderState& a, const LeaderState& b) {
  return std::tie(a.term, a.isr_version) > std::tie(b.term, b.isr_version);
}

}  // namespace

bool LeaderTable::Merge(const LeaderState& state) {
  std::lock_guard lock(mutex_);
  return MergeLocked(state);
}

bool LeaderTable::MergeLocked(const LeaderState& state) {
  auto [found, inserted] = states_.try_emplace(state.group, state);
  if (inserted) {
    Account(state, true);
    return true;
  }
  LeaderState& record = found->second;
  // A leader that its own term's record has lost (a full exchange cleared it) may come back.
  bool fills_gap = record.leader == kNoNode && state.leader != kNoNode && state.term >= record.term;
  if (!Newer(state, record) && !fills_gap) return false;
  Account(record, false);
  std::vector<NodeId> isr = state.isr.empty() ? std::move(record.isr) : state.isr;
  record = state;
  record.isr = std::move(isr);
  Account(record, true);
  return true;
}

bool LeaderTable::Resign(NodeId node, GroupId group, Term term) {
  std::lock_guard lock(mutex_);
  auto found = states_.find(group);
  if (found == states_.end()) return false;
  LeaderState& record = found->second;
  if (record.leader != node || record.term > term) return false;
  Account(record, false);
  record.leader = kNoNode;
  return true;
}

std::vector<GroupId> LeaderTable::Replace(NodeId node, const FullState& state) {
  std::lock_guard lock(mutex_);
  std::vector<GroupId> changed;
  std::set<GroupId> led;
  for (const LeaderState& one : state.led) {
    led.insert(one.group);
    if (MergeLocked(one)) changed.push_back(one.group);
  }
  for (auto& [group, record] : states_) {
    if (record.leader != node || led.contains(group)) continue;
    Account(record, false);
    record.leader = kNoNode;
    changed.push_back(group);
  }
  NodeRecord& about = nodes_[node];
  about.failed = std::set<GroupId>(state.failed.begin(), state.failed.end());
  about.failed_digest = raft::Digest();
  for (GroupId group : about.failed) about.failed_digest.AddFailed(group);
  return changed;
}

void LeaderTable::SetFailed(NodeId node, GroupId group, bool failed) {
  std::lock_guard lock(mutex_);
  NodeRecord& about = nodes_[node];
  if (failed && about.failed.insert(group).second) about.failed_digest.AddFailed(group);
  if (!failed && about.failed.erase(group) > 0) about.failed_digest.RemoveFailed(group);
}

std::set<GroupId> LeaderTable::FailedOf(NodeId node) const {
  std::lock_guard lock(mutex_);
  auto found = nodes_.find(node);
  return found == nodes_.end() ? std::set<GroupId>() : found->second.failed;
}

void LeaderTable::Forget(GroupId group) {
  std::lock_guard lock(mutex_);
  auto found = states_.find(group);
  if (found == states_.end()) return;
  Account(found->second, false);
  states_.erase(found);
}

LeaderState LeaderTable::Get(GroupId group) const {
  std::lock_guard lock(mutex_);
  auto found = states_.find(group);
  if (found != states_.end()) return found->second;
  LeaderState unknown;
  unknown.group = group;
  return unknown;
}

std::vector<LeaderState> LeaderTable::LedBy(NodeId node) const {
  std::lock_guard lock(mutex_);
  std::vector<LeaderState> led;
  for (const auto& [group, record] : states_) {
    if (record.leader == node) led.push_back(record);
  }
  return led;
}

HeartbeatDigests LeaderTable::DigestsOf(NodeId node) const {
  std::lock_guard lock(mutex_);
  auto found = nodes_.find(node);
  if (found == nodes_.end()) return {};
  const NodeRecord& about = found->second;
  return {about.led.count(), about.led.hash(), about.failed_digest.count(),
          about.failed_digest.hash()};
}

void LeaderTable::Account(const LeaderState& state, bool add) {
  if (state.leader == kNoNode) return;
  raft::Digest& led = nodes_[state.leader].led;
  if (add) {
    led.AddLed(state.group, state.term, state.isr_version);
  } else {
    led.RemoveLed(state.group, state.term, state.isr_version);
  }
}

}  // namespace garam
