#include "storage/compaction/cleaning_choice.h"

#include <algorithm>
#include <utility>

namespace garam::storage {
namespace {

bool IsDirty(const SealedSegment& segment, const CleanPoint& clean) {
  return segment.end.offset > clean.before;
}

bool TooYoung(const SealedSegment& segment, const CleaningPolicy& policy, int64_t now_ms) {
  return policy.lag_min_ms > 0 && segment.end.max_timestamp_ms > now_ms - policy.lag_min_ms;
}

// Whether a record of the first dirty segment has waited for longest. Its oldest one is no older
// than the newest before it; where nothing is known of that, it may be as old as it likes.
bool WaitsTooLong(const std::vector<SealedSegment>& sealed, size_t first_dirty,
                  const CleaningPolicy& policy, int64_t now_ms) {
  if (policy.lag_max_ms == std::numeric_limits<int64_t>::max()) return false;
  if (first_dirty == 0) return true;
  const int64_t oldest_ms = std::min(sealed[first_dirty - 1].end.max_timestamp_ms,
                                     sealed[first_dirty].end.max_timestamp_ms);
  return now_ms - oldest_ms >= policy.lag_max_ms;
}

}  // namespace

CleaningChoice ChooseCleaning(const std::vector<SealedSegment>& sealed, const CleanPoint& clean,
                              LogIndex compact_before, const CleaningPolicy& policy,
                              int64_t now_ms) {
  CleaningChoice choice;
  int64_t bytes = 0;
  size_t first_dirty = sealed.size();
  for (size_t i = 0; i < sealed.size(); ++i) {
    const SealedSegment& segment = sealed[i];
    const bool dirty = IsDirty(segment, clean);
    if (segment.end.index > compact_before) break;
    if (dirty && TooYoung(segment, policy, now_ms)) break;
    ++choice.segments;
    bytes += segment.size_bytes;
    if (!dirty) continue;
    choice.dirty_bytes += segment.size_bytes;
    first_dirty = std::min(first_dirty, i);
  }
  const bool dirty = first_dirty < sealed.size();
  if (dirty) {
    choice.dirty_ratio = static_cast<double>(choice.dirty_bytes) / static_cast<double>(bytes);
  }
  const bool tombstones =
      choice.segments > 0 && clean.tombstones_until_ms >= 0 && clean.tombstones_until_ms <= now_ms;
  choice.overdue = tombstones || (dirty && WaitsTooLong(sealed, first_dirty, policy, now_ms));
  choice.due = choice.overdue || (dirty && choice.dirty_ratio > policy.dirty_ratio_min);
  return choice;
}

std::vector<std::vector<SealedSegment>> GroupSegments(std::vector<SealedSegment> segments,
                                                      int64_t segment_bytes) {
  std::vector<std::vector<SealedSegment>> groups;
  int64_t bytes = 0;
  for (SealedSegment& segment : segments) {
    if (groups.empty() || bytes + segment.size_bytes > segment_bytes) {
      groups.emplace_back();
      bytes = 0;
    }
    bytes += segment.size_bytes;
    groups.back().push_back(std::move(segment));
  }
  return groups;
}

}  // namespace garam::storage
