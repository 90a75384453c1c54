// Three whole brokers on fakes: what must hold whatever dies, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/status.h"
#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ClusterTest, ARecordIsReadWhereItWasAcknowledged) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  std::optional<Offset> first, second;
  ASSERT_TRUE(cluster.Produce("t", "one", &first));
  ASSERT_TRUE(cluster.Produce("t", "two", &second));  // In the same turn: pipelined.
  ASSERT_TRUE(cluster.RunUntil([&] { return first && second; }));
  EXPECT_THAT(cluster.ReadAll("t"),
              ElementsAre(Pair(Offset(0), HasSubstr("one")), Pair(Offset(1), HasSubstr("two"))));
}

TEST(ClusterTest, AKilledLeaderIsReplacedAndNothingAcknowledgedIsLost) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  std::optional<Offset> first, second;
  ASSERT_TRUE(cluster.Produce("t", "one", &first));
  ASSERT_TRUE(cluster.RunUntil([&] { return first.has_value(); }));
  NodeId dead = cluster.LeaderOf("t");
  cluster.Kill(dead);
  MonoTime died = cluster.clock().Mono();
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }));
  EXPECT_LE(cluster.clock().Mono() - died, Millis(300));
  ASSERT_TRUE(cluster.Produce("t", "two", &second));
  ASSERT_TRUE(cluster.RunUntil([&] { return second.has_value(); }));
  cluster.Start(dead);
  NodeId leader = cluster.LeaderOf("t");
  auto topic = cluster.core(leader).image()->FindTopic("t");
  EXPECT_TRUE(
      cluster.RunUntil([&] { return cluster.core(leader).StateOf(*topic, 0).isr.size() == 3; }));
  EXPECT_THAT(cluster.ReadAll("t"),
              ElementsAre(Pair(Offset(0), HasSubstr("one")), Pair(Offset(1), HasSubstr("two"))));
}

// Mode F: an acknowledgement survives the loss of power of every broker at any moment after it.
TEST(ClusterTest, PowerLossAtEveryPointOfAProduceLosesNothingAcknowledged) {
  bool acked_at_end = false;
  for (int steps = 0; !acked_at_end || steps % 8 != 0; ++steps) {
    ASSERT_LT(steps, 2000) << "the produce is never acknowledged";
    TestCluster cluster(3);
    cluster.StartAll();
    ASSERT_TRUE(cluster.CreateTopic("t", {{"min.insync.replicas", "2"}}));
    std::optional<Offset> before, acked;
    ASSERT_TRUE(cluster.Produce("t", "before", &before));
    ASSERT_TRUE(cluster.RunUntil([&] { return before.has_value(); }));
    ASSERT_TRUE(cluster.Produce("t", "value", &acked));
    for (int i = 0; i < steps; ++i) cluster.Step();
    acked_at_end = acked.has_value();
    cluster.PowerLoss();
    cluster.StartAll();
    ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }));
    std::map<Offset, std::string> values = cluster.ReadAll("t");
    EXPECT_THAT(values, Contains(Pair(*before, HasSubstr("before"))))
        << "after " << steps << " steps";
    if (!acked) continue;
    EXPECT_THAT(values, Contains(Pair(*acked, HasSubstr("value")))) << "after " << steps;
  }
}

// Mode P: B acknowledged what only its memory had, and lost it with the power. It may not make a
// leader of C, which never had it.
TEST(ClusterTest, AReplicaThatLostPowerDoesNotVoteAwayWhatItAcknowledged) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic(
      "t", {{"flush.messages", "9223372036854775807"}, {"flush.ms", "9223372036854775807"}}));
  NodeId a = cluster.LeaderOf("t");
  NodeId b = NodeId(a.value() % 3 + 1);
  NodeId c = NodeId(b.value() % 3 + 1);
  cluster.Kill(c);
  std::optional<Offset> acked, later;
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") == a; }));
  ASSERT_TRUE(cluster.Produce("t", "one", &acked));
  ASSERT_TRUE(cluster.RunUntil([&] { return acked.has_value(); }));
  cluster.PowerLoss(b);
  cluster.Kill(a);
  cluster.Start(b);
  cluster.Start(c);
  EXPECT_FALSE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }, 5000));
  cluster.Start(a);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }));
  ASSERT_TRUE(cluster.Produce("t", "two", &later));
  ASSERT_TRUE(cluster.RunUntil([&] { return later.has_value(); }));
  EXPECT_THAT(cluster.ReadAll("t"),
              ElementsAre(Pair(Offset(0), HasSubstr("one")), Pair(Offset(1), HasSubstr("two"))));
}

