// Internal topics that get more replicas as brokers come.
#include "coordinator/internal_topics.h"

#include <map>

#include "coordinator/placement.h"
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;

class InternalTopicsTest : public ClusterFixture {
 protected:
  void Make(const std::string& name, int32_t partitions) {
    Create({.name = name, .num_partitions = partitions});
  }
  std::vector<MoveSpec> Raise(int32_t wanted = 3) {
    return PlanRaise(*image_, live_, wanted, random_);
  }
  // Plans, has the controller take every move, and the partitions arrive; how many there were.
  size_t RaiseNow(int32_t wanted = 3) {
    const std::vector<MoveSpec> moves = Raise(wanted);
    for (const MoveSpec& move : moves) Apply(PlanMove(*image_, move));
    Arrive();
    return moves.size();
  }
  std::vector<std::vector<NodeId>> ReplicasOf(const std::string& topic) {
    std::vector<std::vector<NodeId>> all;
    for (const PartitionImage& partition : image_->FindTopic(topic)->partitions) {
      all.push_back(NodesOf(partition.replicas));
    }
    return all;
  }
};

TEST_F(InternalTopicsTest, AreRaisedWhenThreeBrokersAreThere) {
  StartCluster(1);
  Make("__consumer_offsets", 6);
  Make("mine", 2);
  EXPECT_THAT(Raise(), IsEmpty());
  Register(BrokerOf(2));
  EXPECT_THAT(Raise(), IsEmpty()) << "two replicas survive no more than one does";
  Register(BrokerOf(3));
  EXPECT_EQ(RaiseNow(), 6u);
  EXPECT_THAT(ReplicasOf("__consumer_offsets"), Each(SizeIs(3)));
  EXPECT_THAT(ReplicasOf("mine"), Each(SizeIs(1)));
  EXPECT_THAT(Raise(), IsEmpty());
}

TEST_F(InternalTopicsTest, AreSpreadOverWhoCame) {
  StartCluster(1);
  Make("__consumer_offsets", 10);
  for (int32_t node = 2; node <= 5; ++node) Register(BrokerOf(node));
  EXPECT_EQ(RaiseNow(), 10u);
  std::map<NodeId, int> replicas;
  std::map<NodeId, int> leaders;
  for (const std::vector<NodeId>& nodes : ReplicasOf("__consumer_offsets")) {
    EXPECT_THAT(nodes, Contains(NodeId(1)));
    ++leaders[nodes.front()];
    for (NodeId node : nodes) ++replicas[node];
  }
  for (int32_t node = 2; node <= 5; ++node) EXPECT_EQ(replicas[NodeId(node)], 5);
  for (int32_t node = 1; node <= 5; ++node) {
    EXPECT_THAT(leaders[NodeId(node)], AllOf(Ge(1), Le(3)));
  }
}

TEST_F(InternalTopicsTest, MoveAFewAtATime) {
  StartCluster(1);
  Make("__consumer_offsets", 25);
  Register(BrokerOf(2));
  Register(BrokerOf(3));
  const std::vector<MoveSpec> moves = Raise();
  EXPECT_THAT(moves, SizeIs(kRaisedAtOnceMax));
  for (const MoveSpec& move : moves) Apply(PlanMove(*image_, move));
  EXPECT_THAT(Raise(), IsEmpty()) << "these are under way";
  Arrive();
  EXPECT_EQ(RaiseNow(), kRaisedAtOnceMax);
  EXPECT_EQ(RaiseNow(), 5u);
}

TEST_F(InternalTopicsTest, AreSpreadTheSameWhileSomeAreStillUnderWay) {
  StartCluster(1);
  Make("__consumer_offsets", 50);
  Register(BrokerOf(2));
  Register(BrokerOf(3));
  std::vector<MoveSpec> moves = Raise();
  while (!moves.empty()) {
    for (const MoveSpec& move : moves) Apply(PlanMove(*image_, move));
    Arrive(7);
    moves = Raise();
    if (moves.empty()) Arrive();
  }
  std::map<NodeId, int> leaders;
  for (const std::vector<NodeId>& nodes : ReplicasOf("__consumer_offsets")) {
    EXPECT_THAT(nodes, SizeIs(3));
    ++leaders[nodes.front()];
  }
  EXPECT_THAT(leaders, SizeIs(3));
  for (const auto& [node, count] : leaders) EXPECT_THAT(count, AllOf(Ge(16), Le(17))) << node;
}

TEST_F(InternalTopicsTest, StayAsTheyAreWhereThatWasAskedFor) {
  StartCluster(1);
  Make("__consumer_offsets", 2);
  for (int32_t node = 2; node <= 5; ++node) Register(BrokerOf(node));
  EXPECT_THAT(Raise(1), IsEmpty());
  EXPECT_EQ(RaiseNow(3), 2u);
  EXPECT_THAT(Raise(4), IsEmpty()) << "four survive no more than three do";
  EXPECT_EQ(RaiseNow(5), 2u);
  EXPECT_THAT(ReplicasOf("__consumer_offsets"), Each(SizeIs(5)));
}

TEST_F(InternalTopicsTest, GoToLiveBrokersOnly) {
  StartCluster(1);
  Make("__consumer_offsets", 1);
  Register(BrokerOf(2));
  Register(BrokerOf(3));
  live_.erase(NodeId(3));
  EXPECT_THAT(Raise(), IsEmpty());
  Register(BrokerOf(4));
  EXPECT_EQ(RaiseNow(), 1u);
  EXPECT_THAT(ReplicasOf("__consumer_offsets")[0], Not(Contains(NodeId(3))));
}

}  // namespace
}  // namespace garam
