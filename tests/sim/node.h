// One simulated broker: the production core over a simulated disk, clock, pool and network. It can
// be started, killed, stopped for a while and robbed of its power, as often as one likes.
//
// Threads: the world's one. Ownership: what Env refers to outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "broker/broker_core.h"
#include "broker/data_folder.h"
#include "common/random.h"
#include "storage/fake_file_system.h"
#include "storage/fake_kv_store.h"
#include "tests/sim/network.h"
#include "tests/sim/options.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/world.h"

namespace garam::sim {

// What a node's planes let out, before it leaves.
using SentHook = std::function<void(NodeId from, const GroupMessage& message)>;

class SimNode final : public Endpoint {
 public:
  struct Env {
    World& world;
    Network& network;
    const Options& options;
    std::function<SimNode&(NodeId)> peer;
    std::function<void(SimNode&, size_t shard)> after_turn;
    std::function<void(NodeId, bool power)> on_ended;
    std::function<void(NodeId)> on_wiped;
    SentHook on_send;
  };

  SimNode(Env env, NodeId id);
  ~SimNode() override;

  NodeId id() const { return id_; }
  void Start();
  // The process is asked to stop: it hands over what it leads, closes its logs and ends; `stopped`
  // then. Not when it is killed before that.
  void Stop(Task stopped);
  // The process dies; the machine lives. What was under way on the disk may be half done.
  void Kill();
  // The machine stops, and forgets what was not synced.
  void LosePower();
  // The process dies, and the disk with it: the node comes back with nothing.
  void LoseDisk();
  void PauseUntil(MonoTime until);

  // Endpoint
  bool running() const override { return life_ != nullptr && !closing_; }
  bool powered() const override { return powered_; }
  uint64_t life() const override { return life_number_; }
  size_t shards() const override { return env_.options.shards; }
  void Deliver(size_t shard, Task task) override;
  void ConnectionChanged(NodeId peer, size_t channel, bool open) override;

  // No process at all, not even one that is closing its logs.
  bool down() const { return life_ == nullptr; }

  // Of a running node.
  BrokerCore& core() const;
  bool ready() const;
  MonoTime started_at() const { return started_at_; }
  // When the process last ended; it is not running.
  MonoTime ended_at() const { return ended_at_; }
  // Calls `visit` with each replica that is open here, or on one shard; group 0 first.
  void ForEachReplica(absl::FunctionRef<void(const Replica&)> visit) const;
  void ForEachReplica(size_t shard, absl::FunctionRef<void(const Replica&)> visit) const;

  SimClock& clock() { return clock_; }
  SimPool& pool();
  storage::FakeFileSystem& files() { return files_; }
  storage::FakeKvStore& kv() { return kv_; }

 private:
  struct Life;

  bool MayGiveUp() const;
  void OnFatal(const absl::Status& reason, uint64_t life);
  void Close(Task stopped);
  void Ended();
  void End(bool silent);
  void RunJobsIntoTheEnd();
  BrokerConfig Config() const;

  Env env_;
  const NodeId id_;
  SeededRandom random_;
  SimClock clock_;
  storage::FakeFileSystem files_;
  storage::FakeKvStore kv_;
  std::unique_ptr<Life> life_;
  uint64_t life_number_ = 0;
  int boots_ = 1;
  bool powered_ = true;
  bool dying_ = false;  // The last calls of a process that is being ended.
  bool stopping_ = false;
  bool closing_ = false;  // Stopped, but for its logs.
  MonoTime started_at_{};
  MonoTime ended_at_{};
};

}  // namespace garam::sim
