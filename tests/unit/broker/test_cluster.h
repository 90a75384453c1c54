// Whole brokers, but for their doors, on fake disks, clocks and executors in one thread: what a
// real cluster does, one step at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/broker_core.h"
#include "broker/data_folder.h"
#include "common/random.h"
#include "common/status.h"
#include "common/testing/fake_executor.h"
#include "storage/fake_file_system.h"
#include "storage/fake_kv_store.h"

namespace garam {

class TestCluster {
 public:
  explicit TestCluster(int nodes, uint64_t seed = 1);
  ~TestCluster();

  // Starts every node that is down.
  void StartAll();
  void Start(NodeId node);
  // The process ends; what it wrote stays.
  void Kill(NodeId node);
  // Power goes: every node at once loses what it had not synced.
  void PowerLoss();
  // The same for one.
  void PowerLoss(NodeId node);

  // Runs one task of one node, or moves the clock on by a millisecond when nobody has one.
  void Step();
  // Steps until `condition` holds; false when it does not within `virtual_ms`.
  bool RunUntil(const std::function<bool()>& condition, int virtual_ms = 20000);

  // Of a node that is down: its key-value store is gone.
  void LoseRows(NodeId node);
  // No job of the node's disk ends until the clock is there.
  void StallDisk(NodeId node, MonoTime until);

  BrokerCore& core(NodeId node);
  storage::FakeFileSystem& files(NodeId node);
  storage::FakeKvStore& rows(NodeId node);
  bool running(NodeId node) const;
  FakeClock& clock() { return clock_; }

  // A topic with one partition on every node.
  bool CreateTopic(const std::string& name, std::map<std::string, std::string> configs = {});
  // Asks for the partition to be on `nodes`, and steps until it is and somebody leads it.
  bool Move(const std::string& topic, const std::vector<NodeId>& nodes);
  std::vector<NodeId> ReplicasOf(const std::string& topic);
  // Has the configs changed, or the topic given more partitions, and steps until that is answered.
  // Asks the first node that runs.
  absl::Status Alter(const ConfigChange& change);
  absl::Status Enlarge(const MorePartitionsSpec& spec);
  // Has the broker unregistered, and steps until that is answered. Ask a node that runs.
  absl::Status Unregister(NodeId asked, NodeId node);
  // The members of group 0 as its leader has them, when they are committed and in no joint step;
  // else empty.
  raft::Configuration MetadataMembers();
  // As the leader's broker shows it; empty while nobody leads.
  std::vector<NodeId> IsrOf(const std::string& topic);
  // The segments of the partition on the node, by name.
  std::vector<std::string> SegmentsOf(NodeId node, const std::string& topic);
  std::shared_ptr<Partition> PartitionOn(NodeId node, const std::string& topic);
  // The node whose own replica leads and has committed in its term; kNoNode while none does.
  NodeId LeaderOf(const std::string& topic);
  // Of three nodes with everything in sync, kills those that lead until `node` does; one is down
  // then.
  bool LetLead(const std::string& topic, NodeId node);
  // Offers one record to the leader; `acked` is set once it is acknowledged. False: no leader.
  bool Produce(const std::string& topic, const std::string& value, std::optional<Offset>* acked,
               Errc* failure = nullptr);
  // The bytes of the records that the leader serves, by their batch's offset; steps until read.
  std::map<Offset, std::string> ReadAll(const std::string& topic, Offset from = Offset(0));
  // Has the leader drop what is below `before`, and steps until a majority has.
  bool DeleteRecords(const std::string& topic, Offset before);

  // Of every broker that is started from now on.
  std::function<void(BrokerConfig&)> adjust;

 private:
  struct Node;
  class Control;
  class Streams;

  Node& at(NodeId node);
  BrokerCore& AnyRunning();
  static void LosePower(Node& node);
  // Runs `task` on the node as it lives now; drops it when the node is gone by then.
  void Send(NodeId to, Task task);
  void TellStreams(NodeId node, bool open);

  FakeClock clock_;
  std::vector<std::unique_ptr<Node>> nodes_;
  size_t turn_ = 0;
};

}  // namespace garam
