// DescribeProducers, DescribeQuorum, UpdateFeatures and the features of ApiVersions,
// DescribeClientQuotas, AlterClientQuotas; what a throttled client is told.
#include <gmock/gmock.h>

#include "proto/kafka/alter_client_quotas.h"
#include "proto/kafka/api_versions.h"
#include "proto/kafka/describe_client_quotas.h"
#include "proto/kafka/describe_producers.h"
#include "proto/kafka/describe_quorum.h"
#include "proto/kafka/list_groups.h"
#include "proto/kafka/produce.h"
#include "proto/kafka/update_features.h"
#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AdminHandlersTest : public HandlerFixture {
 protected:
  AdminHandlersTest() {
    StartCluster(3);
    UseImage();
  }
};

// ---- DescribeProducers -----------------------------------------------------------------------

TEST_F(AdminHandlersTest, TellsOfTheProducersOfPartitionsOnEveryShard) {
  broker_.AddPartition("t", 0)->producers = {
      {.id = 4, .epoch = 1, .last_sequence = 9, .last_timestamp_ms = 77}};
  broker_.AddPartition("t", 1, 1)->producers = {{.id = 5}, {.id = 6}};
  kafka::DescribeProducersRequest message;
  message.topics.push_back({"t", {0, 1}});
  const auto response = Ask<kafka::DescribeProducersResponse>(message, 0);
  ASSERT_THAT(response.topics, SizeIs(1));
  const auto& partitions = response.topics[0].partitions;
  ASSERT_THAT(partitions, SizeIs(2));
  ASSERT_THAT(partitions[0].active_producers, SizeIs(1));
  const auto& producer = partitions[0].active_producers[0];
  EXPECT_EQ(producer.producer_id, 4);
  EXPECT_EQ(producer.producer_epoch, 1);
  EXPECT_EQ(producer.last_sequence, 9);
  EXPECT_EQ(producer.last_timestamp, 77);
  EXPECT_EQ(producer.coordinator_epoch, -1);
  EXPECT_EQ(producer.current_txn_start_offset, -1);
  EXPECT_THAT(partitions[1].active_producers, SizeIs(2));
}

