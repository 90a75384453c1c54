#include "broker/topic_config_parse.h"

#include "tests/unit/broker/config_fixture.h"

namespace garam {
namespace {

using Settings = std::map<std::string, std::string>;

ParsedTopicConfig Parse(const Settings& given, const Settings& defaults = {}) {
  const auto parsed = ParseTopicConfig(given, defaults);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : ParsedTopicConfig{};
}

std::string Refusal(const Settings& given) {
  const absl::Status status = ParseTopicConfig(given, {}).status();
  EXPECT_TRUE(!status.ok() && ErrcOf(status) == Errc::kInvalidConfig) << status;
  return std::string(status.message());
}

EffectiveConfig Effective(const ParsedTopicConfig& parsed, const std::string& name) {
  for (const EffectiveConfig& config : parsed.effective) {
    if (config.name == name) return config;
  }
  return {};
}

TEST(ConfigTopicTest, WithoutSettingsEverythingIsAsTopicConfigSays) {
  const TopicConfig parsed = Parse({}).config;
  const TopicConfig fallback;
  EXPECT_EQ(parsed.flush_messages, fallback.flush_messages);
  EXPECT_EQ(parsed.flush_ms, fallback.flush_ms);
  EXPECT_EQ(parsed.index_interval_bytes, fallback.index_interval_bytes);
  EXPECT_EQ(parsed.max_message_bytes, fallback.max_message_bytes);
  EXPECT_EQ(parsed.message_timestamp_after_max_ms, fallback.message_timestamp_after_max_ms);
  EXPECT_EQ(parsed.message_timestamp_before_max_ms, fallback.message_timestamp_before_max_ms);
  EXPECT_EQ(parsed.message_timestamp_type, fallback.message_timestamp_type);
  EXPECT_EQ(parsed.min_insync_replicas, fallback.min_insync_replicas);
  EXPECT_EQ(parsed.segment_bytes, fallback.segment_bytes);
  EXPECT_EQ(parsed.segment_ms, fallback.segment_ms);
  EXPECT_EQ(parsed.segment_jitter_ms, fallback.segment_jitter_ms);
  EXPECT_EQ(parsed.cleanup_compact, fallback.cleanup_compact);
  EXPECT_EQ(parsed.unclean_leader_election, fallback.unclean_leader_election);
}

TEST(ConfigTopicTest, ATopicsSettingWinsOverTheBrokersAndThatOverTheDefault) {
  const ParsedTopicConfig parsed =
      Parse({{"flush.messages", "5"}}, {{"flush.messages", "7"}, {"flush.ms", "9"}});
  EXPECT_EQ(parsed.config.flush_messages, 5);
  EXPECT_EQ(parsed.config.flush_ms, 9);
  EXPECT_EQ(Effective(parsed, "flush.messages").source, ConfigSource::kTopic);
  EXPECT_EQ(Effective(parsed, "flush.ms").source, ConfigSource::kStaticBroker);
  EXPECT_EQ(Effective(parsed, "flush.ms").value, "9");
  EXPECT_EQ(Effective(parsed, "segment.ms").source, ConfigSource::kDefault);
  EXPECT_EQ(Effective(parsed, "segment.ms").value, "604800000");
}

TEST(ConfigTopicTest, EveryKindOfValueIsTakenOver) {
  const TopicConfig config = Parse({{"cleanup.policy", "delete, compact"},
                                    {"message.timestamp.type", "LogAppendTime"},
                                    {"unclean.leader.election.enable", "true"},
                                    {"segment.bytes", " 1048576 "},
                                    {"min.insync.replicas", "2"}})
                                 .config;
  EXPECT_TRUE(config.cleanup_compact);
  EXPECT_EQ(config.message_timestamp_type, TimestampType::kLogAppendTime);
  EXPECT_TRUE(config.unclean_leader_election);
  EXPECT_EQ(config.segment_bytes, 1048576);
  EXPECT_EQ(config.min_insync_replicas, 2);
}

TEST(ConfigTopicTest, AnUnknownKeyIsNamedWithItsNearest) {
  EXPECT_EQ(Refusal({{"retention.mss", "1"}}),
            "Unknown topic config name: retention.mss, did you mean retention.ms?");
}

TEST(ConfigTopicTest, ValuesOutOfRangeOrTypeAreRefusedInKafkasWords) {
  EXPECT_EQ(Refusal({{"segment.bytes", "1"}}),
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576");
  EXPECT_EQ(Refusal({{"flush.ms", "soon"}}),
            "Invalid value soon for configuration flush.ms: Not a number of type LONG");
  EXPECT_EQ(Refusal({{"min.insync.replicas", "3000000000"}}),
            "Invalid value 3000000000 for configuration min.insync.replicas: Not a number of type "
            "INT");
  EXPECT_EQ(Refusal({{"cleanup.policy", "burn"}}),
            "Invalid value burn for configuration cleanup.policy: String must be one of: compact, "
            "delete");
  EXPECT_EQ(Refusal({{"min.cleanable.dirty.ratio", "1.5"}}),
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more "
            "than 1");
  EXPECT_EQ(Refusal({{"preallocate", "maybe"}}),
            "Invalid value maybe for configuration preallocate: Expected value to be either true "
            "or false");
}

TEST(ConfigTopicTest, WhatCannotBeDoneIsRefusedWithItsReason) {
  EXPECT_EQ(Refusal({{"remote.storage.enable", "true"}}),
            "Invalid value true for configuration remote.storage.enable: tiered storage is not "
            "available");
  EXPECT_NE(Refusal({{"compression.type", "zstd"}}).find("as their producer compressed them"),
            std::string::npos);
  Parse({{"remote.storage.enable", "false"}, {"compression.type", "producer"}});
}

TEST(ConfigTopicTest, KafkasUsualTopicSettingsAreAccepted) {
  Parse({{"retention.ms", "-1"},
         {"retention.bytes", "1000"},
         {"delete.retention.ms", "1"},
         {"min.cleanable.dirty.ratio", "0.01"},
         {"max.compaction.lag.ms", "1"},
         {"preallocate", "true"},
         {"file.delete.delay.ms", "0"}});
}

}  // namespace
}  // namespace garam
