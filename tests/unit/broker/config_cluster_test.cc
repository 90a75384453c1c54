// Whole brokers whose configs are changed while they run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kNever[] = "9223372036854775807";

ConfigChange Set(const std::string& topic, const std::string& key, const std::string& value) {
  return {.topic = topic, .edits = {{key, ConfigOp::kSet, value}}};
}

// Written counts, and nothing is flushed by itself.
ConfigChange CountWritten(const std::string& topic) {
  return {
      .topic = topic,
      .edits = {{"flush.messages", ConfigOp::kSet, kNever}, {"flush.ms", ConfigOp::kSet, kNever}}};
}

bool Acknowledged(TestCluster& cluster, const std::string& value, Errc* failure = nullptr) {
  std::optional<Offset> acked;
  Errc errc = Errc::kUnknown;
  if (!cluster.Produce("t", value, &acked, &errc)) return false;
  cluster.RunUntil([&] { return acked.has_value() || errc != Errc::kUnknown; });
  if (failure != nullptr) *failure = errc;
  return acked.has_value();
}

// Whether every node that runs counts what `stage` says.
bool AllCount(TestCluster& cluster, raft::Stage stage) {
  for (int node = 1; node <= 3; ++node) {
    if (!cluster.running(NodeId(node))) continue;
    for (const auto& partition : cluster.core(NodeId(node)).partitions()) {
      if (partition->topic() == "t" && partition->replica().core().stage() != stage) return false;
    }
  }
  return true;
}

TEST(ConfigClusterTest, WhatIsWrittenCountsWhereATopicIsAlteredSo) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  ASSERT_TRUE(Acknowledged(cluster, "one"));
  ASSERT_TRUE(cluster.Alter(CountWritten("t")).ok());
  ASSERT_TRUE(cluster.RunUntil([&] { return AllCount(cluster, raft::Stage::kWritten); }));
  for (int node = 1; node <= 3; ++node) {
    cluster.StallDisk(NodeId(node), cluster.clock().Mono() + Millis(60000));
  }
  EXPECT_TRUE(Acknowledged(cluster, "two"));
}

TEST(ConfigClusterTest, WhatIsDurableCountsAgainWhereATopicIsAlteredSo) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t", {{"flush.messages", kNever}, {"flush.ms", kNever}}));
  ASSERT_TRUE(Acknowledged(cluster, "one"));
  ASSERT_TRUE(cluster.Alter(Set("t", "flush.messages", "1")).ok());
  ASSERT_TRUE(cluster.RunUntil([&] { return AllCount(cluster, raft::Stage::kDurable); }));
  ASSERT_TRUE(Acknowledged(cluster, "two"));
  cluster.PowerLoss();
  cluster.StartAll();
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }));
  EXPECT_THAT(cluster.ReadAll("t"),
              ElementsAre(Pair(Offset(0), HasSubstr("one")), Pair(Offset(1), HasSubstr("two"))));
}

// Whenever the power of a replica goes while the others still think otherwise of what counts: it
// either has what was acknowledged, or knows that it may not have it.
TEST(ConfigClusterTest, PowerLossAtEveryPointOfAnAlterationLosesNothingAcknowledged) {
  for (int steps = 0; steps < 300; steps += 5) {
    TestCluster cluster(3);
    cluster.StartAll();
    ASSERT_TRUE(cluster.CreateTopic("t"));
    const NodeId a = cluster.LeaderOf("t");
    const NodeId b(a.value() % 3 + 1);
    const NodeId c(b.value() % 3 + 1);
    cluster.Kill(c);
    ASSERT_TRUE(Acknowledged(cluster, "one"));
    cluster.core(a).AlterConfigs({CountWritten("t")}, /*validate_only=*/false,
                                 cluster.clock().Mono() + Millis(10000), 0, [](auto) {});
    for (int i = 0; i < steps; ++i) cluster.Step();
    if (cluster.LeaderOf("t") != a || !Acknowledged(cluster, "two")) continue;
    cluster.PowerLoss(b);
    cluster.Kill(a);
    cluster.Start(b);
    cluster.Start(c);
    if (!cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }, 2000)) {
      cluster.Start(a);
      ASSERT_TRUE(cluster.RunUntil([&] { return cluster.LeaderOf("t") != kNoNode; }));
    }
    ASSERT_THAT(cluster.ReadAll("t"), Contains(Pair(Offset(1), HasSubstr("two"))))
        << "after " << steps << " steps";
  }
}

// Makes the change, and waits until the leader of "t" has it, which may not be who was asked.
template <class Value>
void AlterLeader(TestCluster& cluster, const std::string& key, const std::string& value,
                 Value TopicConfig::*member) {
  ASSERT_TRUE(cluster.Alter(Set("t", key, value)).ok());
  ASSERT_TRUE(cluster.RunUntil([&] {
    const auto leader = cluster.PartitionOn(cluster.LeaderOf("t"), "t");
    return leader != nullptr && std::to_string((*leader->config()).*member) == value;
  }));
}

