// The groups of one shard: whose deadline is next, and whom an event about a node concerns. A group
// that sleeps is in no queue and costs nothing (D16).
//
// After anything that was done to a core directly, call `Touch`. Each function that returns groups
// has already touched them: the owner drains their Readys.
//
// Threads: the shard's. Ownership: the cores belong to the caller and outlive their entry.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "raft/core.h"

namespace garam::raft {

class GroupTable {
 public:
  // Tells the core what is known of the nodes.
  void Add(Core& core, MonoTime now);
  void Remove(GroupId group);
  Core* Find(GroupId group) const;  // nullptr when there is none.
  size_t size() const { return groups_.size(); }
  size_t awake() const { return deadlines_.size(); }

  // Reads the core's next deadline again.
  void Touch(GroupId group);
  std::optional<MonoTime> NextDeadline() const;
  // Ticks every group whose deadline has come.
  std::vector<GroupId> Tick(MonoTime now);

  // To every group that has the node as a member.
  std::vector<GroupId> NodeUp(NodeId node, MonoTime now);
  std::vector<GroupId> NodeSuspect(NodeId node, MonoTime now);
  std::vector<GroupId> NodeDown(NodeId node, MonoTime now);
  // The node's process is another: its old one is down, and its answers count no longer.
  std::vector<GroupId> NodeRestarted(NodeId node, MonoTime now);
  std::vector<GroupId> PeerReset(NodeId node, MonoTime now);

  NodeState StateOf(NodeId node) const;

 private:
  struct Entry {
    Core* core = nullptr;
    std::optional<MonoTime> deadline;
  };

  template <class Tell>
  std::vector<GroupId> TellMembers(NodeId node, Tell tell);

  std::map<GroupId, Entry> groups_;
  std::set<std::pair<MonoTime, GroupId>> deadlines_;
  std::map<NodeId, NodeState> nodes_;  // Only those not kUp.
};

}  // namespace garam::raft
