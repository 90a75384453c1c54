#include "broker/log_settings.h"

#include <algorithm>

namespace garam {

storage::LogOptions LogOptionsOf(const TopicConfig& config) {
  storage::LogOptions options;
  options.segment_bytes = config.segment_bytes;
  options.segment_ms = config.segment_ms;
  // The active segment is never compacted: it must end before a record has waited for too long.
  if (config.cleanup_compact) {
    options.segment_ms = std::min(options.segment_ms, config.max_compaction_lag_ms);
  }
  options.segment_jitter_ms = std::min(config.segment_jitter_ms, options.segment_ms);
  options.index_interval_bytes = config.index_interval_bytes;
  options.flush_messages = config.flush_messages;
  options.flush_ms = config.flush_ms;
  options.file_delete_delay_ms = config.file_delete_delay_ms;
  return options;
}

raft::Stage StageOf(const TopicConfig& config) {
  return config.flush_messages == 1 ? raft::Stage::kDurable : raft::Stage::kWritten;
}

}  // namespace garam
