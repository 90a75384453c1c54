#include "storage/segment_info.h"

#include <algorithm>

#include "storage/log.h"

namespace garam::storage {
namespace {

int64_t JitterOf(const SegmentInfo& segment, const LogOptions& options, GroupId group) {
  const int64_t most = std::min(options.segment_jitter_ms, options.segment_ms);
  if (most <= 0) return 0;
  const uint64_t mix =
      (group.value() * 0x9e3779b97f4a7c15) ^ static_cast<uint64_t>(segment.base_index.value());
  return static_cast<int64_t>((mix * 0xbf58476d1ce4e5b9 >> 33) % static_cast<uint64_t>(most));
}

}  // namespace

void SegmentInfo::Add(size_t bytes, int64_t timestamp_ms, Offset next, int64_t now_ms) {
  if (next > next_offset && next_offset == base_offset) first_timestamp_ms = timestamp_ms;
  if (created_ms == 0) created_ms = now_ms;
  max_timestamp_ms = std::max(max_timestamp_ms, timestamp_ms);
  size_bytes += static_cast<int64_t>(bytes);
  next_offset = next;
  next_index = next_index + 1;
  modified_ms = now_ms;
}

bool EndsBefore(const SegmentInfo& last, const LogOptions& options, GroupId group,
                const NextEntry& next) {
  // Ending a segment without a record would free nothing.
  const bool empty = options.rolls_without_records ? last.next_index == last.base_index
                                                   : last.next_offset == last.base_offset;
  if (empty) return false;
  if (last.size_bytes + static_cast<int64_t>(next.bytes) > options.segment_bytes) return true;
  const int64_t limit_ms = options.segment_ms - JitterOf(last, options, group);
  if (last.first_timestamp_ms >= 0) {
    return next.timestamp_ms >= 0 && next.timestamp_ms - last.first_timestamp_ms > limit_ms;
  }
  return last.created_ms != 0 && next.now_ms - last.created_ms > limit_ms;
}

}  // namespace garam::storage