TEST(ClusterTest, InModePTheClusterComesBackAfterAllHaveLostPower) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t", {{"flush.messages", "9223372036854775807"}}));
  std::optional<Offset> acked, later;
  ASSERT_TRUE(cluster.Produce("t", "one", &acked));
  ASSERT_TRUE(cluster.RunUntil([&] { return acked.has_value(); }));
  cluster.PowerLoss();
  cluster.StartAll();
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }));
  ASSERT_TRUE(cluster.Produce("t", "two", &later));
  EXPECT_TRUE(cluster.RunUntil([&] { return later.has_value(); }));
}

// D19: killed at any moment while the cluster comes to be, by the process or by the power.
TEST(ClusterTest, AKillAtAnyPointOfFormationStillLeadsToOneCluster) {
  for (const bool power : {false, true}) {
    bool formed = false;
    for (int steps = 0; !formed; steps += 5) {
      ASSERT_LT(steps, 5000) << "the cluster is never formed";
      const NodeId victim(steps % 3 + 1);
      TestCluster cluster(3);
      cluster.StartAll();
      for (int i = 0; i < steps; ++i) cluster.Step();
      formed = cluster.MetadataMembers().voters.size() == 3 &&
               cluster.core(victim).image()->brokers().size() == 3;
      if (power) {
        cluster.PowerLoss(victim);
      } else {
        cluster.Kill(victim);
      }
      cluster.Start(victim);
      ASSERT_TRUE(cluster.CreateTopic("t")) << "node " << victim << " after " << steps << " steps";
      for (int node = 1; node <= 3; ++node) {
        EXPECT_EQ(cluster.core(NodeId(node)).image()->cluster_id(),
                  cluster.core(NodeId(1)).image()->cluster_id());
      }
    }
  }
}

std::vector<int> NodesOf(const std::vector<raft::Member>& members) {
  std::vector<int> nodes;
  for (const raft::Member& member : members) nodes.push_back(member.node.value());
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

bool AllHave(TestCluster& cluster, std::vector<int> running, size_t brokers) {
  return std::all_of(running.begin(), running.end(), [&](int node) {
    return cluster.core(NodeId(node)).image()->brokers().size() == brokers;
  });
}

TEST(ClusterTest, ADeadBrokerThatWasUnregisteredIsForgottenAndComesBackToLearn) {
  TestCluster cluster(4);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  cluster.Kill(NodeId(4));
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return !cluster.core(NodeId(1)).live_brokers().contains(NodeId(4)); }));
  EXPECT_EQ(cluster.Unregister(NodeId(1), NodeId(4)), absl::OkStatus());
  ASSERT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3}, 3); }));
  ASSERT_TRUE(cluster.RunUntil([&] {
    return NodesOf(cluster.MetadataMembers().voters) == std::vector<int>{1, 2, 3};
  }));
  EXPECT_THAT(cluster.MetadataMembers().learners, IsEmpty());
  EXPECT_EQ(ErrcOf(cluster.Unregister(NodeId(2), NodeId(4))), Errc::kBrokerIdNotRegistered);
  cluster.Start(NodeId(4));  // What it has stored says that it is registered.
  EXPECT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3, 4}, 4); }));
  EXPECT_TRUE(cluster.RunUntil(
      [&] { return NodesOf(cluster.MetadataMembers().learners) == std::vector<int>{4}; }));
  EXPECT_THAT(NodesOf(cluster.MetadataMembers().voters), ElementsAre(1, 2, 3));
}

