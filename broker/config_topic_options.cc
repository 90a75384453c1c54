// The table of topic settings.
#include <algorithm>
#include <array>

#include "broker/config_registry.h"

namespace garam {
namespace {

using enum ConfigType;

constexpr char kLongMax[] = "9223372036854775807";
constexpr double kUnlimited = std::numeric_limits<double>::max();
constexpr std::string_view kTieredBecause = "tiered storage is not available";
constexpr std::string_view kThrottleBecause = "replication throttling is not available";

template <auto Member>
void SetInt(TopicConfig& config, std::string_view value) {
  using Field = std::remove_reference_t<decltype(config.*Member)>;
  config.*Member = static_cast<Field>(ConfigInt(value));
}

template <auto Member>
void SetDouble(TopicConfig& config, std::string_view value) {
  config.*Member = ConfigDouble(value);
}

template <auto Member>
void SetBool(TopicConfig& config, std::string_view value) {
  config.*Member = ConfigBool(value);
}

void SetCleanupPolicy(TopicConfig& config, std::string_view value) {
  const std::vector<std::string> policies = ConfigList(value);
  config.cleanup_compact = std::find(policies.begin(), policies.end(), "compact") != policies.end();
  config.cleanup_delete = std::find(policies.begin(), policies.end(), "delete") != policies.end();
}

void SetTimestampType(TopicConfig& config, std::string_view value) {
  config.message_timestamp_type = ConfigTrim(value) == "LogAppendTime"
                                      ? TimestampType::kLogAppendTime
                                      : TimestampType::kCreateTime;
}

constexpr std::array kOptions = {
    TopicOption{{"cleanup.policy", kList, "delete",
                 "What becomes of old records: deleted, or compacted to the last of each key", 0,
                 kUnlimited, "compact, delete"},
                "log.cleanup.policy",
                SetCleanupPolicy},
    TopicOption{{"compression.gzip.level", kInt, "-1", "No effect: batches stay as sent", -1, 9},
                "compression.gzip.level"},
    TopicOption{{"compression.lz4.level", kInt, "9", "No effect: batches stay as sent", 1, 17},
                "compression.lz4.level"},
    TopicOption{{"compression.type", kString, "producer", "How batches are stored", 0, kUnlimited,
                 "uncompressed, zstd, lz4, snappy, gzip, producer"},
                "compression.type",
                nullptr,
                "batches are stored as their producer compressed them"},
    TopicOption{
        {"compression.zstd.level", kInt, "3", "No effect: batches stay as sent", -131072, 22},
        "compression.zstd.level"},
    TopicOption{{"delete.retention.ms", kLong, "86400000",
                 "How long compaction keeps the mark of a deleted key", 0},
                "log.cleaner.delete.retention.ms",
                SetInt<&TopicConfig::delete_retention_ms>},
    TopicOption{{"file.delete.delay.ms", kLong, "60000",
                 "How long the files of deleted segments and topics stay", 0},
                "log.segment.delete.delay.ms",
                SetInt<&TopicConfig::file_delete_delay_ms>},
    TopicOption{{"flush.messages", kLong, "1",
                 "1: a record counts as stored when it is on stable storage; more: when it is "
                 "written, flushed after that many records or flush.ms",
                 1},
                "log.flush.interval.messages",
                SetInt<&TopicConfig::flush_messages>},
    TopicOption{
        {"flush.ms", kLong, "1000",
         "The longest time between a write and its flush, when flush.messages is above 1", 0},
        "log.flush.interval.ms",
        SetInt<&TopicConfig::flush_ms>},
    TopicOption{{"follower.replication.throttled.replicas", kList, "", "Not available"},
                "",
                nullptr,
                kThrottleBecause},
    TopicOption{{"index.interval.bytes", kInt, "4096", "Bytes of log between two index rows", 0},
                "log.index.interval.bytes",
                SetInt<&TopicConfig::index_interval_bytes>},
    TopicOption{{"leader.replication.throttled.replicas", kList, "", "Not available"},
                "",
                nullptr,
                kThrottleBecause},
    TopicOption{{"local.retention.bytes", kLong, "-2", "Not available", -2},
                "log.local.retention.bytes",
                nullptr,
                kTieredBecause},
    TopicOption{{"local.retention.ms", kLong, "-2", "Not available", -2},
                "log.local.retention.ms",
                nullptr,
                kTieredBecause},
    TopicOption{{"max.compaction.lag.ms", kLong, kLongMax,
                 "The longest time that a record stays out of compaction", 1},
                "log.cleaner.max.compaction.lag.ms",
                SetInt<&TopicConfig::max_compaction_lag_ms>},
    TopicOption{{"max.message.bytes", kInt, "1048588", "The largest batch, as compressed", 0},
                "message.max.bytes",
                SetInt<&TopicConfig::max_message_bytes>},
    TopicOption{{"message.timestamp.after.max.ms", kLong, "3600000",
                 "How far a record's timestamp may lie in the future", 0},
                "log.message.timestamp.after.max.ms",
                SetInt<&TopicConfig::message_timestamp_after_max_ms>},
    TopicOption{{"message.timestamp.before.max.ms", kLong, kLongMax,
                 "How far a record's timestamp may lie in the past", 0},
                "log.message.timestamp.before.max.ms",
                SetInt<&TopicConfig::message_timestamp_before_max_ms>},
    TopicOption{{"message.timestamp.type", kString, "CreateTime",
                 "Whose time a record carries: the producer's or the broker's", 0, kUnlimited,
                 "CreateTime, LogAppendTime"},
                "log.message.timestamp.type",
                SetTimestampType},
    TopicOption{{"min.cleanable.dirty.ratio", kDouble, "0.5",
                 "The part of a log that must be dirty before it is compacted", 0, 1},
                "log.cleaner.min.cleanable.ratio",
                SetDouble<&TopicConfig::min_cleanable_dirty_ratio>},
    TopicOption{{"min.compaction.lag.ms", kLong, "0",
                 "The shortest time that a record stays out of compaction", 0},
                "log.cleaner.min.compaction.lag.ms",
                SetInt<&TopicConfig::min_compaction_lag_ms>},
    TopicOption{{"min.insync.replicas", kInt, "1",
                 "How many replicas must have a record before acks=all is answered", 1},
                "min.insync.replicas",
                SetInt<&TopicConfig::min_insync_replicas>},
    TopicOption{{"preallocate", kBoolean, "false",
                 "No effect: files are always preallocated in growing steps"},
                "log.preallocate"},
    TopicOption{{"remote.log.copy.disable", kBoolean, "false", "Not available"},
                "",
                nullptr,
                kTieredBecause},
    TopicOption{{"remote.log.delete.on.disable", kBoolean, "false", "Not available"},
                "",
                nullptr,
                kTieredBecause},
    TopicOption{
        {"remote.storage.enable", kBoolean, "false", "Not available"}, "", nullptr, kTieredBecause},
    TopicOption{{"retention.bytes", kLong, "-1",
                 "The size of a partition before old records go; -1: any size"},
                "log.retention.bytes",
                SetInt<&TopicConfig::retention_bytes>},
    TopicOption{{"retention.ms", kLong, "604800000", "How long records are kept; -1: for ever", -1},
                "log.retention.ms",
                SetInt<&TopicConfig::retention_ms>},
    TopicOption{{"segment.bytes", kInt, "1073741824", "The size at which a segment ends", 1048576},
                "log.segment.bytes",
                SetInt<&TopicConfig::segment_bytes>},
    TopicOption{{"segment.index.bytes", kInt, "10485760",
                 "No effect: the index is not a file of its own", 4},
                "log.index.size.max.bytes"},
    TopicOption{{"segment.jitter.ms", kLong, "0",
                 "At most so much earlier than segment.ms does a segment end, at random", 0},
                "log.roll.jitter.ms",
                SetInt<&TopicConfig::segment_jitter_ms>},
    TopicOption{{"segment.ms", kLong, "604800000", "The age at which a segment ends", 1},
                "log.roll.ms",
                SetInt<&TopicConfig::segment_ms>},
    TopicOption{{"unclean.leader.election.enable", kBoolean, "false",
                 "Whether a replica that may lack records can lead when nobody else is left"},
                "unclean.leader.election.enable",
                SetBool<&TopicConfig::unclean_leader_election>},
};

// A coarser key, and which it stands for.
struct CoarseKey {
  std::string_view key;
  std::string_view exact;
};

constexpr std::array kCoarseKeys = {
    CoarseKey{"log.retention.minutes", "log.retention.ms"},
    CoarseKey{"log.retention.hours", "log.retention.ms"},
    CoarseKey{"log.roll.hours", "log.roll.ms"},
    CoarseKey{"log.roll.jitter.hours", "log.roll.jitter.ms"},
};

}  // namespace

std::vector<std::string_view> BrokerKeysOf(const TopicOption& topic) {
  std::vector<std::string_view> keys;
  if (topic.broker_key.empty()) return keys;
  keys.push_back(topic.broker_key);
  for (const CoarseKey& coarse : kCoarseKeys) {
    if (coarse.exact == topic.broker_key) keys.push_back(coarse.key);
  }
  return keys;
}

std::span<const TopicOption> TopicOptions() { return kOptions; }

const TopicOption* FindTopicOption(std::string_view name) {
  for (const TopicOption& topic : kOptions) {
    if (topic.option.name == name) return &topic;
  }
  return nullptr;
}

const TopicOption* FindTopicOptionByBrokerKey(std::string_view broker_key) {
  for (const TopicOption& topic : kOptions) {
    if (!topic.broker_key.empty() && topic.broker_key == broker_key) return &topic;
  }
  return nullptr;
}

}  // namespace garam
