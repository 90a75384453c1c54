// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources, CreatePartitions,
// DescribeTopicPartitions.
#include <gmock/gmock.h>

#include "proto/kafka/alter_configs.h"
#include "proto/kafka/create_partitions.h"
#include "proto/kafka/describe_configs.h"
#include "proto/kafka/describe_topic_partitions.h"
#include "proto/kafka/incremental_alter_configs.h"
#include "proto/kafka/list_config_resources.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::DescribeConfigsRequest;
using kafka::DescribeConfigsResponse;
using kafka::ErrorCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr int8_t kTopic = 2;
constexpr int8_t kBroker = 4;
constexpr int8_t kBrokerLogger = 8;
constexpr int8_t kClientMetrics = 16;
constexpr int8_t kGroup = 32;

class ConfigHandlersTest : public HandlerFixture {
 protected:
  ConfigHandlersTest() {
    StartCluster(3);
    Create({"t", 2, 3, {}, {{"segment.bytes", "2000000"}}});
    Create({"u", 3, 1, {}, {}});
    UseImage();
  }
  static DescribeConfigsRequest About(int8_t type, std::string_view name) {
    DescribeConfigsRequest message;
    Add(type, name, message);
    return message;
  }
  static void Add(int8_t type, std::string_view name, DescribeConfigsRequest& message) {
    auto& resource = message.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys = std::nullopt;
  }
  DescribeConfigsResponse::DescribeConfigsResult Describe(const DescribeConfigsRequest& message,
                                                          int16_t version = 4) {
    const auto response = Ask<DescribeConfigsResponse>(message, version);
    EXPECT_THAT(response.results, SizeIs(1));
    return response.results.front();
  }
  std::string RefusalToDescribe(int8_t type, std::string_view name) {
    const auto result = Describe(About(type, name));
    EXPECT_EQ(result.error_code, ErrorCode::kInvalidRequest);
    EXPECT_THAT(result.configs, IsEmpty());
    return result.error_message.value_or("");
  }
  static auto& Add(int8_t type, std::string_view name, auto& message) {
    auto& resource = message.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    return resource;
  }
  static void Edit(auto& resource, std::string_view name, int8_t op,
                   std::optional<std::string_view> value) {
    auto& config = resource.configs.emplace_back();
    config.name = name;
    config.config_operation = op;
    config.value = value;
  }
};

// ---- DescribeConfigs -------------------------------------------------------------------------

TEST_F(ConfigHandlersTest, DescribesATopicOnEveryVersion) {
  for (int16_t version = 1; version <= 4; ++version) {
    DescribeConfigsRequest message = About(kTopic, "t");
    message.resources[0].configuration_keys = {"segment.bytes", "flush.ms", "none"};
    message.include_synonyms = true;
    message.include_documentation = version >= 3;
    const auto result = Describe(message, version);
    EXPECT_EQ(result.error_code, ErrorCode::kNone);
    EXPECT_EQ(result.error_message, std::nullopt);
    ASSERT_THAT(result.configs, SizeIs(2));
    const auto& config = result.configs[1];
    EXPECT_EQ(config.name, "segment.bytes");
    EXPECT_EQ(config.value, "2000000");
    EXPECT_EQ(config.config_source, 1);
    EXPECT_FALSE(config.read_only);
    ASSERT_THAT(config.synonyms, SizeIs(2));
    EXPECT_EQ(config.synonyms[1].name, "log.segment.bytes");
    EXPECT_EQ(config.synonyms[1].value, "1073741824");
    EXPECT_EQ(config.synonyms[1].source, 5);
    EXPECT_EQ(result.configs[0].config_source, 5);
    if (version >= 3) {
      EXPECT_EQ(config.config_type, 3);
      EXPECT_EQ(result.configs[0].config_type, 5);
      EXPECT_EQ(config.documentation, "The size at which a segment ends");
    }
  }
}

TEST_F(ConfigHandlersTest, SynonymsAndDocumentationComeWhereTheyAreAskedFor) {
  const auto result = Describe(About(kTopic, "t"));
  EXPECT_GE(result.configs.size(), 30U);
  for (const auto& config : result.configs) {
    EXPECT_THAT(config.synonyms, IsEmpty());
    EXPECT_EQ(config.documentation, std::nullopt);
  }
}

