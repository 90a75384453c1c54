// ApiVersions, Metadata, DescribeCluster, FindCoordinator, CreateTopics, DeleteTopics,
// UnregisterBroker.
#include <gmock/gmock.h>

#include "broker/gateway/handlers/cluster_view.h"
#include "proto/kafka/api_versions.h"
#include "proto/kafka/create_topics.h"
#include "proto/kafka/delete_topics.h"
#include "proto/kafka/describe_cluster.h"
#include "proto/kafka/find_coordinator.h"
#include "proto/kafka/metadata.h"
#include "proto/kafka/unregister_broker.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ClusterHandlersTest : public HandlerFixture {
 protected:
  ClusterHandlersTest() {
    StartCluster(3);
    topic_ = Create({"t", 2, 3, {}, {}});
    for (int32_t i = 0; i < 2; ++i) {
      PartitionState& state = broker_.states[{"t", i}];
      state.leader = NodeId(1 + i);
      state.leader_epoch = Term(5);
      state.replicas = {NodeId(1), NodeId(2), NodeId(3)};
      state.isr = {NodeId(1), NodeId(2)};
      state.offline = {NodeId(3)};
    }
    UseImage();
    broker_.controller_node = NodeId(2);
  }
  kafka::MetadataRequest About(std::vector<std::string_view> names) {
    kafka::MetadataRequest message;
    message.allow_auto_topic_creation = false;
    for (const std::string_view name : names) message.topics->emplace_back().name = name;
    return message;
  }
  kafka::MetadataResponse Metadata(kafka::MetadataRequest message, int16_t version) {
    if (version < 4) message.allow_auto_topic_creation = true;
    return Ask<kafka::MetadataResponse>(message, version);
  }

  std::shared_ptr<const TopicImage> topic_;
};

// ---- ApiVersions -----------------------------------------------------------------------------