TEST(ClusterTest, ARunningBrokerThatIsUnregisteredHearsOfItAndStaysOutUntilItStartsAgain) {
  TestCluster cluster(4);
  cluster.StartAll();
  ASSERT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3, 4}, 4); }));
  EXPECT_EQ(cluster.Unregister(NodeId(1), NodeId(4)), absl::OkStatus());
  ASSERT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3, 4}, 3); }));
  ASSERT_TRUE(cluster.RunUntil([&] {
    return NodesOf(cluster.MetadataMembers().voters) == std::vector<int>{1, 2, 3};
  }));
  EXPECT_FALSE(cluster.core(NodeId(2)).live_brokers().contains(NodeId(4)));
  EXPECT_FALSE(cluster.RunUntil([&] { return AllHave(cluster, {1}, 4); }, 10000));
  cluster.Kill(NodeId(4));
  cluster.Start(NodeId(4));
  EXPECT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3, 4}, 4); }));
}

TEST(ClusterTest, TheControllerMayBeUnregisteredToo) {
  TestCluster cluster(4);
  cluster.StartAll();
  ASSERT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3, 4}, 4); }));
  const NodeId controller = cluster.core(NodeId(1)).controller();
  const NodeId other(controller.value() % 4 + 1);
  EXPECT_EQ(cluster.Unregister(other, controller), absl::OkStatus());
  EXPECT_TRUE(cluster.RunUntil([&] {
    const NodeId now = cluster.core(other).controller();
    return now != kNoNode && now != controller && cluster.MetadataMembers().voters.size() == 3;
  }));
}

TEST(ClusterTest, AFounderThatStaysAwayLosesItsVoteAndComesBackToLearn) {
  TestCluster cluster(4);
  cluster.StartAll();
  ASSERT_TRUE(cluster.RunUntil([&] { return AllHave(cluster, {1, 2, 3, 4}, 4); }));
  cluster.Kill(NodeId(4));  // All four are founders: one of them comes back without a vote.
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return !cluster.core(NodeId(1)).live_brokers().contains(NodeId(4)); }));
  EXPECT_EQ(cluster.Unregister(NodeId(1), NodeId(4)), absl::OkStatus());
  cluster.Start(NodeId(4));
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return NodesOf(cluster.MetadataMembers().learners) == std::vector<int>{4}; }));
  cluster.Kill(NodeId(3));
  EXPECT_FALSE(cluster.RunUntil(
      [&] {
        return NodesOf(cluster.MetadataMembers().voters) == std::vector<int>{1, 2, 4};
      },
      4000));
  ASSERT_TRUE(cluster.RunUntil([&] {
    return NodesOf(cluster.MetadataMembers().voters) == std::vector<int>{1, 2, 4};
  }));
  cluster.Start(NodeId(3));
  ASSERT_TRUE(
      cluster.RunUntil([&] { return cluster.core(NodeId(1)).live_brokers().contains(NodeId(3)); }));
  cluster.Kill(NodeId(2));
  EXPECT_TRUE(cluster.RunUntil([&] {
    return NodesOf(cluster.MetadataMembers().voters) == std::vector<int>{1, 3, 4};
  }));
  EXPECT_TRUE(AllHave(cluster, {1, 3, 4}, 4));
}

TEST(ClusterTest, ABrokerThatHasJustGoneStaysListedForAMomentButIsNotAlive) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  cluster.Kill(NodeId(2));
  BrokerCore& one = cluster.core(NodeId(1));
  ASSERT_TRUE(cluster.RunUntil([&] { return !one.live_brokers().contains(NodeId(2)); }, 1000));
  EXPECT_TRUE(one.listed_brokers().contains(NodeId(2)));
  EXPECT_TRUE(cluster.RunUntil([&] { return !one.listed_brokers().contains(NodeId(2)); }, 100));
  EXPECT_TRUE(one.listed_brokers().contains(NodeId(3)));
}