TEST_F(AdminHandlersTest, PartitionsThatAreNotHereHaveNoProducers) {
  broker_.AddPartition("t", 0)->Fail(MakeError(Errc::kNotLeader, "not yet"));
  broker_.AddPartition("far", 0);
  broker_.elsewhere.insert({"far", 0});
  kafka::DescribeProducersRequest message;
  message.topics = {{"t", {0, 7}}, {"far", {0}}, {"no topic", {0}}};
  const auto response = Ask<kafka::DescribeProducersResponse>(message, 0);
  ASSERT_THAT(response.topics, SizeIs(3));
  EXPECT_EQ(response.topics[0].partitions[0].error_code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(response.topics[0].partitions[1].error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(response.topics[1].partitions[0].error_code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(response.topics[2].partitions[0].error_code, ErrorCode::kInvalidTopicException);
  EXPECT_EQ(response.topics[0].partitions[0].error_message, "not yet");
}

// ---- DescribeQuorum --------------------------------------------------------------------------

kafka::DescribeQuorumRequest AboutMetadata() {
  kafka::DescribeQuorumRequest message;
  message.topics.push_back({"__cluster_metadata", {{0}}});
  return message;
}

TEST_F(AdminHandlersTest, TellsOfTheQuorumOnEveryVersion) {
  broker_.quorum = QuorumState{.leader = NodeId(1),
                               .term = Term(4),
                               .commit = LogIndex(9),
                               .members = {{.node = NodeId(1),
                                            .incarnation = Incarnation(1001),
                                            .votes = true,
                                            .last_index = LogIndex(10),
                                            .fetched_ms = 5,
                                            .caught_up_ms = 6},
                                           {.node = NodeId(3), .last_index = LogIndex(8)}}};
  for (int16_t version = 0; version <= 2; ++version) {
    const auto response = Ask<kafka::DescribeQuorumResponse>(AboutMetadata(), version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    ASSERT_THAT(response.topics, SizeIs(1));
    EXPECT_EQ(response.topics[0].topic_name, "__cluster_metadata");
    ASSERT_THAT(response.topics[0].partitions, SizeIs(1));
    const auto& partition = response.topics[0].partitions[0];
    EXPECT_EQ(partition.leader_id, 1);
    EXPECT_EQ(partition.leader_epoch, 4);
    EXPECT_EQ(partition.high_watermark, 9);
    ASSERT_THAT(partition.current_voters, SizeIs(1));
    ASSERT_THAT(partition.observers, SizeIs(1));
    EXPECT_EQ(partition.current_voters[0].log_end_offset, 10);
    EXPECT_EQ(partition.observers[0].replica_id, 3);
    EXPECT_EQ(partition.observers[0].last_fetch_timestamp, -1);
    EXPECT_EQ(partition.current_voters[0].last_caught_up_timestamp, version >= 1 ? 6 : -1);
    if (version < 2) continue;
    EXPECT_FALSE(partition.current_voters[0].replica_directory_id.IsZero());
    EXPECT_NE(partition.current_voters[0].replica_directory_id,
              partition.observers[0].replica_directory_id);
    ASSERT_THAT(response.nodes, SizeIs(1));
    EXPECT_EQ(response.nodes[0].node_id, 1);
    EXPECT_EQ(response.nodes[0].listeners[0].name, "CONTROLLER");
    EXPECT_EQ(response.nodes[0].listeners[0].host, "broker-1");
    EXPECT_EQ(response.nodes[0].listeners[0].port, 9093);
  }
}

TEST_F(AdminHandlersTest, OnlyTheMetadataHasAQuorum) {
  kafka::DescribeQuorumRequest message = AboutMetadata();
  message.topics[0].partitions.push_back({1});
  auto response = Ask<kafka::DescribeQuorumResponse>(message, 2);
  EXPECT_EQ(response.error_code, ErrorCode::kNone);
  EXPECT_EQ(response.topics[0].partitions[1].error_code, ErrorCode::kUnknownTopicOrPartition);
  message = AboutMetadata();
  message.topics[0].topic_name = "t";
  response = Ask<kafka::DescribeQuorumResponse>(message, 2);
  EXPECT_EQ(response.topics[0].partitions[0].error_code, ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(AdminHandlersTest, WithoutAControllerNobodyTellsOfTheQuorum) {
  broker_.quorum = MakeError(Errc::kTimedOut, "no controller answered in time");
  const auto response = Ask<kafka::DescribeQuorumResponse>(AboutMetadata(), 2);
  EXPECT_EQ(response.error_code, ErrorCode::kRequestTimedOut);
  EXPECT_EQ(response.error_message, "no controller answered in time");
}

// ---- Features --------------------------------------------------------------------------------

kafka::UpdateFeaturesRequest Update(std::string_view feature, int16_t level, int8_t type = 1) {
  kafka::UpdateFeaturesRequest message;
  auto& update = message.feature_updates.emplace_back();
  update.feature = feature;
  update.max_version_level = level;
  update.upgrade_type = type;
  return message;
}

TEST_F(AdminHandlersTest, FeaturesAreUpdatedByTheController) {
  for (int16_t version = 0; version <= 2; ++version) {
    broker_.feature_updates.clear();
    kafka::UpdateFeaturesRequest message = Update("group.version", 0);
    if (version == 0) {
      message.feature_updates[0].allow_downgrade = true;
    } else {
      message.feature_updates[0].upgrade_type = 2;
      message.validate_only = true;
    }
    const auto response = Ask<kafka::UpdateFeaturesResponse>(message, version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    EXPECT_EQ(response.error_message, std::nullopt);
    EXPECT_THAT(response.results, SizeIs(version <= 1 ? 1 : 0));
    EXPECT_EQ(broker_.only_validated, version > 0);
    const FeatureUpdate update{"group.version", 0, FeatureUpdateKind::kSafeDowngrade};
    EXPECT_THAT(broker_.feature_updates, ElementsAre(update));
  }
}

TEST_F(AdminHandlersTest, OneUpdateThatFailsFailsAll) {
  broker_.change_error = MakeError(Errc::kInvalidUpdateVersion, "Invalid update version 9.");
  const auto response = Ask<kafka::UpdateFeaturesResponse>(Update("group.version", 9), 2);
  EXPECT_EQ(response.error_code, ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(response.error_message,
            "The update failed for all features since the following feature had an error: Invalid "
            "update version 9.");
}

TEST_F(AdminHandlersTest, AnUpdateOfNoKnownKindIsRefused) {
  const auto response = Ask<kafka::UpdateFeaturesResponse>(Update("group.version", 1, 7), 2);
  EXPECT_EQ(response.error_code, ErrorCode::kInvalidUpdateVersion);
  EXPECT_THAT(*response.error_message, HasSubstr("does not support the given upgrade type"));
  EXPECT_THAT(broker_.feature_updates, IsEmpty());
}

TEST_F(AdminHandlersTest, ApiVersionsShowsTheFeaturesInForce) {
  kafka::ApiVersionsRequest message;
  message.client_software_name = "test";
  message.client_software_version = "1.0";
  for (int16_t version = 3; version <= 4; ++version) {
    const auto response = Ask<kafka::ApiVersionsResponse>(message, version);
    EXPECT_EQ(response.finalized_features_epoch, image_->applied_index().value());
    int shown = 0;
    for (const auto& feature : response.finalized_features) {
      if (feature.name != "metadata.version") continue;
      ++shown;
      EXPECT_EQ(feature.min_version_level, 30);
      EXPECT_EQ(feature.max_version_level, 30);
    }
    EXPECT_EQ(shown, 1);
    for (const auto& feature : response.supported_features) {
      // Older clients take a level of 0 for damage.
      EXPECT_GE(feature.min_version, version < 4 ? 1 : 0) << feature.name;
    }
  }
}

// Clients that see neither of these send no metrics of their own.
TEST_F(AdminHandlersTest, NobodyIsAskedForMetrics) {
  constexpr int16_t kGetTelemetrySubscriptions = 71;
  constexpr int16_t kPushTelemetry = 72;
  EXPECT_EQ(FindHandled(kGetTelemetrySubscriptions), nullptr);
  EXPECT_EQ(FindHandled(kPushTelemetry), nullptr);
}

// ---- Client quotas ---------------------------------------------------------------------------

TEST_F(AdminHandlersTest, QuotasAreChangedByTheController) {
  for (int16_t version = 0; version <= 1; ++version) {
    broker_.quota_changes.clear();
    kafka::AlterClientQuotasRequest message;
    message.validate_only = version == 1;
    auto& entry = message.entries.emplace_back();
    entry.entity = {{"user", "u"}, {"client-id", std::nullopt}};
    entry.ops = {{"producer_byte_rate", 1000, false}, {"request_percentage", 0, true}};
    const auto response = Ask<kafka::AlterClientQuotasResponse>(message, version);
    ASSERT_THAT(response.entries, SizeIs(1));
    EXPECT_EQ(response.entries[0].error_code, ErrorCode::kNone);
    EXPECT_EQ(response.entries[0].error_message, std::nullopt);
    EXPECT_EQ(response.entries[0].entity[0].entity_name, "u");
    EXPECT_EQ(response.entries[0].entity[1].entity_name, std::nullopt);
    EXPECT_EQ(broker_.only_validated, version == 1);
    const QuotaChange change{.entity = {{"user", "u"}, {"client-id", std::nullopt}},
                             .ops = {{"producer_byte_rate", 1000.0}, {"request_percentage"}}};
    EXPECT_THAT(broker_.quota_changes, ElementsAre(change));
  }
}

TEST_F(AdminHandlersTest, AReasonComesWithAQuotaThatIsNotChanged) {
  broker_.change_error = MakeError(Errc::kInvalidRequest, "Invalid configuration key x");
  kafka::AlterClientQuotasRequest message;
  message.entries.emplace_back().entity = {{"user", "u"}};
  const auto response = Ask<kafka::AlterClientQuotasResponse>(message, 1);
  EXPECT_EQ(response.entries[0].error_code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(response.entries[0].error_message, "Invalid configuration key x");
}

TEST_F(AdminHandlersTest, QuotasAreDescribedFromTheImage) {
  Apply(PlanQuotaChange(
      *image_, {.entity = {{"client-id", std::nullopt}}, .ops = {{"consumer_byte_rate", 5000.0}}}));
  UseImage();
  for (int16_t version = 0; version <= 1; ++version) {
    kafka::DescribeClientQuotasRequest message;
    message.components.push_back({"client-id", 1, std::nullopt});
    const auto response = Ask<kafka::DescribeClientQuotasResponse>(message, version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    ASSERT_TRUE(response.entries.has_value());
    ASSERT_THAT(*response.entries, SizeIs(1));
    const auto& entry = response.entries->front();
    EXPECT_EQ(entry.entity[0].entity_type, "client-id");
    EXPECT_EQ(entry.entity[0].entity_name, std::nullopt);
    EXPECT_EQ(entry.values[0].key, "consumer_byte_rate");
    EXPECT_EQ(entry.values[0].value, 5000);
  }
}

TEST_F(AdminHandlersTest, QuestionsAboutQuotasThatAreNoneAreRefused) {
  const auto refusal = [this](int8_t type, std::optional<std::string_view> match) {
    kafka::DescribeClientQuotasRequest message;
    message.components.push_back({"user", type, match});
    const auto response = Ask<kafka::DescribeClientQuotasResponse>(message, 1);
    EXPECT_EQ(response.error_code, ErrorCode::kInvalidRequest);
    EXPECT_EQ(response.entries, std::nullopt);
    return response.error_message.value_or("");
  };
  EXPECT_EQ(refusal(0, std::nullopt),
            "Request specified MATCH_TYPE_EXACT, but set match string to null.");
  EXPECT_EQ(refusal(1, "u"),
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
  EXPECT_EQ(refusal(2, "u"),
            "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
  EXPECT_EQ(refusal(9, std::nullopt), "Unknown match type 9");
}

// ---- Throttling ------------------------------------------------------------------------------

TEST_F(AdminHandlersTest, AProducerOverItsQuotaIsToldForHowLong) {
  auto partition = broker_.AddPartition("t", 0);
  broker_.quota_manager.SetQuotas({{{{"user", "ANONYMOUS"}}, {{"producer_byte_rate", 10}}}});
  kafka::ProduceRequest message;
  message.acks = -1;
  message.timeout_ms = 1000;
  BatchBuilder builder;
  builder.base_timestamp_ms = clock_.WallMs();
  builder.records = {{.value = std::string(1000, 'x')}};
  auto& data = message.topic_data.emplace_back();
  data.name = "t";
  data.partition_data.push_back({0, builder.Build()});
  const RequestPtr request = Send(message, 9);
  const auto response = Answer<kafka::ProduceResponse>(9);
  EXPECT_EQ(response.responses[0].partition_responses[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(partition->batches().size(), 1U) << "it was taken all the same";
  // 900 bytes or so more than ten seconds of the quota.
  EXPECT_GT(response.throttle_time_ms, 90'000);
  EXPECT_EQ(request->throttle(), Millis(response.throttle_time_ms));
}

TEST_F(AdminHandlersTest, TimeThatIsNotTheClientsCostsNothing) {
  broker_.quota_manager.SetQuotas({{{{"client-id", "test"}}, {{"request_percentage", 1}}}});
  // Its handler took half a second, and it waited for others for an hour.
  const auto answer_of = [this](Duration busy) {
    sink_ = std::make_shared<FakeSink>();
    kafka::RequestHeader header;
    header.request_api_key = static_cast<int16_t>(kafka::ApiKey::kListGroups);
    header.request_api_version = 4;
    header.correlation_id = 77;
    header.client_id = "test";
    auto request =
        std::make_shared<Request>(services_, sink_, "PLAINTEXT", "/127.0.0.1",
                                  MemoryBudget::Charge(), header, kafka::Reader(Bytes()));
    request->StartClock();
    clock_.Advance(busy);
    request->StopClock();
    clock_.Advance(std::chrono::hours(1));
    request->Answer(kafka::ListGroupsResponse());
    return Answer<kafka::ListGroupsResponse>(4).throttle_time_ms;
  };
  EXPECT_EQ(answer_of(Millis(50)), 0);
  EXPECT_EQ(answer_of(Millis(500)), 1000) << "one sample at most";
}

}  // namespace
}  // namespace garam