TEST_F(ClusterHandlersTest, ShowsWhatIsHandledAndNothingElse) {
  kafka::ApiVersionsRequest message;
  message.client_software_name = "test";
  message.client_software_version = "1.0";
  for (int16_t version = 0; version <= 4; ++version) {
    const auto response = Ask<kafka::ApiVersionsResponse>(message, version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    std::vector<std::array<int, 3>> shown;
    for (const auto& api : response.api_keys)
      shown.push_back({api.api_key, api.min_version, api.max_version});
    using Row = std::array<int, 3>;
    EXPECT_THAT(
        shown,
        ElementsAre(Row{0, 0, 13}, Row{1, 4, 18}, Row{2, 1, 11}, Row{3, 0, 13}, Row{8, 2, 10},
                    Row{9, 1, 10}, Row{10, 0, 6}, Row{11, 0, 9}, Row{12, 0, 4}, Row{13, 0, 5},
                    Row{14, 0, 5}, Row{15, 0, 6}, Row{16, 0, 5}, Row{18, 0, 4}, Row{19, 2, 7},
                    Row{20, 1, 6}, Row{21, 0, 2}, Row{22, 0, 5}, Row{23, 2, 4}, Row{32, 1, 4},
                    Row{33, 0, 2}, Row{35, 1, 5}, Row{37, 0, 3}, Row{42, 0, 2}, Row{43, 0, 2},
                    Row{44, 0, 1}, Row{45, 0, 1}, Row{46, 0, 0}, Row{47, 0, 0}, Row{48, 0, 1},
                    Row{49, 0, 1}, Row{50, 0, 0}, Row{55, 0, 2}, Row{57, 0, 2}, Row{60, 0, 2},
                    Row{61, 0, 0}, Row{64, 0, 0}, Row{68, 0, 1}, Row{69, 0, 1}, Row{74, 0, 1},
                    Row{75, 0, 0}));
  }
}

TEST_F(ClusterHandlersTest, AnswersAnUnknownApiVersionsInTheOldestForm) {
  SendBytes(std::string("\0\x12\0\x63\0\0\0\x4d\0\0\0rubbish", 18));
  const auto response = Answer<kafka::ApiVersionsResponse>(0);
  EXPECT_EQ(response.error_code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(response.api_keys, SizeIs(41));
}

TEST_F(ClusterHandlersTest, ChecksTheNameOfTheClientSoftware) {
  for (const std::string_view name : {"", "-x", "x-", "a b", "ü"}) {
    kafka::ApiVersionsRequest message;
    message.client_software_name = name;
    message.client_software_version = "1.0";
    EXPECT_EQ(Ask<kafka::ApiVersionsResponse>(message, 3).error_code, ErrorCode::kInvalidRequest)
        << name;
    EXPECT_EQ(Ask<kafka::ApiVersionsResponse>(message, 2).error_code, ErrorCode::kNone);
  }
  kafka::ApiVersionsRequest message;
  message.client_software_name = "apache-kafka-java";
  message.client_software_version = "4.3.1";
  const auto response = Ask<kafka::ApiVersionsResponse>(message, 3);
  EXPECT_EQ(response.error_code, ErrorCode::kNone);
}

// ---- Metadata --------------------------------------------------------------------------------

TEST_F(ClusterHandlersTest, DescribesATopicOnEveryVersion) {
  for (int16_t version = 0; version <= 13; ++version) {
    const auto response = Metadata(About({"t"}), version);
    ASSERT_THAT(response.topics, SizeIs(1));
    EXPECT_EQ(response.topics[0].error_code, ErrorCode::kNone);
    ASSERT_THAT(response.topics[0].partitions, SizeIs(2));
    const auto& partition = response.topics[0].partitions[1];
    EXPECT_EQ(partition.leader_id, 2);
    EXPECT_THAT(partition.replica_nodes, ElementsAre(1, 2, 3));
    EXPECT_THAT(partition.isr_nodes, ElementsAre(1, 2));
    if (version >= 5) {
      EXPECT_THAT(partition.offline_replicas, ElementsAre(3));
    }
    if (version >= 7) {
      EXPECT_EQ(partition.leader_epoch, 5);
    }
    if (version >= 10) {
      EXPECT_EQ(response.topics[0].topic_id, topic_->id);
    }
    if (version >= 2) {
      EXPECT_EQ(response.cluster_id, "cluster-a");
    }
    if (version >= 1) {
      EXPECT_EQ(response.controller_id, 2);
    }
    EXPECT_THAT(response.brokers, SizeIs(3));
  }
}

TEST_F(ClusterHandlersTest, AnEmptyListMeansAllInVersionZeroAndNothingLater) {
  EXPECT_THAT(Metadata(About({}), 0).topics, SizeIs(1));
  EXPECT_THAT(Metadata(About({}), 4).topics, IsEmpty());
  kafka::MetadataRequest all;
  all.topics = std::nullopt;
  EXPECT_THAT(Metadata(all, 4).topics, SizeIs(1));
}

TEST_F(ClusterHandlersTest, ADeadBrokerLeavesTheListAndItsReplicasStay) {
  broker_.live = {NodeId(1), NodeId(2)};
  const auto response = Metadata(About({"t"}), 12);
  EXPECT_THAT(response.brokers, SizeIs(2));
  EXPECT_THAT(response.topics[0].partitions[0].replica_nodes, ElementsAre(1, 2, 3));
}

TEST_F(ClusterHandlersTest, ABrokerThatHasJustGoneIsStillInMetadataButNotInTheCluster) {
  broker_.live = {NodeId(1), NodeId(2)};
  broker_.just_gone = {NodeId(3)};
  EXPECT_THAT(Metadata(About({"t"}), 12).brokers, SizeIs(3));
  EXPECT_THAT(Ask<kafka::DescribeClusterResponse>(kafka::DescribeClusterRequest(), 0).brokers,
              SizeIs(2));
}

TEST_F(ClusterHandlersTest, APartitionWithoutALeaderSaysSo) {
  broker_.states[{"t", 0}].leader = kNoNode;
  const auto response = Metadata(About({"t"}), 12);
  const auto& partition = response.topics[0].partitions[0];
  EXPECT_EQ(partition.error_code, ErrorCode::kLeaderNotAvailable);
  EXPECT_EQ(partition.leader_id, -1);
  EXPECT_THAT(partition.isr_nodes, ElementsAre(1, 2));
}

TEST_F(ClusterHandlersTest, FindsATopicById) {
  kafka::MetadataRequest message = About({});
  auto& asked = message.topics->emplace_back();
  asked.name = std::nullopt;
  asked.topic_id = topic_->id;
  EXPECT_EQ(Metadata(message, 12).topics[0].name, "t");
  message.topics->at(0).topic_id.bytes[3] ^= 1;
  const auto response = Metadata(message, 12);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::kUnknownTopicId);
  EXPECT_FALSE(response.topics[0].name.has_value());
}

TEST_F(ClusterHandlersTest, UnknownAndIllegalNamesAreToldApart) {
  const auto response = Metadata(About({"absent", "no such name!", ".."}), 12);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(response.topics[1].error_code, ErrorCode::kInvalidTopicException);
  EXPECT_EQ(response.topics[2].error_code, ErrorCode::kInvalidTopicException);
  EXPECT_THAT(broker_.created, IsEmpty());
}

TEST_F(ClusterHandlersTest, CreatesATopicByFirstUseOnlyWhereBothAgree) {
  auto message = About({"fresh", "fresh"});
  message.allow_auto_topic_creation = true;
  broker_.config_.auto_create_topics = false;
  EXPECT_EQ(Metadata(message, 4).topics[0].error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_THAT(broker_.created, IsEmpty());
  broker_.config_.auto_create_topics = true;
  EXPECT_EQ(Metadata(message, 4).topics[0].error_code, ErrorCode::kLeaderNotAvailable);
  ASSERT_THAT(broker_.created, SizeIs(1));
  EXPECT_EQ(broker_.created[0].num_partitions, -1);
  broker_.create_error = MakeError(Errc::kNoController, "none");
  EXPECT_EQ(Metadata(message, 4).topics[0].error_code, ErrorCode::kLeaderNotAvailable);
  broker_.create_error = MakeError(Errc::kInvalidReplicationFactor, "more than there are");
  EXPECT_EQ(Metadata(message, 4).topics[0].error_code, ErrorCode::kInvalidReplicationFactor);
}

TEST_F(ClusterHandlersTest, AFirstUseIsAnsweredWhenTheLeaderStands) {
  broker_.on_create = [this] {
    Create({"fresh", 1, 3, {}, {}});
    UseImage();
  };
  auto message = About({"fresh"});
  message.allow_auto_topic_creation = true;
  Send(message, 4);
  home_.RunFor(Millis(20));
  EXPECT_FALSE(sink_->finished);
  broker_.states[{"fresh", 0}].leader = NodeId(2);
  home_.RunFor(Millis(10));
  const auto response = Answer<kafka::MetadataResponse>(4);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.topics[0].partitions[0].leader_id, 2);
}

TEST_F(ClusterHandlersTest, ACreatedTopicWithoutLeadersIsAnsweredAfterHalfASecond) {
  broker_.on_create = [this] {
    Create({"fresh", 1, 3, {}, {}});
    UseImage();
  };
  kafka::CreateTopicsRequest message;
  message.topics.emplace_back().name = "fresh";
  Send(message, 7);
  home_.RunFor(Millis(499));
  EXPECT_FALSE(sink_->finished);
  home_.RunFor(Millis(1));
  EXPECT_EQ(Answer<kafka::CreateTopicsResponse>(7).topics[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(home_.timers(), 0U);
}

TEST_F(ClusterHandlersTest, AuthorizedOperationsOnlyWhenAsked) {
  auto message = About({"t"});
  auto response = Metadata(message, 8);
  EXPECT_EQ(response.topics[0].topic_authorized_operations, INT32_MIN);
  EXPECT_EQ(response.cluster_authorized_operations, INT32_MIN);
  message.include_topic_authorized_operations = true;
  message.include_cluster_authorized_operations = true;
  response = Metadata(message, 8);
  EXPECT_EQ(response.topics[0].topic_authorized_operations, kAllTopicOperations);
  EXPECT_EQ(response.cluster_authorized_operations, kAllClusterOperations);
}

TEST_F(ClusterHandlersTest, ADeadControllerIsNone) {
  broker_.live = {NodeId(1), NodeId(3)};
  EXPECT_EQ(Metadata(About({}), 4).controller_id, -1);
}

// ---- DescribeCluster, FindCoordinator --------------------------------------------------------

TEST_F(ClusterHandlersTest, DescribesTheClusterAndItsFencedBrokersWhenAsked) {
  broker_.live = {NodeId(1), NodeId(2)};
  kafka::DescribeClusterRequest message;
  auto response = Ask<kafka::DescribeClusterResponse>(message, 0);
  EXPECT_EQ(response.cluster_id, "cluster-a");
  EXPECT_EQ(response.controller_id, 2);
  EXPECT_THAT(response.brokers, SizeIs(2));
  message.include_fenced_brokers = true;
  response = Ask<kafka::DescribeClusterResponse>(message, 2);
  ASSERT_THAT(response.brokers, SizeIs(3));
  EXPECT_FALSE(response.brokers[0].is_fenced);
  EXPECT_TRUE(response.brokers[2].is_fenced);
}

TEST_F(ClusterHandlersTest, ABrokerDoesNotDescribeControllers) {
  kafka::DescribeClusterRequest message;
  message.endpoint_type = 2;
  EXPECT_EQ(Ask<kafka::DescribeClusterResponse>(message, 1).error_code,
            ErrorCode::kMismatchedEndpointType);
  message.endpoint_type = 3;
  EXPECT_EQ(Ask<kafka::DescribeClusterResponse>(message, 1).error_code,
            ErrorCode::kUnsupportedEndpointType);
}

TEST_F(ClusterHandlersTest, TransactionsHaveNoCoordinatorYet) {
  kafka::FindCoordinatorRequest message;
  message.key = "transactional";
  message.key_type = 1;
  const auto response = Ask<kafka::FindCoordinatorResponse>(message, 3);
  EXPECT_EQ(response.error_code, ErrorCode::kTransactionalIdAuthorizationFailed);
  EXPECT_EQ(response.error_message, "transactions are not available on this broker yet");
}

// ---- CreateTopics, DeleteTopics --------------------------------------------------------------

TEST_F(ClusterHandlersTest, CreatesTopicsAndTellsTheirConfigsAndIds) {
  kafka::CreateTopicsRequest message;
  auto& topic = message.topics.emplace_back();
  topic.name = "new";
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  topic.configs.push_back({"retention.ms", "5"});
  for (int16_t version = 4; version <= 7; ++version) {
    const auto response = Ask<kafka::CreateTopicsResponse>(message, version);
    ASSERT_THAT(response.topics, SizeIs(1));
    EXPECT_EQ(response.topics[0].error_code, ErrorCode::kNone);
    if (version >= 5) {
      EXPECT_EQ(response.topics[0].num_partitions, 4);
      EXPECT_EQ(response.topics[0].replication_factor, 3);
      EXPECT_THAT(*response.topics[0].configs, SizeIs(1));
    }
    if (version >= 7) {
      EXPECT_FALSE(response.topics[0].topic_id.IsZero());
    }
  }
  EXPECT_EQ(broker_.created[0].configs[0].value, "5");
}

TEST_F(ClusterHandlersTest, ATopicNamedTwiceIsInvalidAndTheOthersAreMade) {
  kafka::CreateTopicsRequest message;
  for (const std::string_view name : {"a", "b", "a"}) message.topics.emplace_back().name = name;
  const auto response = Ask<kafka::CreateTopicsResponse>(message, 7);
  ASSERT_THAT(response.topics, SizeIs(2));
  EXPECT_EQ(response.topics[0].name, "b");
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.topics[1].name, "a");
  EXPECT_EQ(response.topics[1].error_code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(broker_.created, SizeIs(1));
}

TEST_F(ClusterHandlersTest, AReasonComesWithEachErrorOfCreation) {
  kafka::CreateTopicsRequest message;
  message.topics.emplace_back().name = "t";
  broker_.create_error = MakeError(Errc::kTopicExists, "Topic 't' already exists.");
  const auto response = Ask<kafka::CreateTopicsResponse>(message, 5);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::kTopicAlreadyExists);
  EXPECT_EQ(response.topics[0].error_message, "Topic 't' already exists.");
}

TEST_F(ClusterHandlersTest, DeletesByNameAndById) {
  kafka::DeleteTopicsRequest by_name;
  by_name.topic_names = {"t", "absent"};
  auto response = Ask<kafka::DeleteTopicsResponse>(by_name, 5);
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::kUnknownTopicOrPartition);
  kafka::DeleteTopicsRequest by_id;
  by_id.topics.emplace_back().topic_id = topic_->id;
  by_id.topics.emplace_back().topic_id.bytes[1] = 1;
  by_id.topics.emplace_back().name = "t";
  response = Ask<kafka::DeleteTopicsResponse>(by_id, 6);
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.responses[0].name, "t");
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::kUnknownTopicId);
  EXPECT_EQ(response.responses[2].error_code, ErrorCode::kInvalidRequest) << "named twice";
  EXPECT_THAT(broker_.deleted, ElementsAre(topic_->id, topic_->id));
}

