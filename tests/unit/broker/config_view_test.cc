// What DescribeConfigs tells, and what is set for brokers while they run.
#include "broker/config_view.h"

#include "broker/dynamic_config.h"
#include "proto/metadata.pb.h"
#include "tests/unit/broker/config_fixture.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using Settings = std::map<std::string, std::string>;

class ConfigViewTest : public ConfigFixture {
 protected:
  void SetForBroker(int32_t node, const Settings& configs) {
    metadata::Command command;
    command.set_format(kMetadataFormatMax);
    command.mutable_set_broker_configs()->set_node(node);
    for (const auto& [key, value] : configs) {
      metadata::Config& config = *command.mutable_set_broker_configs()->add_configs();
      config.set_name(key);
      config.set_value(value);
    }
    image_ = image_->Apply(image_->applied_index() + 1, command)->image;
  }
  ShownConfig OfTopic(const std::string& name) {
    return Find(ShowTopicConfigs(topic_, *image_, config_), name);
  }
  ShownConfig OfBroker(const std::string& name) {
    return Find(ShowBrokerConfigs(*image_, config_), name);
  }
  static ShownConfig Find(const std::vector<ShownConfig>& all, const std::string& name) {
    for (const ShownConfig& shown : all) {
      if (shown.config.name == name) return shown;
    }
    ADD_FAILURE() << name;
    return {};
  }

  BrokerConfig config_ = Config("node.id=1\n");
  TopicImage topic_{.name = "t"};
  std::shared_ptr<const MetadataImage> image_ = MetadataImage::Empty();
};

TEST_F(ConfigViewTest, EveryTopicSettingIsShownByName) {
  const auto all = ShowTopicConfigs(topic_, *image_, config_);
  EXPECT_GE(all.size(), 30U);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.config.name < b.config.name;
  }));
  for (const ShownConfig& shown : all) {
    EXPECT_TRUE(shown.config.value.has_value());
    EXPECT_EQ(shown.config.source, ConfigSource::kDefault);
    EXPECT_FALSE(shown.config.read_only);
    EXPECT_FALSE(shown.doc.empty());
  }
}

TEST_F(ConfigViewTest, EachPlaceThatSetsAValueIsASynonymInTheOrderTheyCount) {
  config_ = Config("node.id=1\nlog.retention.hours=2\n");
  topic_.configs["retention.ms"] = "5";
  SetForBroker(1, {{"log.retention.ms", "6"}});
  SetForBroker(2, {{"log.retention.ms", "60"}});
  SetForBroker(-1, {{"log.retention.ms", "7"}});
  const ConfigSynonym own{"retention.ms", "5", ConfigSource::kTopic};
  const ConfigSynonym broker{"log.retention.ms", "6", ConfigSource::kDynamicBroker};
  const ConfigSynonym all{"log.retention.ms", "7", ConfigSource::kDynamicDefaultBroker};
  const ConfigSynonym given{"log.retention.hours", "2", ConfigSource::kStaticBroker};
  const ConfigSynonym fallback{"log.retention.ms", "604800000", ConfigSource::kDefault};
  EXPECT_THAT(OfTopic("retention.ms").synonyms, ElementsAre(own, broker, all, given, fallback));
  EXPECT_EQ(OfTopic("retention.ms").config.value, "5");
  EXPECT_EQ(OfTopic("retention.ms").config.source, ConfigSource::kTopic);
  EXPECT_THAT(OfBroker("log.retention.ms").synonyms, ElementsAre(broker, all, given, fallback));

  topic_.configs.clear();
  EXPECT_EQ(OfTopic("retention.ms").config.value, "6");
  EXPECT_EQ(OfTopic("retention.ms").config.source, ConfigSource::kDynamicBroker);
  SetForBroker(1, {});
  EXPECT_EQ(OfTopic("retention.ms").config.value, "7");
  EXPECT_EQ(OfTopic("retention.ms").config.source, ConfigSource::kDynamicDefaultBroker);
  SetForBroker(-1, {});
  EXPECT_EQ(OfTopic("retention.ms").config.value, "7200000");
  EXPECT_EQ(OfTopic("retention.ms").config.source, ConfigSource::kStaticBroker);
}

TEST_F(ConfigViewTest, WhatIsReadAtTheStartOnlyIsReadOnly) {
  config_ = Config("node.id=4\nmax.connections=7\n");
  EXPECT_TRUE(OfBroker("max.connections").config.read_only);
  EXPECT_EQ(OfBroker("max.connections").config.value, "7");
  EXPECT_EQ(OfBroker("max.connections").config.source, ConfigSource::kStaticBroker);
  EXPECT_EQ(OfBroker("max.connections").synonyms.size(), 2U);
  EXPECT_EQ(OfBroker("num.partitions").config.source, ConfigSource::kDefault);
  EXPECT_EQ(OfBroker("num.partitions").config.value, "1");
  EXPECT_EQ(OfBroker("broker.rack").config.value, std::nullopt);
  EXPECT_EQ(OfBroker("node.id").config.value, "4");
  EXPECT_EQ(OfBroker("broker.id").config.value, "4");
  EXPECT_FALSE(OfBroker("log.segment.bytes").config.read_only);
}

TEST_F(ConfigViewTest, TheDefaultsOfAllBrokersAreOnlyWhatIsSetForThem) {
  EXPECT_THAT(ShowDefaultBrokerConfigs(*image_), IsEmpty());
  SetForBroker(-1, {{"log.segment.bytes", "2000000"}});
  const auto all = ShowDefaultBrokerConfigs(*image_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].config.source, ConfigSource::kDynamicDefaultBroker);
  EXPECT_EQ(all[0].type, ConfigType::kInt);
}

