#include "broker/retention.h"

#include "common/saturated.h"

namespace garam {
namespace {

bool IsTooOld(const storage::SegmentInfo& segment, const RetentionLimits& limits, int64_t now_ms) {
  if (limits.ms < 0) return false;
  // Raft's own entries are no reason to keep what is before them.
  if (segment.next_offset == segment.base_offset) return true;
  const int64_t last_ms =
      segment.max_timestamp_ms >= 0 ? segment.max_timestamp_ms : segment.modified_ms;
  return SaturatedSum(now_ms, -last_ms) > limits.ms;
}

}  // namespace

RetentionLimits RetentionLimits::Of(const TopicConfig& topic) {
  if (!topic.cleanup_delete) return {};
  return {topic.retention_ms, topic.retention_bytes};
}

std::optional<RetentionStep> DecideRetention(std::span<const storage::SegmentInfo> segments,
                                             Offset log_start, Offset high_watermark,
                                             const RetentionLimits& limits, int64_t now_ms) {
  // What lies below the log start is as good as gone.
  while (!segments.empty() && segments.front().sealed &&
         segments.front().next_offset <= log_start) {
    segments = segments.subspan(1);
  }
  int64_t spare_bytes = -limits.bytes;
  for (const storage::SegmentInfo& segment : segments) spare_bytes += segment.size_bytes;
  RetentionStep step{log_start, false};
  bool old = true;
  for (const storage::SegmentInfo& segment : segments) {
    const bool last = &segment == &segments.back();
    const bool has_records = segment.next_offset > segment.base_offset;
    // Ending a segment without a record would free nothing.
    if (segment.next_offset > high_watermark || (last && !has_records)) break;
    old = old && IsTooOld(segment, limits, now_ms);
    spare_bytes -= segment.size_bytes;
    const bool too_much = limits.bytes >= 0 && spare_bytes >= 0;
    if (!old && !too_much) break;
    step = {segment.next_offset, last};
  }
  if (step.start <= log_start) return std::nullopt;
  return step;
}

}  // namespace garam
