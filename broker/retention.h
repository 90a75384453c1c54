// Which records are too old, or too many, to be kept: decided by a partition's leader alone, from
// what is known of its segments, and carried out by an entry on every replica (design decision
// D14). As in Kafka whole segments go, oldest first.
//
// Threads: any; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "broker/topic_config.h"
#include "common/ids.h"
#include "storage/segment_info.h"

namespace garam {

struct RetentionLimits {
  int64_t ms = -1;     // Below 0: for ever.
  int64_t bytes = -1;  // Below 0: any size.

  // No limits where cleanup.policy does not say "delete".
  static RetentionLimits Of(const TopicConfig& topic);
};

struct RetentionStep {
  Offset start;       // Where the log is to begin.
  bool roll = false;  // The last segment has to end for it.

  friend bool operator==(const RetentionStep&, const RetentionStep&) = default;
};

// Nothing: all of it may stay. `segments` in order, the last of them the one that is appended to;
// they may begin below `log_start`. A segment goes when
//   - its largest timestamp (or, where it has none, its last change) is more than limits.ms before
//     `now_ms`, and that of all before it; or
//   - what comes behind it has limits.bytes still.
// Nothing at or above `high_watermark` goes.
std::optional<RetentionStep> DecideRetention(std::span<const storage::SegmentInfo> segments,
                                             Offset log_start, Offset high_watermark,
                                             const RetentionLimits& limits, int64_t now_ms);

}  // namespace garam