TEST(ClusterTest, MoreThanMayBeUncommittedWaitsItsTurnInOrder) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  constexpr int kBatches = 80;  // Of 1 MiB: more than a group's uncommitted 64 MiB.
  std::vector<std::optional<Offset>> acked(kBatches);
  for (auto& one : acked) ASSERT_TRUE(cluster.Produce("t", std::string(1 << 20, 'x'), &one));
  ASSERT_TRUE(cluster.RunUntil([&] { return acked.back().has_value(); }));
  for (int i = 0; i < kBatches; ++i) EXPECT_EQ(acked[static_cast<size_t>(i)], Offset(i));
}

TEST(ClusterTest, ALonelyReplicaAcknowledgesNothingThatWantsTwo) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t", {{"min.insync.replicas", "3"}}));
  NodeId leader = cluster.LeaderOf("t");
  for (int32_t node = 1; node <= 3; ++node) {
    if (NodeId(node) != leader) {
      cluster.Kill(NodeId(node));
      break;
    }
  }
  auto topic = cluster.core(leader).image()->FindTopic("t");
  ASSERT_TRUE(
      cluster.RunUntil([&] { return cluster.core(leader).StateOf(*topic, 0).isr.size() == 2; }));
  std::optional<Offset> acked;
  Errc failure = Errc::kUnknown;
  ASSERT_TRUE(cluster.Produce("t", "value", &acked, &failure));
  EXPECT_EQ(failure, Errc::kNotEnoughReplicas);
  EXPECT_FALSE(acked.has_value());
}

TEST(ClusterTest, ALeaderWithoutItsMajoritySaysThatNobodyLeads) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  NodeId leader = cluster.LeaderOf("t");
  for (int32_t node = 1; node <= 3; ++node) {
    if (NodeId(node) != leader) cluster.Kill(NodeId(node));
  }
  auto topic = cluster.core(leader).image()->FindTopic("t");
  EXPECT_TRUE(cluster.RunUntil(
      [&] { return cluster.core(leader).StateOf(*topic, 0).leader == kNoNode; }, 2000));
}

// Newcomers learn, then one joint step swaps all; a replica that comes back later starts with
// nothing, though its node was there when the group was made.
TEST(ClusterTest, APartitionMovesAwayFromItsLeaderAndBackAndLosesNothing) {
  TestCluster cluster(4);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  std::optional<Offset> first, second, third;
  ASSERT_TRUE(cluster.Produce("t", "one", &first));
  ASSERT_TRUE(cluster.RunUntil([&] { return first.has_value(); }));
  const NodeId leader = cluster.LeaderOf("t");
  std::vector<NodeId> made_with = cluster.ReplicasOf("t");
  std::vector<NodeId> elsewhere;
  for (int node = 1; node <= 4; ++node) {
    if (NodeId(node) != leader) elsewhere.push_back(NodeId(node));
  }
  ASSERT_TRUE(cluster.Move("t", elsewhere));
  EXPECT_NE(cluster.LeaderOf("t"), leader);
  EXPECT_TRUE(cluster.RunUntil(
      [&] { return ErrcOf(cluster.core(leader).Find("t", 0).status()) == Errc::kNotLeader; }));
  ASSERT_TRUE(cluster.Produce("t", "two", &second));
  ASSERT_TRUE(cluster.RunUntil([&] { return second.has_value(); }));
  ASSERT_TRUE(cluster.Move("t", made_with));
  ASSERT_TRUE(cluster.Produce("t", "three", &third));
  ASSERT_TRUE(cluster.RunUntil([&] { return third.has_value(); }));
  EXPECT_THAT(cluster.ReadAll("t"),
              ElementsAre(Pair(Offset(0), HasSubstr("one")), Pair(Offset(1), HasSubstr("two")),
                          Pair(Offset(2), HasSubstr("three"))));
}

}  // namespace
}  // namespace garam
