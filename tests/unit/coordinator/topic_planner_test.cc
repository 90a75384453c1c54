// PlanCreateTopics: Kafka's checks and messages.
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TopicPlannerTest : public ClusterFixture {
 protected:
  void ExpectRefused(const TopicSpec& spec, Errc errc, const std::string& message) {
    const absl::Status status = Plan(spec).status();
    EXPECT_THAT(status, HasErrc(errc)) << spec.name;
    EXPECT_EQ(std::string(status.message()), message);
  }
  static ManualAssignment Manual(int32_t partition, std::vector<int32_t> nodes) {
    ManualAssignment assignment{.partition = partition};
    for (int32_t node : nodes) assignment.replicas.push_back(NodeId(node));
    return assignment;
  }
};

TEST_F(TopicPlannerTest, UnsetNumbersMeanTheDefaults) {
  StartCluster(5);
  defaults_.num_partitions = 4;
  const auto planned = Plan({.name = "t"});
  ASSERT_TRUE(planned.ok());
  EXPECT_EQ(planned->topic.num_partitions, 4);
  EXPECT_EQ(planned->topic.replication_factor, 3);
}

TEST_F(TopicPlannerTest, AnUnsetReplicationFactorIsNeverMoreThanThereAreBrokers) {
  StartCluster(1);
  EXPECT_EQ(Plan({.name = "t"})->topic.replication_factor, 1);
  Register(BrokerOf(2));
  EXPECT_EQ(Plan({.name = "t"})->topic.replication_factor, 2);
}

TEST_F(TopicPlannerTest, AnUnsetReplicationFactorWaitsForTheVotersOfANewCluster) {
  Form("cluster-a", /*voters=*/3);
  Register(BrokerOf(1));
  ExpectRefused({.name = "t"}, Errc::kInvalidReplicationFactor,
                "Unable to replicate the partition 3 time(s): The target replication factor of 3 "
                "cannot be reached because only 1 broker(s) are registered.");
  Register(BrokerOf(2));
  Register(BrokerOf(3));
  EXPECT_EQ(Plan({.name = "t"})->topic.replication_factor, 3);
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(3)));
  EXPECT_EQ(Plan({.name = "t"})->topic.replication_factor, 2);
}

TEST_F(TopicPlannerTest, ADeadBrokerStillCountsForTheReplicationFactor) {
  StartCluster(3);
  live_.erase(NodeId(3));
  EXPECT_EQ(Plan({.name = "t"})->topic.replication_factor, 3);
}

TEST_F(TopicPlannerTest, AConfiguredReplicationFactorIsTakenAsItIs) {
  StartCluster(3);
  defaults_.replication_factor = 1;
  EXPECT_EQ(Plan({.name = "t"})->topic.replication_factor, 1);
}

TEST_F(TopicPlannerTest, TwoReplicasAreWarnedAbout) {
  StartCluster(3);
  EXPECT_THAT(Plan({.name = "t", .replication_factor = 2})->warning, HasSubstr("2 replicas"));
  EXPECT_EQ(Plan({.name = "t", .replication_factor = 3})->warning, "");
}

TEST_F(TopicPlannerTest, ATakenNameIsRefused) {
  StartCluster(1);
  Create({.name = "t"});
  ExpectRefused({.name = "t"}, Errc::kTopicExists, "Topic 't' already exists.");
}

TEST_F(TopicPlannerTest, ANameThatDiffersInDotsAndUnderscoresOnlyIsRefused) {
  StartCluster(1);
  Create({.name = "a.b_c"});
  ExpectRefused({.name = "a_b.c"}, Errc::kInvalidTopicName,
                "Topic 'a_b.c' collides with existing topic: a.b_c");
}

TEST_F(TopicPlannerTest, IllegalNamesAreRefused) {
  StartCluster(1);
  ExpectRefused({.name = ""}, Errc::kInvalidTopicName,
                "Topic name is invalid: the empty string is not allowed");
  ExpectRefused({.name = "."}, Errc::kInvalidTopicName,
                "Topic name is invalid: '.' is not allowed");
  ExpectRefused({.name = ".."}, Errc::kInvalidTopicName,
                "Topic name is invalid: '..' is not allowed");
  for (const char* name : {"a b", "a/b", "caf\xc3\xa9"}) {
    EXPECT_THAT(Plan({.name = name}).status(), HasErrc(Errc::kInvalidTopicName)) << name;
  }
  EXPECT_THAT(Plan({.name = std::string("a\0b", 3)}).status(), HasErrc(Errc::kInvalidTopicName));
  EXPECT_THAT(Plan({.name = std::string(250, 'x')}).status(), HasErrc(Errc::kInvalidTopicName));
  EXPECT_TRUE(Plan({.name = std::string(249, 'x')}).ok());
  EXPECT_TRUE(Plan({.name = "..."}).ok());
}

