// AlterPartitionReassignments, ListPartitionReassignments, ElectLeaders, DescribeLogDirs.
#include <gmock/gmock.h>

#include "coordinator/reassignment.h"
#include "proto/kafka/alter_partition_reassignments.h"
#include "proto/kafka/describe_log_dirs.h"
#include "proto/kafka/elect_leaders.h"
#include "proto/kafka/list_partition_reassignments.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlacementHandlersTest : public HandlerFixture {
 protected:
  PlacementHandlersTest() {
    StartCluster(4);
    topic_ = Create({.name = "t",
                     .num_partitions = -1,
                     .replication_factor = -1,
                     .assignments = {{0, {NodeId(1), NodeId(2), NodeId(3)}},
                                     {1, {NodeId(2), NodeId(3), NodeId(1)}}}});
    for (int32_t i = 0; i < 2; ++i) SetLeader(i, NodeId(3));
    UseImage();
  }
  void SetLeader(int32_t partition, NodeId leader) {
    PartitionState& state = broker_.states[{"t", partition}];
    state.leader = leader;
    state.replicas = state.isr = {NodeId(1), NodeId(2), NodeId(3)};
  }
  void Move(std::vector<NodeId> replicas) {
    Apply(PlanMove(*image_, {.topic = "t", .partition = 0, .replicas = std::move(replicas)}));
    UseImage();
  }
  static kafka::AlterPartitionReassignmentsRequest ToBrokers(std::vector<int32_t> replicas) {
    kafka::AlterPartitionReassignmentsRequest message;
    auto& topic = message.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().replicas = std::move(replicas);
    return message;
  }
  kafka::ElectLeadersRequest Elect(std::vector<int32_t> partitions) {
    kafka::ElectLeadersRequest message;
    message.topic_partitions.emplace();
    auto& topic = message.topic_partitions->emplace_back();
    topic.topic = "t";
    topic.partitions = std::move(partitions);
    return message;
  }

  std::shared_ptr<const TopicImage> topic_;
};

// ---- AlterPartitionReassignments -------------------------------------------------------------