TEST_F(ConfigHandlersTest, DescribesThisBrokerAndTheDefaultsOfAll) {
  const auto own = Describe(About(kBroker, "1"));
  EXPECT_EQ(own.error_code, ErrorCode::kNone);
  EXPECT_GE(own.configs.size(), 60U);
  EXPECT_EQ(Describe(About(kBroker, "")).error_code, ErrorCode::kNone);
  EXPECT_THAT(Describe(About(kBroker, "")).configs, IsEmpty());
}

TEST_F(ConfigHandlersTest, AnotherBrokerIsNotDescribed) {
  EXPECT_EQ(RefusalToDescribe(kBroker, "2"),
            "Unexpected broker id, expected 1 or empty string, but received 2");
  EXPECT_EQ(RefusalToDescribe(kBroker, "x"), "Broker id must be an integer, but it is: x");
  EXPECT_EQ(RefusalToDescribe(kBrokerLogger, "2"),
            "Unexpected broker id, expected 1 but received 2");
}

TEST_F(ConfigHandlersTest, WhatHasNoConfigsIsEmptyOrRefused) {
  EXPECT_EQ(Describe(About(kTopic, "none")).error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Describe(About(kTopic, "no topic")).error_code, ErrorCode::kInvalidTopicException);
  EXPECT_THAT(Describe(About(kBrokerLogger, "1")).configs, IsEmpty());
  EXPECT_THAT(Describe(About(kClientMetrics, "m")).configs, SizeIs(3));
  EXPECT_THAT(Describe(About(kGroup, "g")).configs, SizeIs(3));
  EXPECT_EQ(RefusalToDescribe(kGroup, ""), "Group name must not be empty");
  EXPECT_EQ(RefusalToDescribe(77, "x"), "Unsupported resource type: 77");
}

