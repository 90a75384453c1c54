// Which part of a log compaction may clean, and whether it is worth it. Pure.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "common/ids.h"
#include "storage/log.h"

namespace garam::storage {

// As a topic's settings have it.
struct CleaningPolicy {
  double dirty_ratio_min = 0.5;                              // min.cleanable.dirty.ratio
  int64_t lag_min_ms = 0;                                    // min.compaction.lag.ms
  int64_t lag_max_ms = std::numeric_limits<int64_t>::max();  // max.compaction.lag.ms
};

struct CleaningChoice {
  size_t segments = 0;      // How many, from the first on, may be cleaned.
  int64_t dirty_bytes = 0;  // Of those, what no pass has looked at,
  double dirty_ratio = 0;   // and its part of all.
  bool due = false;
  // Due by time, not by the ratio: a record has waited for longest, or tombstones may go.
  bool overdue = false;
};

// `sealed`: as Log::SealedSegments. Nothing at or above `compact_before` is touched (D14), nothing
// that has a record younger than lag_min_ms, and nothing behind that.
CleaningChoice ChooseCleaning(const std::vector<SealedSegment>& sealed, const CleanPoint& clean,
                              LogIndex compact_before, const CleaningPolicy& policy,
                              int64_t now_ms);

// Splits segments that follow one another into runs that become one segment each: as many as are
// no larger than `segment_bytes` together, and at least one.
std::vector<std::vector<SealedSegment>> GroupSegments(std::vector<SealedSegment> segments,
                                                      int64_t segment_bytes);

}  // namespace garam::storage