TEST_F(PlacementHandlersTest, AMoveAndItsUndoingGoToTheController) {
  auto message = ToBrokers({2, 3, 4});
  auto& undone = message.topics[0].partitions.emplace_back();
  undone.partition_index = 1;
  undone.replicas = std::nullopt;
  const auto response = Ask<kafka::AlterPartitionReassignmentsResponse>(message, 1);
  EXPECT_EQ(response.error_code, ErrorCode::kNone);
  ASSERT_THAT(response.responses, SizeIs(1));
  ASSERT_THAT(response.responses[0].partitions, SizeIs(2));
  EXPECT_EQ(response.responses[0].partitions[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.responses[0].partitions[0].error_message, std::nullopt);
  const MoveSpec there{.topic = "t", .replicas = {{NodeId(2), NodeId(3), NodeId(4)}}};
  const MoveSpec back{.topic = "t", .partition = 1};
  EXPECT_THAT(broker_.moved, ElementsAre(there, back));
}

TEST_F(PlacementHandlersTest, WhatTheControllerRefusesIsAnsweredByPartition) {
  broker_.move_error =
      MakeError(Errc::kNoReassignment, "No partition reassignment is in progress.");
  auto message = ToBrokers({});
  message.topics[0].partitions[0].replicas = std::nullopt;
  const auto response = Ask<kafka::AlterPartitionReassignmentsResponse>(message, 0);
  const auto& answer = response.responses[0].partitions[0];
  EXPECT_EQ(answer.error_code, ErrorCode::kNoReassignmentInProgress);
  EXPECT_EQ(answer.error_message, "No partition reassignment is in progress.");
}

TEST_F(PlacementHandlersTest, AMoveThatMayNotChangeTheFactorDoesNot) {
  auto message = ToBrokers({2, 3});
  message.allow_replication_factor_change = false;
  auto response = Ask<kafka::AlterPartitionReassignmentsResponse>(message, 1);
  EXPECT_EQ(response.responses[0].partitions[0].error_code, ErrorCode::kInvalidReplicationFactor);
  EXPECT_THAT(broker_.moved, IsEmpty());
  message.allow_replication_factor_change = true;
  response = Ask<kafka::AlterPartitionReassignmentsResponse>(message, 1);
  EXPECT_EQ(response.responses[0].partitions[0].error_code, ErrorCode::kNone);
  EXPECT_THAT(broker_.moved, SizeIs(1));
}

// ---- ListPartitionReassignments --------------------------------------------------------------

TEST_F(PlacementHandlersTest, AMoveUnderWayIsShownWithWhoComesAndWhoGoes) {
  Move({NodeId(4), NodeId(2)});
  kafka::ListPartitionReassignmentsRequest all;
  all.topics = std::nullopt;
  kafka::ListPartitionReassignmentsRequest named;
  auto& topic = named.topics.emplace().emplace_back();
  topic.name = "t";
  topic.partition_indexes = {0, 1, 7, -1};
  for (const auto& message : {all, named}) {
    const auto response = Ask<kafka::ListPartitionReassignmentsResponse>(message, 0);
    ASSERT_THAT(response.topics, SizeIs(1));
    ASSERT_THAT(response.topics[0].partitions, SizeIs(1)) << "the other one does not move";
    const auto& moving = response.topics[0].partitions[0];
    EXPECT_EQ(moving.partition_index, 0);
    EXPECT_THAT(moving.replicas, ElementsAre(4, 2, 1, 3));
    EXPECT_THAT(moving.adding_replicas, ElementsAre(4));
    EXPECT_THAT(moving.removing_replicas, ElementsAre(1, 3));
  }
}

TEST_F(PlacementHandlersTest, NothingIsShownWhereNothingMoves) {
  kafka::ListPartitionReassignmentsRequest message;
  message.topics.emplace().emplace_back().name = "absent";
  EXPECT_THAT(Ask<kafka::ListPartitionReassignmentsResponse>(message, 0).topics, IsEmpty());
}

// ---- ElectLeaders ----------------------------------------------------------------------------

TEST_F(PlacementHandlersTest, TheAnswerWaitsForThePreferredLeader) {
  Send(Elect({0}), 2);
  Settle();
  EXPECT_FALSE(sink_->finished);
  const MoveSpec wish{.topic = "t", .leadership_only = true};
  EXPECT_THAT(broker_.moved, ElementsAre(wish));
  SetLeader(0, NodeId(1));
  clock_.Advance(Millis(5));
  const auto response = Answer<kafka::ElectLeadersResponse>(2);
  ASSERT_THAT(response.replica_election_results, SizeIs(1));
  const auto& result = response.replica_election_results[0].partition_result[0];
  EXPECT_EQ(result.error_code, ErrorCode::kNone);
  EXPECT_EQ(result.error_message, std::nullopt);
}

TEST_F(PlacementHandlersTest, AnElectionThatDoesNotComeAboutTimesOut) {
  auto message = Elect({0});
  message.timeout_ms = 100;
  Send(message, 2);
  Settle();
  clock_.Advance(Millis(100));
  const auto response = Answer<kafka::ElectLeadersResponse>(2);
  EXPECT_EQ(response.replica_election_results[0].partition_result[0].error_code,
            ErrorCode::kRequestTimedOut);
}

TEST_F(PlacementHandlersTest, WhatNeedsNoElectionOrCannotHaveOneIsSaid) {
  SetLeader(0, NodeId(1));
  broker_.states[{"t", 1}].isr = {NodeId(1), NodeId(3)};
  const auto response = Ask<kafka::ElectLeadersResponse>(Elect({0, 1, 2}), 2);
  const auto& results = response.replica_election_results[0].partition_result;
  ASSERT_THAT(results, SizeIs(3));
  EXPECT_EQ(results[0].error_code, ErrorCode::kElectionNotNeeded);
  EXPECT_EQ(results[1].error_code, ErrorCode::kPreferredLeaderNotAvailable);
  EXPECT_EQ(results[2].error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_THAT(broker_.moved, IsEmpty());
}

TEST_F(PlacementHandlersTest, AnUncleanElectionIsNeverWhatIsMissing) {
  broker_.states[{"t", 1}].leader = kNoNode;
  auto message = Elect({0, 1});
  message.election_type = 1;
  const auto response = Ask<kafka::ElectLeadersResponse>(message, 2);
  const auto& results = response.replica_election_results[0].partition_result;
  EXPECT_EQ(results[0].error_code, ErrorCode::kElectionNotNeeded);
  EXPECT_EQ(results[1].error_code, ErrorCode::kEligibleLeadersNotAvailable);
}

TEST_F(PlacementHandlersTest, OfEverythingOnlyWhatIsElectedIsShown) {
  SetLeader(0, NodeId(1));
  SetLeader(1, NodeId(2));
  kafka::ElectLeadersRequest all;
  all.topic_partitions = std::nullopt;
  EXPECT_THAT(Ask<kafka::ElectLeadersResponse>(all, 2).replica_election_results, IsEmpty());
}

// ---- DescribeLogDirs -------------------------------------------------------------------------

TEST_F(PlacementHandlersTest, ThisBrokersReplicasAndItsDiskAreShown) {
  broker_.AddPartition("t", 0);
  broker_.AddPartition("t", 1, /*shard=*/1);
  kafka::DescribeLogDirsRequest all;
  all.topics = std::nullopt;
  for (int16_t version = 1; version <= 5; ++version) {
    const auto response = Ask<kafka::DescribeLogDirsResponse>(all, version);
    ASSERT_THAT(response.results, SizeIs(1));
    const auto& result = response.results[0];
    EXPECT_EQ(result.log_dir, "/data");
    ASSERT_THAT(result.topics, SizeIs(1));
    ASSERT_THAT(result.topics[0].partitions, SizeIs(2));
    EXPECT_EQ(result.topics[0].partitions[1].partition_size, 101);
    if (version >= 4) {
      EXPECT_EQ(result.total_bytes, 1000);
      EXPECT_EQ(result.usable_bytes, 400);
    }
  }
}

TEST_F(PlacementHandlersTest, OnlyTheLogsThatWereAskedForAreShown) {
  broker_.AddPartition("t", 0);
  kafka::DescribeLogDirsRequest message;
  auto& topic = message.topics.emplace().emplace_back();
  topic.topic = "t";
  topic.partitions = {1};
  EXPECT_THAT(Ask<kafka::DescribeLogDirsResponse>(message, 4).results[0].topics, IsEmpty());
}

}  // namespace
}  // namespace garam
