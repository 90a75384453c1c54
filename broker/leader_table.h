// Who leads what, and with which ISR, as this broker has heard it: from its own replicas, from
// pushes, and from full exchanges when a heartbeat's digest says that a push was lost (D16).
//
// Newer wins: states are ordered by (term, isr_version). A leader that is not alive is still on
// record here; whoever shows it to a client decides by the list of live brokers.
//
// Somebody may be in a newer term than the leader and never get the group there: who was taken out
// of the group, for example. So a term without a leader takes the leader off the record, and holds
// off what older terms say, until a leader says in a full exchange that it leads after all.
//
// Threads: any; one mutex, held for a few instructions. Not on the data path.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "absl/container/btree_map.h"
#include "broker/peers.h"
#include "common/ids.h"
#include "raft/digest.h"

namespace garam {

class LeaderTable {
 public:
  // Takes `state` if it is newer than what is on record; says whether it was. A state without a
  // leader (kNoNode) of a newer term clears the record's leader; its term and its ISR stay.
  bool Merge(const LeaderState& state);

  // `node` leads `group` in `term`, or an earlier one, no longer; who does is not known. Says
  // whether the record changed.
  bool Resign(NodeId node, GroupId group, Term term);

  // `node` says that it leads exactly `state.led` and that `state.failed` are its replicas that
  // cannot append. Groups on record as led by it, but not in the list, lose their leader.
  // Returns the groups whose record changed.
  std::vector<GroupId> Replace(NodeId node, const FullState& state);

  // This broker's own replicas that cannot append.
  void SetFailed(NodeId node, GroupId group, bool failed);
  std::set<GroupId> FailedOf(NodeId node) const;

  void Forget(GroupId group);

  LeaderState Get(GroupId group) const;
  std::vector<LeaderState> LedBy(NodeId node) const;

  // The digests that a heartbeat of `node` should carry if this table is right about it.
  HeartbeatDigests DigestsOf(NodeId node) const;

 private:
  struct NodeRecord {
    raft::Digest led;
    raft::Digest failed_digest;
    std::set<GroupId> failed;
  };

  struct Record {
    LeaderState state;
    Term vacant;  // No leader of it, or of one below it, is known; 0: there is one.
  };

  // `exchanged`: the leader itself has been asked.
  bool MergeLocked(const LeaderState& state, bool exchanged) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Who leads is not known any more; nor is it in a digest.
  void TakeLeaderOff(LeaderState& known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds the record to its leader's digest, or takes it out.
  void Account(const LeaderState& state, bool add) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable std::mutex mutex_;
  absl::btree_map<GroupId, Record> records_;  // Guarded by mutex_.
  std::map<NodeId, NodeRecord> nodes_;        // Guarded by mutex_.
};

}  // namespace garam
