#include "broker/log_settings.h"

namespace garam {

storage::LogOptions LogOptionsOf(const TopicConfig& config) {
  storage::LogOptions options;
  options.segment_bytes = config.segment_bytes;
  options.segment_ms = config.segment_ms;
  options.segment_jitter_ms = config.segment_jitter_ms;
  options.index_interval_bytes = config.index_interval_bytes;
  options.flush_messages = config.flush_messages;
  options.flush_ms = config.flush_ms;
  return options;
}

raft::Stage StageOf(const TopicConfig& config) {
  return config.flush_messages == 1 ? raft::Stage::kDurable : raft::Stage::kWritten;
}

}  // namespace garam
