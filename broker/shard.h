// One shard: its event loop's executor, the replicas that live on it, and what their turns share:
// one synced write of hard states, one message per peer, one timer.
//
// A turn: inputs (client requests, messages, completions) change cores and mark replicas dirty; at
// its end each dirty replica is drained, then what they sent leaves, batched per peer.
//
// Threads:   the executor's, but for the accessors of what never changes.
// Ownership: outlives its replicas; the environment outlives it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "broker/batch_cache.h"
#include "broker/copy_pacer.h"
#include "broker/hard_state_writer.h"
#include "broker/peers.h"
#include "broker/replica.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/random.h"
#include "raft/group_table.h"
#include "storage/file_system.h"
#include "storage/hard_state_store.h"
#include "storage/kv_store.h"

namespace garam {

struct ShardEnv {
  size_t id = 0;
  NodeId self;
  Executor& executor;
  BlockingPool& pool;
  const Clock& clock;
  storage::FileSystem& files;
  storage::KvStore& kv;
  PeerStreams& streams;
  PeerControl& control;
  uint64_t random_seed = 0;
  std::string boot_id;  // Of this run of the machine (D3).
  size_t batch_cache_bytes = 0;
  int64_t copy_bytes_per_second = 0;  // 0: as fast as it goes.
  // A hard state could not be stored: this process may promise nothing any more.
  std::function<void(absl::Status)> on_fatal;
};

class Shard {
 public:
  explicit Shard(ShardEnv env);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  size_t id() const { return env_.id; }
  NodeId self() const { return env_.self; }
  Executor& executor() { return env_.executor; }
  BlockingPool& pool() { return env_.pool; }
  const Clock& clock() const { return env_.clock; }
  MonoTime now() const { return env_.clock.Mono(); }
  Random& random() { return random_; }
  const std::string& boot_id() const { return env_.boot_id; }
  BatchCache& batch_cache() { return batch_cache_; }
  CopyPacer& copy_pacer() { return copy_pacer_; }
  PeerControl& control() { return env_.control; }
  storage::LogEnv log_env() { return {env_.files, env_.kv, env_.pool, env_.executor, env_.clock}; }

  void Add(Replica* replica);
  void Remove(Replica* replica);

  // Asks for a Drain at the end of this turn.
  void MarkDirty(Replica* replica);
  // Makes `state` durable with the others of this turn.
  void SaveHardState(GroupId group, HardState state, Task durable);
  // Likewise notes that the group's log is not flushed (D3).
  void SaveUnflushed(GroupId group, Task durable);
  // Takes that note away; `done` on this shard.
  void ClearUnflushed(GroupId group, Task done);
  // Queues a message for the end of the turn: entries and their answers on the streams, the rest on
  // the control plane. Nobody is told when it is lost.
  void Send(GroupId group, raft::Outgoing outgoing);
  // The core's next deadline may have changed.
  void Touch(GroupId group) { table_.Touch(group); }

  // Messages of groups on this shard; those of a group not here (yet) wait briefly.
  void Deliver(NodeId from, std::vector<GroupMessage> messages);

  // What the node manager says of a peer; fans out to every group that has it as a member.
  void NodeUp(NodeId node);
  void NodeSuspect(NodeId node);
  void NodeDown(NodeId node);
  // Another process answers under this id.
  void NodeRestarted(NodeId node);
  void PeerReset(NodeId node);
  // `node` is alive but does not lead what this shard's groups believe that it leads (D16).
  void LeaderLost(NodeId node, GroupId group, Term term);
  // Hands over what this shard's replicas lead; true while some leadership is still here.
  bool HandOverLeaderships();

  // Entries came to a log of this shard: now, and in the last second.
  void NoteWrite() { written_at_ = now(); }
  bool WritesLately() const { return written_at_ && now() - *written_at_ < Millis(1000); }

  // Elections that replicas of this shard stood for. Any thread.
  uint64_t elections() const { return elections_.load(std::memory_order_relaxed); }
  void CountElection() { elections_.fetch_add(1, std::memory_order_relaxed); }
  bool IsUp(NodeId node) const { return table_.StateOf(node) == raft::NodeState::kUp; }
  // Null when the group is not on this shard.
  Replica* Find(GroupId group) const;
  const absl::btree_map<GroupId, Replica*>& replicas() const { return replicas_; }

 private:
  struct Early {
    NodeId from;
    GroupMessage message;
    MonoTime until;
  };

  absl::Status Store(const HardStateWriter::Records& records);
  void ScheduleTurnEnd();
  void EndTurn();
  void Flush();
  void ArmTimer();
  void OnTimer();
  void KeepEarly(NodeId from, GroupMessage message);
  void MarkDirty(const std::vector<GroupId>& groups);
  void TellNode(NodeId node, bool reachable);

  ShardEnv env_;
  SeededRandom random_;
  BatchCache batch_cache_;
  CopyPacer copy_pacer_;
  storage::HardStateStore hard_state_store_;
  HardStateWriter hard_states_;
  absl::btree_map<GroupId, Replica*> replicas_;  // Ordered: walks over it show outside.
  raft::GroupTable table_;
  std::vector<Replica*> dirty_;
  std::map<NodeId, std::vector<GroupMessage>> to_streams_;
  std::map<NodeId, std::vector<GroupMessage>> to_control_;
  std::vector<Early> early_;
  TimerId timer_ = kNoTimer;
  MonoTime timer_for_;
  bool turn_end_scheduled_ = false;
  bool ending_turn_ = false;
  std::optional<MonoTime> written_at_;
  std::atomic<uint64_t> elections_{0};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