// ---- UnregisterBroker ------------------------------------------------------------------------

TEST_F(ClusterHandlersTest, UnregistersABrokerThroughTheController) {
  kafka::UnregisterBrokerRequest message;
  message.broker_id = 2;
  const auto response = Ask<kafka::UnregisterBrokerResponse>(message, 0);
  EXPECT_EQ(response.error_code, ErrorCode::kNone);
  EXPECT_EQ(response.error_message, std::nullopt);
  EXPECT_THAT(broker_.unregistered, ElementsAre(NodeId(2)));
}

TEST_F(ClusterHandlersTest, AReasonComesWithABrokerThatIsNotUnregistered) {
  broker_.unregister_error =
      MakeError(Errc::kBrokerIdNotRegistered, "Broker ID 9 is not currently registered");
  kafka::UnregisterBrokerRequest message;
  message.broker_id = 9;
  const auto response = Ask<kafka::UnregisterBrokerResponse>(message, 0);
  EXPECT_EQ(response.error_code, ErrorCode::kBrokerIdNotRegistered);
  EXPECT_EQ(response.error_message, "Broker ID 9 is not currently registered");
}

TEST_F(ClusterHandlersTest, DeletionThatIsDisabledSaysSo) {
  broker_.delete_error = MakeError(Errc::kTopicDeletionDisabled, "disabled");
  kafka::DeleteTopicsRequest message;
  message.topic_names = {"t"};
  EXPECT_EQ(Ask<kafka::DeleteTopicsResponse>(message, 2).responses[0].error_code,
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(Ask<kafka::DeleteTopicsResponse>(message, 3).responses[0].error_code,
            ErrorCode::kTopicDeletionDisabled);
}

}  // namespace
}  // namespace garam
