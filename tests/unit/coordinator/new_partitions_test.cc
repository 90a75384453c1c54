#include "coordinator/new_partitions.h"

#include <map>

#include "coordinator/placement.h"
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;

class NewPartitionsTest : public ClusterFixture {
 protected:
  absl::StatusOr<std::string> More(const MorePartitionsSpec& spec) {
    return PlanMorePartitions(*image_, live_, defaults_, spec, random_);
  }
  void ExpectRefused(const MorePartitionsSpec& spec, Errc errc, const std::string& message) {
    EXPECT_EQ(More(spec).status(), MakeError(errc, message));
  }
  std::vector<NodeId> ReplicasOf(int32_t partition) {
    return NodesOf(image_->FindTopic("t")->Find(partition)->replicas);
  }
};

TEST_F(NewPartitionsTest, ThePartitionsThatWereThereStayAsTheyAre) {
  StartCluster(3);
  const auto before = Create({.name = "t", .num_partitions = 2, .replication_factor = 2});
  const GroupId next = image_->next_group();
  const auto applied = Apply(More({.topic = "t", .count = 5}));
  EXPECT_TRUE(applied.outcome.ok()) << applied.outcome;
  EXPECT_THAT(applied.changed_topics, ElementsAre(before->id));
  const auto after = image_->FindTopic("t");
  ASSERT_EQ(after->partitions.size(), 5U);
  EXPECT_EQ(after->partitions[0], before->partitions[0]);
  EXPECT_EQ(after->partitions[1], before->partitions[1]);
  EXPECT_EQ(after->partitions[2].group, next);
  EXPECT_EQ(after->partitions[4].replicas.size(), 2U);
  EXPECT_EQ(image_->FindGroup(next + 2)->partition, 4);
  EXPECT_EQ(image_->FindTopic(before->id), after);
}

TEST_F(NewPartitionsTest, LeadersAreEvenOverOldAndNewPartitions) {
  StartCluster(3);
  Create({.name = "other", .num_partitions = 1, .replication_factor = 1});
  Create({.name = "t", .num_partitions = 4, .replication_factor = 3});
  Apply(More({.topic = "t", .count = 9}));
  std::map<NodeId, int> leaders;
  for (int32_t index = 0; index < 9; ++index) ++leaders[ReplicasOf(index).front()];
  for (const auto& [node, led] : leaders) EXPECT_EQ(led, 3) << node;
}

TEST_F(NewPartitionsTest, AClientMayChooseTheReplicas) {
  StartCluster(3);
  Create({.name = "t", .num_partitions = 1, .replication_factor = 2});
  Apply(More({.topic = "t",
              .count = 3,
              .assignments = {{{NodeId(3), NodeId(1)}, {NodeId(2), NodeId(3)}}}}));
  EXPECT_THAT(ReplicasOf(1), ElementsAre(NodeId(3), NodeId(1)));
  EXPECT_THAT(ReplicasOf(2), ElementsAre(NodeId(2), NodeId(3)));
}

TEST_F(NewPartitionsTest, WhatIsNoIncreaseIsRefused) {
  StartCluster(1);
  Create({.name = "t", .num_partitions = 3});
  ExpectRefused({.topic = "t", .count = 3}, Errc::kInvalidPartitions,
                "Topic already has 3 partition(s).");
  ExpectRefused({.topic = "t", .count = 2}, Errc::kInvalidPartitions,
                "The topic t currently has 3 partition(s); 2 would not be an increase.");
  ExpectRefused({.topic = "none", .count = 2}, Errc::kUnknownTopic,
                "The topic 'none' does not exist.");
}

TEST_F(NewPartitionsTest, ChosenReplicasAreChecked) {
  StartCluster(3);
  Create({.name = "t", .num_partitions = 1, .replication_factor = 2});
  const auto chosen = [](std::vector<std::vector<NodeId>> replicas) {
    return MorePartitionsSpec{.topic = "t", .count = 2, .assignments = std::move(replicas)};
  };
  ExpectRefused(chosen({}), Errc::kInvalidReplicaAssignment,
                "Attempted to add 1 additional partition(s), but only 0 assignment(s) were "
                "specified.");
  ExpectRefused(chosen({{NodeId(1)}}), Errc::kInvalidReplicaAssignment,
                "The manual partition assignment includes a partition with 1 replica(s), but this "
                "is not consistent with previous partitions, which have 2 replica(s).");
  ExpectRefused(chosen({{NodeId(1), NodeId(1)}}), Errc::kInvalidReplicaAssignment,
                "The manual partition assignment includes the broker 1 more than once.");
  EXPECT_THAT(More(chosen({{NodeId(1), NodeId(9)}})).status(),
              HasErrc(Errc::kInvalidReplicaAssignment));
  live_ = {NodeId(3)};
  EXPECT_THAT(More(chosen({{NodeId(1), NodeId(2)}})).status(),
              HasErrc(Errc::kInvalidReplicaAssignment));
}

TEST_F(NewPartitionsTest, ReplicasNeedAsManyBrokers) {
  StartCluster(2);
  Create({.name = "t", .num_partitions = 1, .replication_factor = 2});
  live_.erase(NodeId(2));
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(2)));
  EXPECT_THAT(More({.topic = "t", .count = 2}).status(), HasErrc(Errc::kInvalidReplicationFactor));
}

TEST_F(NewPartitionsTest, ThereIsALimit) {
  StartCluster(1);
  Create({.name = "t", .num_partitions = 1});
  defaults_.partitions_per_request_max = 10;
  EXPECT_TRUE(More({.topic = "t", .count = 11}).ok());
  EXPECT_THAT(More({.topic = "t", .count = 12}).status(), HasErrc(Errc::kInvalidPartitions));
}

TEST_F(NewPartitionsTest, GroupsAreFoundByTheNumberOfPartitionsOfTheirTopic) {
  StartCluster(1);
  Create({.name = std::string(kOffsetsTopic), .num_partitions = 5});
  EXPECT_THAT(More({.topic = std::string(kOffsetsTopic), .count = 6}).status(),
              HasErrc(Errc::kInvalidPartitions));
}

TEST_F(NewPartitionsTest, GroupIdsThatWereGivenAwaySinceAreRefused) {
  StartCluster(1);
  Create({.name = "t", .num_partitions = 1});
  const auto command = More({.topic = "t", .count = 2});
  Create({.name = "u", .num_partitions = 1});
  EXPECT_THAT(Apply(command).outcome, HasErrc(Errc::kInvalidRequest));
  EXPECT_EQ(image_->FindTopic("t")->partitions.size(), 1U);
}

}  // namespace
}  // namespace garam
