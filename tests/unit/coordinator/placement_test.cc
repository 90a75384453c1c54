#include "coordinator/placement.h"

#include <map>

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

class PlacementTest : public ClusterFixture {
 protected:
  struct Load {
    int leaders = 0;
    int replicas = 0;
  };

  std::map<NodeId, Load> Loads() const {
    std::map<NodeId, Load> loads;
    for (const auto& [node, broker] : image_->brokers()) loads[node];
    image_->ForEachTopic([&](const auto& topic) {
      for (const PartitionImage& partition : topic->partitions) {
        ++loads[partition.replicas[0].node].leaders;
        for (const ReplicaImage& replica : partition.replicas) ++loads[replica.node].replicas;
      }
    });
    return loads;
  }
};

TEST_F(PlacementTest, LeadersAndReplicasOfATopicAreEven) {
  StartCluster(5);
  Create({.name = "t", .num_partitions = 20, .replication_factor = 3});
  for (const auto& [node, load] : Loads()) {
    EXPECT_EQ(load.leaders, 4) << node;
    EXPECT_EQ(load.replicas, 12) << node;
  }
}

TEST_F(PlacementTest, ManySmallTopicsAreEvenTogether) {
  StartCluster(3);
  for (int i = 0; i < 30; ++i) {
    Create({.name = "t" + std::to_string(i), .num_partitions = 1, .replication_factor = 1});
  }
  for (const auto& [node, load] : Loads()) EXPECT_EQ(load.leaders, 10) << node;
}

TEST_F(PlacementTest, ANewBrokerGetsTheNextTopics) {
  StartCluster(2);
  Create({.name = "old", .num_partitions = 8, .replication_factor = 1});
  Register(BrokerOf(3));
  for (int i = 0; i < 4; ++i) {
    const auto topic =
        Create({.name = "new" + std::to_string(i), .num_partitions = 1, .replication_factor = 1});
    EXPECT_EQ(topic->partitions[0].replicas[0].node, NodeId(3));
  }
}

TEST_F(PlacementTest, ReplicasOfAPartitionAreOnDistinctBrokers) {
  StartCluster(4);
  const auto topic = Create({.name = "t", .num_partitions = 50, .replication_factor = 3});
  for (const PartitionImage& partition : topic->partitions) {
    std::set<NodeId> nodes;
    for (const ReplicaImage& replica : partition.replicas) nodes.insert(replica.node);
    EXPECT_EQ(nodes.size(), 3u);
  }
}

TEST_F(PlacementTest, ReplicasAreSpreadOverRacks) {
  Form();
  for (int32_t node = 1; node <= 6; ++node) {
    Register(BrokerOf(node, "rack-" + std::to_string(node % 3)));
  }
  const auto topic = Create({.name = "t", .num_partitions = 30, .replication_factor = 3});
  for (const PartitionImage& partition : topic->partitions) {
    std::set<int32_t> racks;
    for (const ReplicaImage& replica : partition.replicas) racks.insert(replica.node.value() % 3);
    EXPECT_EQ(racks.size(), 3u);
  }
  for (const auto& [node, load] : Loads()) {
    EXPECT_EQ(load.leaders, 5) << node;
    EXPECT_THAT(load.replicas, AllOf(Ge(14), Le(16))) << node;
  }
}

TEST_F(PlacementTest, ADeadBrokerNeverComesFirstAndComesAtAllOnlyWhenNeeded) {
  StartCluster(3);
  live_.erase(NodeId(2));
  const auto pair = Create({.name = "pair", .num_partitions = 6, .replication_factor = 2});
  for (const PartitionImage& partition : pair->partitions) {
    for (const ReplicaImage& replica : partition.replicas) EXPECT_NE(replica.node, NodeId(2));
  }
  const auto triple = Create({.name = "triple", .num_partitions = 6, .replication_factor = 3});
  for (const PartitionImage& partition : triple->partitions) {
    EXPECT_EQ(partition.replicas.size(), 3u);
    EXPECT_NE(partition.replicas[0].node, NodeId(2));
  }
}

TEST_F(PlacementTest, TheSameSeedGivesTheSamePlaces) {
  StartCluster(5);
  SeededRandom a(11);
  SeededRandom b(11);
  EXPECT_EQ(Placement(*image_, live_, a).Place(12, 3), Placement(*image_, live_, b).Place(12, 3));
}

}  // namespace
}  // namespace garam
