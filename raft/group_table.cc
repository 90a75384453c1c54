#include "raft/group_table.h"

namespace garam::raft {

void GroupTable::Add(Core& core, MonoTime now) {
  groups_[core.group()].core = &core;
  for (const auto& [node, state] : nodes_) {
    if (state == NodeState::kDown) {
      core.NodeDown(node, now);
    } else {
      core.NodeSuspect(node, now);
    }
  }
  Touch(core.group());
}

void GroupTable::Remove(GroupId group) {
  auto found = groups_.find(group);
  if (found == groups_.end()) return;
  if (found->second.deadline) deadlines_.erase({*found->second.deadline, group});
  groups_.erase(found);
}

Core* GroupTable::Find(GroupId group) const {
  auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.core;
}

void GroupTable::Touch(GroupId group) {
  auto found = groups_.find(group);
  if (found == groups_.end()) return;
  Entry& entry = found->second;
  const std::optional<MonoTime> deadline = entry.core->NextDeadline();
  if (deadline == entry.deadline) return;
  if (entry.deadline) deadlines_.erase({*entry.deadline, group});
  if (deadline) deadlines_.insert({*deadline, group});
  entry.deadline = deadline;
}

std::optional<MonoTime> GroupTable::NextDeadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::vector<GroupId> GroupTable::Tick(MonoTime now) {
  std::vector<GroupId> due;
  for (auto at = deadlines_.begin(); at != deadlines_.end() && at->first <= now; ++at) {
    due.push_back(at->second);
  }
  for (GroupId group : due) {
    groups_.at(group).core->Tick(now);
    Touch(group);
  }
  return due;
}

template <class Tell>
std::vector<GroupId> GroupTable::TellMembers(NodeId node, Tell tell) {
  std::vector<GroupId> touched;
  for (auto& [group, entry] : groups_) {
    // A core that has no such member today may get one: it must know the node's state anyway.
    tell(*entry.core);
    Touch(group);
    if (entry.core->configuration().Find(node)) touched.push_back(group);
  }
  return touched;
}

std::vector<GroupId> GroupTable::NodeUp(NodeId node, MonoTime now) {
  nodes_.erase(node);
  return TellMembers(node, [&](Core& core) { core.NodeUp(node, now); });
}

std::vector<GroupId> GroupTable::NodeSuspect(NodeId node, MonoTime now) {
  nodes_[node] = NodeState::kSuspect;
  return TellMembers(node, [&](Core& core) { core.NodeSuspect(node, now); });
}

std::vector<GroupId> GroupTable::NodeDown(NodeId node, MonoTime now) {
  nodes_[node] = NodeState::kDown;
  return TellMembers(node, [&](Core& core) { core.NodeDown(node, now); });
}

std::vector<GroupId> GroupTable::NodeRestarted(NodeId node, MonoTime now) {
  const auto before = nodes_.find(node);
  const NodeState state = before == nodes_.end() ? NodeState::kUp : before->second;
  std::vector<GroupId> touched = TellMembers(node, [&](Core& core) {
    core.NodeDown(node, now);
    if (state == NodeState::kUp) core.NodeUp(node, now);
    if (state == NodeState::kSuspect) core.NodeSuspect(node, now);
    core.PeerReset(node, now);
  });
  return touched;
}

std::vector<GroupId> GroupTable::PeerReset(NodeId node, MonoTime now) {
  return TellMembers(node, [&](Core& core) { core.PeerReset(node, now); });
}

NodeState GroupTable::StateOf(NodeId node) const {
  auto found = nodes_.find(node);
  return found == nodes_.end() ? NodeState::kUp : found->second;
}

}  // namespace garam::raft
