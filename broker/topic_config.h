// The settings of one topic that the data path looks at, with Garam's defaults (Kafka's, but for
// flush.messages=1 and flush.ms=1000). Immutable once shared.
#pragma once

#include <cstdint>
#include <limits>

namespace garam {

enum class TimestampType { kCreateTime, kLogAppendTime };

struct TopicConfig {
  int64_t file_delete_delay_ms = 60000;
  int64_t flush_messages = 1;
  int64_t flush_ms = 1000;
  int32_t index_interval_bytes = 4096;
  int32_t max_message_bytes = 1048588;
  int64_t message_timestamp_after_max_ms = 3600000;
  int64_t message_timestamp_before_max_ms = std::numeric_limits<int64_t>::max();
  TimestampType message_timestamp_type = TimestampType::kCreateTime;
  int32_t min_insync_replicas = 1;
  int64_t retention_bytes = -1;
  int64_t retention_ms = 604800000;
  int64_t segment_bytes = 1073741824;
  int64_t segment_ms = 604800000;
  int64_t segment_jitter_ms = 0;
  bool cleanup_compact = false;
  bool cleanup_delete = true;
  double min_cleanable_dirty_ratio = 0.5;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = std::numeric_limits<int64_t>::max();
  int64_t delete_retention_ms = 86400000;
  bool unclean_leader_election = false;

  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;
};

}  // namespace garam