TEST_F(TopicPlannerTest, TheMetadataTopicCannotBeCreated) {
  StartCluster(1);
  EXPECT_THAT(Plan({.name = "__cluster_metadata"}).status(), HasErrc(Errc::kInvalidRequest));
}

TEST_F(TopicPlannerTest, PartitionCountsBelowOneAreRefused) {
  StartCluster(1);
  for (int32_t count : {0, -2}) {
    ExpectRefused({.name = "t", .num_partitions = count}, Errc::kInvalidPartitions,
                  "Number of partitions was set to an invalid non-positive value.");
  }
}

TEST_F(TopicPlannerTest, TooManyPartitionsInOneRequestAreRefused) {
  StartCluster(1);
  defaults_.partitions_per_request_max = 10;
  const auto plan = Plan({{.name = "a", .num_partitions = 8}, {.name = "b", .num_partitions = 3}});
  EXPECT_TRUE(plan[0].ok());
  EXPECT_THAT(plan[1].status(), HasErrc(Errc::kInvalidPartitions));
}

TEST_F(TopicPlannerTest, MorePartitionsThanTheClusterTakesAreRefused) {
  StartCluster(1);
  defaults_.partitions_per_cluster_max = 5;
  Create({.name = "a", .num_partitions = 4});
  EXPECT_THAT(Plan({.name = "b", .num_partitions = 2}).status(), HasErrc(Errc::kInvalidPartitions));
  EXPECT_TRUE(Plan({.name = "b", .num_partitions = 1}).ok());
}

TEST_F(TopicPlannerTest, ReplicationFactorsBelowOneAreRefused) {
  StartCluster(1);
  for (int32_t factor : {0, -2}) {
    ExpectRefused({.name = "t", .replication_factor = factor}, Errc::kInvalidReplicationFactor,
                  "Replication factor must be larger than 0, or -1 to use the default value.");
  }
}

TEST_F(TopicPlannerTest, MoreReplicasThanBrokersAreRefused) {
  StartCluster(1);
  ExpectRefused({.name = "t", .replication_factor = 3}, Errc::kInvalidReplicationFactor,
                "Unable to replicate the partition 3 time(s): The target replication factor of 3 "
                "cannot be reached because only 1 broker(s) are registered.");
}

TEST_F(TopicPlannerTest, WithoutALiveBrokerNothingIsCreated) {
  StartCluster(2);
  live_.clear();
  ExpectRefused({.name = "t"}, Errc::kInvalidReplicationFactor,
                "Unable to replicate the partition 2 time(s): All brokers are currently fenced.");
}

TEST_F(TopicPlannerTest, AManualAssignmentIsTakenAsItIs) {
  StartCluster(3);
  const auto topic = Create({.name = "t", .assignments = {Manual(1, {3, 1}), Manual(0, {2, 3})}});
  ASSERT_EQ(topic->partitions.size(), 2u);
  EXPECT_EQ(topic->partitions[0].replicas[0].node, NodeId(2));
  EXPECT_EQ(topic->partitions[1].replicas[0].node, NodeId(3));
  EXPECT_EQ(topic->partitions[1].replicas[1].node, NodeId(1));
}

