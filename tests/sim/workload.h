// The clients of a simulated cluster: they create topics, and produce to and read from each
// partition through whichever broker some broker names as its leader.
//
// Threads: the world's one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/idempotent_client.h"
#include "tests/sim/node.h"
#include "tests/sim/options.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

namespace garam::sim {

class Workload {
 public:
  Workload(World& world, const Options& options, Oracle& oracle,
           std::vector<std::unique_ptr<SimNode>>& nodes)
      : world_(world), options_(options), oracle_(oracle), nodes_(nodes) {}

  void Start();
  // Nothing new begins.
  void Stop();
  // Whether what idempotent producers have begun is acknowledged.
  bool settled() const;

  // Creates or deletes some topic beside the fixed ones.
  void ChangeTopics();

  // Asks for a partition's log to begin later.
  void TrimPartition();
  // Asks for some partition to be moved to other nodes, or for a move to be undone.
  void MovePartition();

  struct Target {
    std::string topic;
    int32_t partition;
    bool operator<(const Target& other) const {
      return std::tie(topic, partition) < std::tie(other.topic, other.partition);
    }
  };
  const std::vector<Target>& targets() const { return targets_; }
  // Those that others than the producers here write to: they are moved as well.
  void AlsoMoves(const Target& target) { moved_too_.push_back(target); }

  // How clients get to partitions.
  // Creates the topic, again and again until some broker knows it.
  void EnsureTopic(const std::string& name, int partitions);
  // By the word of some broker; null when none knows, or when it is not running.
  SimNode* BelievedLeader(const Target& target);
  // Runs `task` on the node's shard for the target, after the way there; nothing when the node is
  // not the same process by then or does not know the partition.
  void OnPartition(SimNode& node, const Target& target,
                   std::function<void(SimNode&, std::shared_ptr<Partition>)> task);
  // The partition on the node that leads it by the node's own word, confirmed; null while none.
  std::shared_ptr<DataPartition> LeaderOf(const Target& target, SimNode** leader = nullptr) const;
  // One produce with acks=all, tried until it is acknowledged; `done` then.
  void ProduceOnce(const Target& target, std::function<void()> done);
  // Reads the partition from its start to its end; `done` then.
  void ReadAll(const Target& target, std::function<void()> done);
  // Reads what each replica has, and holds its keys against the truth; `done` once for each.
  void ReadReplicas(const Target& target, const std::function<void()>& done);

  size_t acknowledged() const { return acknowledged_; }
  size_t reads() const { return reads_; }

 private:
  // The rest of the partition, from `from` on.
  void ReadFrom(const Target& target, Offset from, std::function<void()> done);
  void TakeRead(const Target& target, Offset from, GroupId group, const ReadResult& read,
                std::function<void()> done);
  // What the keys of a log come to.
  using Live = std::map<std::string, Offset>;
  void ReadReplica(SimNode& node, const Target& target, Offset from, std::shared_ptr<Live> live,
                   std::function<void()> done);
  std::function<bool()> Attempt(std::function<void()> again);
  SimNode* AnyNode(bool ready = false);
  void CreateTopic(const std::string& name, int partitions);
  void KeepResting();
  void KeepProducing(size_t target);
  void KeepReading(size_t target);
  void AddIdempotentClient(const Target& target);
  void CheckNow(SimNode& node, const std::weak_ptr<Partition>& partition);
  void SendProduce(SimNode& node, const Target& target, Acks acks, std::function<void(bool)> done);

  World& world_;
  const Options& options_;
  Oracle& oracle_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  std::vector<Target> targets_;
  std::vector<Target> moved_too_;
  std::set<std::string> extra_topics_;
  std::vector<int> outstanding_;
  std::vector<std::unique_ptr<IdempotentClient>> idempotent_;
  bool stopped_ = false;
  bool resting_ = false;
  int extra_number_ = 0;
  uint64_t last_value_ = 0;
  size_t acknowledged_ = 0;
  size_t reads_ = 0;
};

}  // namespace garam::sim