TEST_F(ConfigViewTest, GroupsHaveTheSettingsOfTheConsumerProtocol) {
  const auto all = ShowResourceConfigs(ConfiguredKind::kGroup, "g", *image_, config_);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2].config.name, "consumer.session.timeout.ms");
  EXPECT_EQ(all[2].config.value, "45000");
  EXPECT_EQ(all[2].config.source, ConfigSource::kDefault);
}

TEST_F(ConfigViewTest, WhatIsSetForGroupsIsChecked) {
  const auto refusal = [this](const ConfigMap& configs) {
    const absl::Status status = CheckResourceConfigs(ConfiguredKind::kGroup, configs, config_);
    EXPECT_EQ(ErrcOf(status), Errc::kInvalidConfig);
    return std::string(status.message());
  };
  EXPECT_TRUE(CheckResourceConfigs(ConfiguredKind::kGroup,
                                   {{"consumer.session.timeout.ms", "50000"}}, config_)
                  .ok());
  EXPECT_EQ(refusal({{"session.timeout.ms", "1"}}),
            "Unknown group config name: session.timeout.ms");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "x"}}),
            "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type "
            "INT");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "4000"}}),
            "consumer.session.timeout.ms must be greater than or equal to "
            "group.consumer.min.session.timeout.ms");
  EXPECT_EQ(refusal({{"consumer.heartbeat.interval.ms", "15001"}}),
            "consumer.heartbeat.interval.ms must be less than or equal to "
            "group.consumer.max.heartbeat.interval.ms");
  config_.given["group.consumer.min.session.timeout.ms"] = "100";
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "4000"}}),
            "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms");
}

TEST_F(ConfigViewTest, WhatIsSetForClientMetricsIsChecked) {
  const auto check = [this](const ConfigMap& configs) {
    return CheckResourceConfigs(ConfiguredKind::kClientMetrics, configs, config_);
  };
  EXPECT_TRUE(check({{"interval.ms", "100"},
                     {"metrics", "org.apache.kafka.producer.,*"},
                     {"match", "client_id=a.*, client_software_name = x"}})
                  .ok());
  EXPECT_EQ(check({{"interval", "1"}}),
            MakeError(Errc::kInvalidRequest, "Unknown client metrics configuration: interval"));
  EXPECT_EQ(check({{"interval.ms", "99"}}),
            MakeError(Errc::kInvalidRequest,
                      "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 "
                      "(1 hour)"));
  for (const char* bad : {"client_id", "client_id=", "host=x"}) {
    EXPECT_EQ(
        check({{"match", bad}}),
        MakeError(Errc::kInvalidConfig, std::string("Illegal client matching pattern: ") + bad));
  }
}

TEST_F(ConfigViewTest, DefaultsOfTopicsFollowWhatIsSetForTheBroker) {
  config_ = Config("node.id=1\nlog.segment.bytes=3000000\nmin.insync.replicas=2\n");
  SetForBroker(1, {{"log.segment.bytes", "4000000"}});
  SetForBroker(-1, {{"log.segment.bytes", "5000000"}, {"log.flush.interval.ms", "5"}});
  EXPECT_THAT(TopicDefaultsOf(*image_, config_),
              ElementsAre(Pair("flush.ms", "5"), Pair("min.insync.replicas", "2"),
                          Pair("segment.bytes", "4000000")));
  const auto parsed = ParseTopicConfigUnder(*image_, config_, {{"flush.ms", "6"}});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->config.segment_bytes, 4000000);
  std::map<std::string, ConfigSource> sources;
  for (const EffectiveConfig& config : parsed->effective) sources[config.name] = config.source;
  EXPECT_EQ(sources["flush.ms"], ConfigSource::kTopic);
  EXPECT_EQ(sources["segment.bytes"], ConfigSource::kDynamicBroker);
  EXPECT_EQ(sources["min.insync.replicas"], ConfigSource::kStaticBroker);
  EXPECT_EQ(sources["segment.ms"], ConfigSource::kDefault);
}

TEST_F(ConfigViewTest, OnlyDefaultsOfTopicsAreSetWhileABrokerRuns) {
  EXPECT_TRUE(CheckDynamicBrokerConfigs({{"log.retention.ms", "5"}}).ok());
  const absl::Status fixed = CheckDynamicBrokerConfigs(
      {{"log.retention.ms", "5"}, {"num.partitions", "3"}, {"segment.bytes", "1"}});
  EXPECT_EQ(fixed, MakeError(Errc::kInvalidRequest,
                             "Cannot update these configs dynamically: [num.partitions, "
                             "segment.bytes]"));
  const absl::Status wrong = CheckDynamicBrokerConfigs({{"log.segment.bytes", "few"}});
  EXPECT_EQ(wrong, MakeError(Errc::kInvalidRequest,
                             "Invalid value few for configuration log.segment.bytes: Not a number "
                             "of type INT"));
  EXPECT_EQ(ErrcOf(CheckDynamicBrokerConfigs({{"compression.type", "zstd"}})),
            Errc::kInvalidRequest);
}

TEST_F(ConfigViewTest, OnlyListsHaveAListsDefault) {
  config_ = Config("node.id=1\nlog.cleanup.policy=compact\n");
  EXPECT_EQ(ListDefault(config_, ConfigScope::kTopic, "cleanup.policy"), "compact");
  EXPECT_EQ(ListDefault(config_, ConfigScope::kBroker, "log.cleanup.policy"), "compact");
  EXPECT_EQ(ListDefault(config_, ConfigScope::kTopic, "segment.bytes"), std::nullopt);
  EXPECT_EQ(ListDefault(config_, ConfigScope::kTopic, "none"), std::nullopt);
}

}  // namespace
}  // namespace garam
