#include "broker/leader_table.h"

#include <algorithm>
#include <tuple>

namespace garam {
namespace {

bool Newer(const LeaderState& a, const LeaderState& b) {
  return std::tie(a.term, a.isr_version) > std::tie(b.term, b.isr_version);
}

}  // namespace

bool LeaderTable::Merge(const LeaderState& state) {
  std::lock_guard lock(mutex_);
  return MergeLocked(state, /*exchanged=*/false);
}

bool LeaderTable::MergeLocked(const LeaderState& state, bool exchanged) {
  const auto [found, inserted] = records_.try_emplace(state.group);
  Record& record = found->second;
  if (inserted) record.state.group = state.group;
  LeaderState& known = record.state;
  if (state.leader == kNoNode) {
    if (state.term <= std::max(known.term, record.vacant)) return false;
    TakeLeaderOff(known);
    record.vacant = state.term;
    return true;
  }
  // A leader that its own term's record has lost (a full exchange cleared it) may come back.
  const bool newer = Newer(state, known) && state.term >= record.vacant;
  const bool fills_gap = known.leader == kNoNode && state.term >= known.term &&
                         (exchanged || state.term >= record.vacant);
  if (!newer && !fills_gap) return false;
  Account(known, false);
  std::vector<NodeId> isr = state.isr.empty() ? std::move(known.isr) : state.isr;
  known = state;
  known.isr = std::move(isr);
  record.vacant = Term(0);
  Account(known, true);
  return true;
}

bool LeaderTable::Resign(NodeId node, GroupId group, Term term) {
  std::lock_guard lock(mutex_);
  auto found = records_.find(group);
  if (found == records_.end()) return false;
  LeaderState& known = found->second.state;
  if (known.leader != node || known.term > term) return false;
  TakeLeaderOff(known);
  return true;
}

std::vector<GroupId> LeaderTable::Replace(NodeId node, const FullState& state) {
  std::lock_guard lock(mutex_);
  std::vector<GroupId> changed;
  std::set<GroupId> led;
  for (const LeaderState& one : state.led) {
    led.insert(one.group);
    if (MergeLocked(one, /*exchanged=*/true)) changed.push_back(one.group);
  }
  for (auto& [group, record] : records_) {
    if (record.state.leader != node || led.contains(group)) continue;
    TakeLeaderOff(record.state);
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
  auto found = records_.find(group);
  if (found == records_.end()) return;
  Account(found->second.state, false);
  records_.erase(found);
}

LeaderState LeaderTable::Get(GroupId group) const {
  std::lock_guard lock(mutex_);
  auto found = records_.find(group);
  if (found != records_.end()) return found->second.state;
  LeaderState unknown;
  unknown.group = group;
  return unknown;
}

std::vector<LeaderState> LeaderTable::LedBy(NodeId node) const {
  std::lock_guard lock(mutex_);
  std::vector<LeaderState> led;
  for (const auto& [group, record] : records_) {
    if (record.state.leader == node) led.push_back(record.state);
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

void LeaderTable::TakeLeaderOff(LeaderState& known) {
  Account(known, false);
  known.leader = kNoNode;
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