TEST_F(TopicPlannerTest, AManualAssignmentAllowsNoCounts) {
  StartCluster(1);
  EXPECT_THAT(Plan({.name = "t", .num_partitions = 1, .assignments = {Manual(0, {1})}}).status(),
              HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(
      Plan({.name = "t", .replication_factor = 1, .assignments = {Manual(0, {1})}}).status(),
      HasErrc(Errc::kInvalidRequest));
}

TEST_F(TopicPlannerTest, ManualAssignmentsThatDoNotAddUpAreRefused) {
  StartCluster(3);
  const auto refused = [&](std::vector<ManualAssignment> assignments, const std::string& message) {
    ExpectRefused({.name = "t", .assignments = std::move(assignments)},
                  Errc::kInvalidReplicaAssignment, message);
  };
  refused({Manual(0, {1}), Manual(2, {1})},
          "partitions should be a consecutive 0-based integer sequence");
  refused({Manual(0, {1}), Manual(0, {2})},
          "Found multiple manual partition assignments for partition 0");
  refused({Manual(0, {})}, "The manual partition assignment includes an empty replica list.");
  refused({Manual(0, {1, 1})},
          "The manual partition assignment includes the broker 1 more than once.");
  refused({Manual(0, {9})},
          "The manual partition assignment includes broker 9, but no such broker is registered.");
  refused({Manual(0, {1, 2}), Manual(1, {1})},
          "The manual partition assignment includes a partition with 1 replica(s), but this is not "
          "consistent with previous partitions, which have 2 replica(s).");
  live_.erase(NodeId(1));
  refused({Manual(0, {1})},
          "All brokers specified in the manual partition assignment for partition 0 are fenced or "
          "in controlled shutdown.");
}

TEST_F(TopicPlannerTest, DuplicatesInOneRequestAreAllRefused) {
  StartCluster(1);
  const auto plan = Plan({{.name = "a"}, {.name = "b"}, {.name = "a"}});
  EXPECT_THAT(plan[0].status(), HasErrc(Errc::kInvalidRequest));
  EXPECT_TRUE(plan[1].ok());
  EXPECT_EQ(std::string(plan[2].status().message()), "Duplicate topic name.");
}

TEST_F(TopicPlannerTest, TopicsOfOneRequestCanBeAppliedOneAfterTheOther) {
  StartCluster(3);
  const CreateTopicsPlan plan =
      PlanCreateTopics(image_, live_, defaults_,
                       {{.name = "a", .num_partitions = 2}, {.name = "b"}}, false, random_);
  EXPECT_TRUE(Apply(plan.topics[0]->command).outcome.ok());
  EXPECT_TRUE(Apply(plan.topics[1]->command).outcome.ok());
  EXPECT_EQ(plan.after->At(LogIndex(0))->EncodeSnapshot(),
            image_->At(LogIndex(0))->EncodeSnapshot());
}

TEST_F(TopicPlannerTest, NamesOfOneRequestMayNotCollide) {
  StartCluster(1);
  const auto plan = Plan({{.name = "a.b"}, {.name = "a_b"}});
  EXPECT_TRUE(plan[0].ok());
  EXPECT_THAT(plan[1].status(), HasErrc(Errc::kInvalidTopicName));
}

TEST_F(TopicPlannerTest, ValidatingPlansNoCommand) {
  StartCluster(1);
  const auto plan = Plan({{.name = "t", .num_partitions = 7}}, /*validate_only=*/true);
  ASSERT_TRUE(plan[0].ok());
  EXPECT_EQ(plan[0]->command, "");
  EXPECT_TRUE(plan[0]->topic.id.IsZero());
  EXPECT_EQ(plan[0]->topic.num_partitions, 7);
}

TEST_F(TopicPlannerTest, ConfigsAreCheckedAndKeptAsGiven) {
  StartCluster(1);
  defaults_.check_configs = [](const std::map<std::string, std::string>& configs)
      -> absl::StatusOr<std::vector<EffectiveConfig>> {
    if (configs.contains("bad")) return MakeError(Errc::kInvalidConfig, "Unknown config: bad");
    return std::vector<EffectiveConfig>{{.name = "x", .value = "1"}};
  };
  const auto planned = Plan({.name = "t", .configs = {{"x", "1"}}});
  ASSERT_TRUE(planned.ok());
  EXPECT_THAT(planned->topic.configs, ElementsAre(EffectiveConfig{.name = "x", .value = "1"}));
  EXPECT_EQ(Create({.name = "t", .configs = {{"x", "1"}}})->configs.at("x"), "1");
  ExpectRefused({.name = "u", .configs = {{"bad", "1"}}}, Errc::kInvalidConfig,
                "Unknown config: bad");
}

TEST_F(TopicPlannerTest, AConfigWithoutAValueIsRefused) {
  StartCluster(1);
  ExpectRefused({.name = "t", .configs = {{"segment.bytes", std::nullopt}}}, Errc::kInvalidConfig,
                "Null value not supported for topic configs: segment.bytes");
}

}  // namespace
}  // namespace garam
