// Emptying a broker: where its replicas go, and when it cannot be done.
#include "coordinator/drain.h"

#include <algorithm>
#include <map>

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class DrainTest : public ClusterFixture {
 protected:
  absl::StatusOr<std::vector<MoveSpec>> Drain(int node) {
    return PlanDrain(*image_, live_, NodeId(node), random_);
  }
  // Plans, and has the controller take every move.
  void DrainNow(int node) {
    const auto moves = Drain(node);
    ASSERT_TRUE(moves.ok()) << moves.status();
    for (const MoveSpec& move : *moves) Apply(PlanMove(*image_, move));
  }
  std::map<int, int> Count(bool leaders_only) const {
    std::map<int, int> count;
    ForEachPartition([&](const PartitionImage& partition) {
      for (const ReplicaImage& replica : partition.replicas) {
        ++count[replica.node.value()];
        if (leaders_only) break;
      }
    });
    return count;
  }
  void CreateOn(std::string topic, std::vector<std::vector<NodeId>> partitions) {
    TopicSpec spec{.name = std::move(topic)};
    for (size_t i = 0; i < partitions.size(); ++i) {
      spec.assignments.push_back({static_cast<int32_t>(i), std::move(partitions[i])});
    }
    Create(spec);
  }
  static std::vector<NodeId> On(std::vector<int> nodes) {
    std::vector<NodeId> on;
    for (int node : nodes) on.push_back(NodeId(node));
    return on;
  }
};

TEST_F(DrainTest, EveryPartitionLeavesAndKeepsItsFactor) {
  StartCluster(5);
  Create({.name = "t", .num_partitions = 20, .replication_factor = 3});
  EXPECT_GT(LoadOf(*image_, NodeId(4)).partitions, 0u);
  DrainNow(4);
  Arrive();
  EXPECT_EQ(LoadOf(*image_, NodeId(4)), BrokerLoad{});
  ForEachPartition(
      [](const PartitionImage& partition) { EXPECT_THAT(partition.replicas, SizeIs(3)); });
}

TEST_F(DrainTest, WhatItHadIsSpreadEvenly) {
  StartCluster(5);
  Create({.name = "t", .num_partitions = 40, .replication_factor = 2});
  DrainNow(2);
  Arrive();
  for (const auto& [node, replicas] : Count(/*leaders_only=*/false)) {
    EXPECT_NEAR(replicas, 20, 2) << "node " << node;
  }
  for (const auto& [node, leaders] : Count(/*leaders_only=*/true)) {
    EXPECT_NEAR(leaders, 10, 2) << "node " << node;
  }
}

TEST_F(DrainTest, ReplicasGoToRacksThatHaveNone) {
  Form();
  for (int node = 1; node <= 6; ++node) Register(BrokerOf(node, node % 2 == 0 ? "even" : "odd"));
  CreateOn("t", {On({1, 2}), On({2, 1}), On({2, 3})});
  const auto moves = Drain(2);
  ASSERT_TRUE(moves.ok()) << moves.status();
  ASSERT_THAT(*moves, SizeIs(3));
  for (const MoveSpec& move : *moves) {
    EXPECT_THAT(*move.replicas, Contains(testing::AnyOf(NodeId(4), NodeId(6))));
  }
}

TEST_F(DrainTest, TheOthersKeepTheirPlacesWhereItDidNotLead) {
  StartCluster(4);
  CreateOn("t", {On({1, 4, 2})});
  const auto moves = Drain(4);
  ASSERT_TRUE(moves.ok()) << moves.status();
  EXPECT_THAT(*moves, ElementsAre(MoveSpec{.topic = "t", .replicas = On({1, 3, 2})}));
}

TEST_F(DrainTest, NothingGoesToBrokersThatAreNotAlive) {
  StartCluster(5);
  Create({.name = "t", .num_partitions = 12, .replication_factor = 2});
  live_.erase(NodeId(3));
  const auto moves = Drain(4);
  ASSERT_TRUE(moves.ok()) << moves.status();
  for (const MoveSpec& move : *moves) {
    const PartitionImage& before = *image_->FindTopic("t")->Find(move.partition);
    const bool had = before.Find(NodeId(3), Incarnation(1003)) != nullptr;
    if (had) continue;
    EXPECT_THAT(*move.replicas, Not(Contains(NodeId(3))));
  }
}

TEST_F(DrainTest, TooFewOthersIsSaidInOneSentence) {
  StartCluster(3);
  CreateOn("t", {On({3, 1, 2})});
  const absl::Status status = Drain(3).status();
  EXPECT_THAT(status, HasErrc(Errc::kInvalidReplicationFactor));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("broker 3 cannot be drained: partition t-0 has 3 replicas, and only 2 "
                        "other brokers are alive"));
}

TEST_F(DrainTest, AskingAgainAsksForNothingNew) {
  StartCluster(4);
  Create({.name = "t", .num_partitions = 8, .replication_factor = 3});
  DrainNow(4);
  const BrokerLoad load = LoadOf(*image_, NodeId(4));
  EXPECT_GT(load.leaving, 0u);
  EXPECT_EQ(load.leaving, load.partitions);
  const auto moves = Drain(4);
  ASSERT_TRUE(moves.ok());
  EXPECT_THAT(*moves, IsEmpty());
}

TEST_F(DrainTest, APartitionOnItsWayToTheBrokerGoesElsewhere) {
  StartCluster(5);
  CreateOn("t", {On({1, 2, 3})});
  Apply(PlanMove(*image_, {.topic = "t", .replicas = On({4, 2, 3})}));
  DrainNow(4);
  Arrive();
  EXPECT_EQ(LoadOf(*image_, NodeId(4)), BrokerLoad{});
}

TEST_F(DrainTest, WhatADeadBrokerLeftBehindCanBeMovedAfterItWasUnregistered) {
  StartCluster(4);
  CreateOn("t", {On({4, 1, 2})});
  live_.erase(NodeId(4));
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(4)));
  DrainNow(4);
  Arrive();
  EXPECT_EQ(LoadOf(*image_, NodeId(4)), BrokerLoad{});
}

TEST_F(DrainTest, ABrokerThatNobodyKnowsCannotBeDrained) {
  StartCluster(3);
  EXPECT_THAT(Drain(9).status(), HasErrc(Errc::kBrokerIdNotRegistered));
}

}  // namespace
}  // namespace garam