TEST(ConfigClusterTest, SegmentsEndWhereTheAlteredTopicSaysSo) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  AlterLeader(cluster, "segment.bytes", "1048576", &TopicConfig::segment_bytes);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Acknowledged(cluster, std::string(400'000, 'x')));
  EXPECT_THAT(cluster.SegmentsOf(cluster.LeaderOf("t"), "t"), SizeIs(3));
}

TEST(ConfigClusterTest, AnAlteredMinimumOfInSyncReplicasIsAskedForAtOnce) {
  TestCluster cluster(3);
  cluster.adjust = [](BrokerConfig& config) { config.replica_lag_time_max = Millis(500); };
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  ASSERT_TRUE(Acknowledged(cluster, "one"));
  cluster.Kill(NodeId(cluster.LeaderOf("t").value() % 3 + 1));
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsrOf("t").size() == 2; }));
  AlterLeader(cluster, "min.insync.replicas", "3", &TopicConfig::min_insync_replicas);
  Errc failure = Errc::kUnknown;
  EXPECT_FALSE(Acknowledged(cluster, "two", &failure));
  EXPECT_EQ(failure, Errc::kNotEnoughReplicas);
  AlterLeader(cluster, "min.insync.replicas", "2", &TopicConfig::min_insync_replicas);
  EXPECT_TRUE(Acknowledged(cluster, "three"));
}

TEST(ConfigClusterTest, WhoWasAwayHasTheAlteredConfig) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  cluster.Kill(NodeId(3));
  ASSERT_TRUE(cluster.Alter(Set("t", "max.message.bytes", "777")).ok());
  cluster.Start(NodeId(3));
  EXPECT_TRUE(cluster.RunUntil([&] {
    const auto partition = cluster.PartitionOn(NodeId(3), "t");
    return partition != nullptr && partition->config()->max_message_bytes == 777;
  }));
}

TEST(ConfigClusterTest, AConfigThatIsNoneIsRefused) {
  TestCluster cluster(1);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  EXPECT_EQ(ErrcOf(cluster.Alter(Set("t", "segment.bytes", "5"))), Errc::kInvalidConfig);
  EXPECT_EQ(ErrcOf(cluster.Alter(Set("none", "segment.bytes", "5"))), Errc::kUnknownTopic);
  EXPECT_EQ(ErrcOf(cluster.Alter(Set("", "num.partitions", "5"))), Errc::kInvalidRequest);
}

TEST(ConfigClusterTest, DefaultsOfABrokerReachThePartitionsThatRunOnIt) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  const auto segment_bytes = [&](int32_t node) {
    const auto partition = cluster.PartitionOn(NodeId(node), "t");
    return partition == nullptr ? 0 : partition->config()->segment_bytes;
  };
  ASSERT_TRUE(cluster.Alter(Set("", "log.segment.bytes", "2000000")).ok());
  EXPECT_TRUE(cluster.RunUntil([&] {
    return segment_bytes(1) == 2000000 && segment_bytes(2) == 2000000 &&
           segment_bytes(3) == 2000000;
  }));
  ConfigChange of_one = Set("", "log.segment.bytes", "3000000");
  of_one.broker = NodeId(2);
  ASSERT_TRUE(cluster.Alter(of_one).ok());
  EXPECT_TRUE(cluster.RunUntil([&] { return segment_bytes(2) == 3000000; }));
  EXPECT_EQ(segment_bytes(1), 2000000);
  ASSERT_TRUE(cluster.Alter(Set("t", "segment.bytes", "4000000")).ok());
  EXPECT_TRUE(cluster.RunUntil([&] { return segment_bytes(2) == 4000000; }));
  cluster.Kill(NodeId(2));
  cluster.Start(NodeId(2));
  ASSERT_TRUE(
      cluster.Alter({.topic = "t", .edits = {{"segment.bytes", ConfigOp::kDelete, ""}}}).ok());
  EXPECT_TRUE(cluster.RunUntil([&] { return segment_bytes(2) == 3000000; }));
}

TEST(ConfigClusterTest, NewPartitionsOpenAndAreLed) {
  TestCluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.CreateTopic("t"));
  ASSERT_TRUE(Acknowledged(cluster, "one"));
  ASSERT_TRUE(cluster.Enlarge({.topic = "t", .count = 4}).ok());
  EXPECT_TRUE(cluster.RunUntil([&] {
    BrokerCore& core = cluster.core(NodeId(1));
    const auto topic = core.image()->FindTopic("t");
    for (int32_t index = 0; index < 4; ++index) {
      if (core.StateOf(*topic, index).isr.size() != 3) return false;
    }
    return core.Find("t", 3).ok();
  }));
  EXPECT_THAT(cluster.ReadAll("t"), ElementsAre(Pair(Offset(0), HasSubstr("one"))));
}

}  // namespace
}  // namespace garam