TEST_F(ConfigHandlersTest, AQuestionCountsOnce) {
  DescribeConfigsRequest message = About(kTopic, "t");
  Add(kTopic, "t", message);
  const auto response = Ask<DescribeConfigsResponse>(message, 4);
  EXPECT_EQ(response.results[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.results[1].error_code, ErrorCode::kInvalidRequest);
}

// ---- IncrementalAlterConfigs, AlterConfigs ---------------------------------------------------

TEST_F(ConfigHandlersTest, ChangesAreMadeByTheController) {
  for (int16_t version = 0; version <= 1; ++version) {
    broker_.altered.clear();
    kafka::IncrementalAlterConfigsRequest message;
    message.validate_only = version == 1;
    auto& topic = Add(kTopic, "t", message);
    Edit(topic, "a", 0, "1");
    Edit(topic, "b", 1, std::nullopt);
    Edit(topic, "c", 2, "x");
    Edit(topic, "d", 3, "y");
    Edit(Add(kBroker, "1", message), "e", 0, "2");
    Edit(Add(kBroker, "", message), "e", 0, "3");
    const auto response = Ask<kafka::IncrementalAlterConfigsResponse>(message, version);
    ASSERT_THAT(response.responses, SizeIs(3));
    EXPECT_EQ(response.responses[1].error_code, ErrorCode::kNone);
    EXPECT_EQ(response.responses[1].error_message, std::nullopt);
    EXPECT_EQ(response.responses[1].resource_name, "1");
    EXPECT_EQ(broker_.only_validated, version == 1);
    const ConfigChange of_topic{.topic = "t",
                                .edits = {{"a", ConfigOp::kSet, "1"},
                                          {"b", ConfigOp::kDelete, ""},
                                          {"c", ConfigOp::kAppend, "x"},
                                          {"d", ConfigOp::kSubtract, "y"}}};
    const ConfigChange of_one{.broker = NodeId(1), .edits = {{"e", ConfigOp::kSet, "2"}}};
    const ConfigChange of_all{.edits = {{"e", ConfigOp::kSet, "3"}}};
    EXPECT_THAT(broker_.altered, ElementsAre(of_topic, of_one, of_all));
  }
}

TEST_F(ConfigHandlersTest, TheOlderFormReplacesWhatThereIs) {
  for (int16_t version = 0; version <= 2; ++version) {
    broker_.altered.clear();
    kafka::AlterConfigsRequest message;
    auto& config = Add(kTopic, "t", message).configs.emplace_back();
    config.name = "a";
    config.value = "1";
    EXPECT_EQ(Ask<kafka::AlterConfigsResponse>(message, version).responses[0].error_code,
              ErrorCode::kNone);
    const ConfigChange change{
        .topic = "t", .replaces = true, .edits = {{"a", ConfigOp::kSet, "1"}}};
    EXPECT_THAT(broker_.altered, ElementsAre(change));
  }
}

TEST_F(ConfigHandlersTest, EachRefusedChangeHasItsReason) {
  kafka::IncrementalAlterConfigsRequest message;
  Edit(Add(kTopic, "t", message), "a", 0, "1");
  Edit(Add(kTopic, "t", message), "b", 0, "1");
  Edit(Add(kTopic, "", message), "a", 0, "1");
  Edit(Add(kBroker, "2", message), "a", 0, "1");
  Edit(Add(kBroker, "x", message), "a", 0, "1");
  Edit(Add(kGroup, "", message), "a", 0, "1");
  Edit(Add(kClientMetrics, "", message), "a", 0, "1");
  Edit(Add(77, "g", message), "a", 0, "1");
  Edit(Add(kTopic, "null", message), "a", 0, std::nullopt);
  Edit(Add(kTopic, "op", message), "a", 9, "1");
  auto& twice = Add(kTopic, "twice", message);
  Edit(twice, "a", 0, "1");
  Edit(twice, "a", 0, "2");
  const auto response = Ask<kafka::IncrementalAlterConfigsResponse>(message, 1);
  std::vector<std::string> reasons;
  for (const auto& answer : response.responses) {
    EXPECT_EQ(answer.error_code, ErrorCode::kInvalidRequest);
    reasons.push_back(answer.error_message.value_or(""));
  }
  EXPECT_THAT(reasons, ElementsAre("Each resource must appear at most once.",
                                   "Each resource must appear at most once.",
                                   "Default topic resources are not allowed.",
                                   "Unexpected broker id, expected 1, but received 2",
                                   "Node id must be an integer, but it is: x",
                                   "Default group resources are not allowed.",
                                   "Subscription name can't be empty", "Unknown resource type 77",
                                   "Null value not supported for : a", "Unknown operation type 9",
                                   "Error due to duplicate config keys"));
  EXPECT_THAT(broker_.altered, IsEmpty());
}

TEST_F(ConfigHandlersTest, TheControllersReasonReachesTheClient) {
  broker_.change_error = MakeError(Errc::kInvalidConfig, "no such key");
  kafka::IncrementalAlterConfigsRequest message;
  Edit(Add(kTopic, "t", message), "a", 0, "1");
  const auto response = Ask<kafka::IncrementalAlterConfigsResponse>(message, 1);
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(response.responses[0].error_message, "no such key");
}

// ---- Groups and client metrics ---------------------------------------------------------------

TEST_F(ConfigHandlersTest, GroupsAndSubscriptionsAreChangedByTheController) {
  kafka::IncrementalAlterConfigsRequest message;
  Edit(Add(kGroup, "g", message), "consumer.session.timeout.ms", 0, "50000");
  Edit(Add(kClientMetrics, "m", message), "interval.ms", 0, "1000");
  Ask<kafka::IncrementalAlterConfigsResponse>(message, 1);
  const ConfigChange group{.group = "g",
                           .edits = {{"consumer.session.timeout.ms", ConfigOp::kSet, "50000"}}};
  const ConfigChange metrics{.client_metrics = "m",
                             .edits = {{"interval.ms", ConfigOp::kSet, "1000"}}};
  EXPECT_THAT(broker_.altered, ElementsAre(group, metrics));
}

TEST_F(ConfigHandlersTest, WhatIsSetForAGroupIsShownBesideTheDefaults) {
  Apply(PlanConfigChange(
      *image_, defaults_,
      {.group = "g", .edits = {{"consumer.session.timeout.ms", ConfigOp::kSet, "50000"}}}));
  Apply(PlanConfigChange(*image_, defaults_,
                         {.client_metrics = "m", .edits = {{"metrics", ConfigOp::kSet, "*"}}}));
  UseImage();
  const auto group = Describe(About(kGroup, "g"));
  ASSERT_THAT(group.configs, SizeIs(3));
  EXPECT_EQ(group.configs[1].config_source, 5);
  EXPECT_EQ(group.configs[2].name, "consumer.session.timeout.ms");
  EXPECT_EQ(group.configs[2].value, "50000");
  EXPECT_EQ(group.configs[2].config_source, 8);
  EXPECT_FALSE(group.configs[2].read_only);
  const auto metrics = Describe(About(kClientMetrics, "m"));
  EXPECT_EQ(metrics.configs[2].value, "*");
  EXPECT_EQ(metrics.configs[2].config_source, 7);
  kafka::ListConfigResourcesRequest list;
  list.resource_types = {kGroup, kClientMetrics};
  EXPECT_THAT(Ask<kafka::ListConfigResourcesResponse>(list, 1).config_resources, SizeIs(2));
  const auto oldest =
      Ask<kafka::ListConfigResourcesResponse>(kafka::ListConfigResourcesRequest(), 0);
  ASSERT_THAT(oldest.config_resources, SizeIs(1));
  EXPECT_EQ(oldest.config_resources[0].resource_name, "m");
}

// ---- ListConfigResources ---------------------------------------------------------------------

TEST_F(ConfigHandlersTest, ListsWhatHasConfigs) {
  const auto listed = [this](std::vector<int8_t> types) {
    kafka::ListConfigResourcesRequest message;
    message.resource_types = types;
    const auto response = Ask<kafka::ListConfigResourcesResponse>(message, 1);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    std::vector<std::pair<int, std::string>> resources;
    for (const auto& resource : response.config_resources) {
      resources.emplace_back(resource.resource_type, resource.resource_name);
    }
    return resources;
  };
  EXPECT_THAT(listed({kTopic}), ElementsAre(Pair(2, "t"), Pair(2, "u")));
  EXPECT_THAT(listed({kBroker}), ElementsAre(Pair(4, "1"), Pair(4, "2"), Pair(4, "3")));
  EXPECT_THAT(listed({kGroup, kClientMetrics}), IsEmpty());
  EXPECT_THAT(listed({}), SizeIs(8));
  EXPECT_THAT(Ask<kafka::ListConfigResourcesResponse>(kafka::ListConfigResourcesRequest(), 0)
                  .config_resources,
              IsEmpty());
  kafka::ListConfigResourcesRequest unknown;
  unknown.resource_types = {kTopic, 77};
  const auto refused = Ask<kafka::ListConfigResourcesResponse>(unknown, 1);
  EXPECT_EQ(refused.error_code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(refused.config_resources, IsEmpty());
}

// ---- CreatePartitions ------------------------------------------------------------------------

TEST_F(ConfigHandlersTest, PartitionsAreCreatedByTheController) {
  for (int16_t version = 0; version <= 3; ++version) {
    broker_.enlarged.clear();
    kafka::CreatePartitionsRequest message;
    message.validate_only = true;
    auto& topic = message.topics.emplace_back();
    topic.name = "t";
    topic.count = 4;
    topic.assignments = std::nullopt;
    auto& chosen = message.topics.emplace_back();
    chosen.name = "u";
    chosen.count = 4;
    chosen.assignments.emplace().emplace_back().broker_ids = {3, 1};
    const auto response = Ask<kafka::CreatePartitionsResponse>(message, version);
    ASSERT_THAT(response.results, SizeIs(2));
    EXPECT_EQ(response.results[0].name, "t");
    EXPECT_EQ(response.results[0].error_code, ErrorCode::kNone);
    EXPECT_TRUE(broker_.only_validated);
    const MorePartitionsSpec first{.topic = "t", .count = 4};
    const MorePartitionsSpec second{
        .topic = "u", .count = 4, .assignments = {{{NodeId(3), NodeId(1)}}}};
    EXPECT_THAT(broker_.enlarged, ElementsAre(first, second));
  }
}

TEST_F(ConfigHandlersTest, ATopicThatIsNamedTwiceGetsNoPartitions) {
  kafka::CreatePartitionsRequest message;
  for (const char* name : {"t", "t", "u"}) {
    auto& topic = message.topics.emplace_back();
    topic.name = name;
    topic.count = 4;
    topic.assignments = std::nullopt;
  }
  broker_.change_error = MakeError(Errc::kInvalidPartitions, "why");
  const auto response = Ask<kafka::CreatePartitionsResponse>(message, 3);
  ASSERT_THAT(response.results, SizeIs(2));
  EXPECT_EQ(response.results[0].error_code, ErrorCode::kInvalidPartitions);
  EXPECT_EQ(response.results[0].error_message, "why");
  EXPECT_EQ(response.results[1].error_code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(response.results[1].error_message, "Duplicate topic name.");
  EXPECT_THAT(broker_.enlarged, SizeIs(1));
}

// ---- DescribeTopicPartitions -----------------------------------------------------------------

class TopicPagesTest : public ConfigHandlersTest {
 protected:
  // "topic-partition" of each that a page holds, and where the next one begins.
  std::vector<std::string> Page(kafka::DescribeTopicPartitionsRequest message, int32_t most) {
    message.response_partition_limit = most;
    if (!next_topic_.empty()) {
      auto& cursor = message.cursor.emplace();
      cursor.topic_name = next_topic_;
      cursor.partition_index = next_partition_;
    }
    const auto response = Ask<kafka::DescribeTopicPartitionsResponse>(message, 0);
    std::vector<std::string> shown;
    for (const auto& topic : response.topics) {
      for (const auto& partition : topic.partitions) {
        shown.push_back(topic.name.value_or("") + "-" + std::to_string(partition.partition_index));
      }
      if (topic.error_code != ErrorCode::kNone) shown.push_back(topic.name.value_or("") + "?");
    }
    next_topic_.clear();
    if (response.next_cursor.has_value()) {
      next_topic_ = response.next_cursor->topic_name;
      next_partition_ = response.next_cursor->partition_index;
    }
    return shown;
  }
  static kafka::DescribeTopicPartitionsRequest Of(std::vector<std::string_view> names) {
    kafka::DescribeTopicPartitionsRequest message;
    for (const std::string_view name : names) message.topics.emplace_back().name = name;
    return message;
  }

  std::string next_topic_;
  int32_t next_partition_ = 0;
};

TEST_F(TopicPagesTest, AllTopicsComeInPages) {
  EXPECT_THAT(Page({}, 2), ElementsAre("t-0", "t-1"));
  EXPECT_EQ(next_topic_, "u");
  EXPECT_THAT(Page({}, 2), ElementsAre("u-0", "u-1"));
  EXPECT_EQ(next_topic_, "u");
  EXPECT_EQ(next_partition_, 2);
  EXPECT_THAT(Page({}, 2), ElementsAre("u-2"));
  EXPECT_EQ(next_topic_, "");
}

TEST_F(TopicPagesTest, TopicsThatAreNotThereAreNamed) {
  EXPECT_THAT(Page(Of({"u", "a"}), 100), ElementsAre("a?", "u-0", "u-1", "u-2"));
}

TEST_F(TopicPagesTest, APageIsNoLongerThanTheBrokerAllows) {
  broker_.config_.request_partitions_max = 1;
  EXPECT_THAT(Page({}, 2000), ElementsAre("t-0"));
}

TEST_F(TopicPagesTest, APageBeginsWithOneOfTheTopicsAskedFor) {
  next_topic_ = "t";
  EXPECT_THAT(Page(Of({"u"}), 100), ElementsAre("u?"));
  next_topic_ = "u";
  next_partition_ = -1;
  EXPECT_THAT(Page(Of({"u"}), 100), ElementsAre("u?"));
}

TEST_F(TopicPagesTest, APartitionIsShownAsItStands) {
  PartitionState& state = broker_.states[{"t", 1}];
  state.leader = NodeId(2);
  state.leader_epoch = Term(5);
  state.replicas = {NodeId(1), NodeId(2)};
  state.isr = {NodeId(2)};
  state.offline = {NodeId(1)};
  const auto response = Ask<kafka::DescribeTopicPartitionsResponse>(Of({"t"}), 0);
  ASSERT_THAT(response.topics, SizeIs(1));
  EXPECT_EQ(response.topics[0].topic_id, image_->FindTopic("t")->id);
  const auto& partition = response.topics[0].partitions[1];
  EXPECT_EQ(partition.leader_id, 2);
  EXPECT_EQ(partition.leader_epoch, 5);
  EXPECT_THAT(partition.replica_nodes, ElementsAre(1, 2));
  EXPECT_THAT(partition.isr_nodes, ElementsAre(2));
  EXPECT_THAT(partition.offline_replicas, ElementsAre(1));
  EXPECT_TRUE(partition.eligible_leader_replicas.has_value());
  EXPECT_TRUE(partition.last_known_elr.has_value());
  EXPECT_EQ(response.topics[0].partitions[0].error_code, ErrorCode::kLeaderNotAvailable);
}

}  // namespace
}  // namespace garam
