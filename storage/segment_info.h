// What is known of a segment without reading it, and what follows from it: when a segment ends.
// Retention (broker/retention.h) and compaction choose by it too.
//
// Threads: any; values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/ids.h"

namespace garam::storage {

struct LogOptions;

struct SegmentInfo {
  LogIndex base_index;
  LogIndex next_index;
  Offset base_offset;
  Offset next_offset;
  int64_t size_bytes = 0;  // Of the file, without what is reserved.
  // The largest timestamp of the first batch. -1: there is no batch, it has no timestamp, or the
  // segment was sealed before this process began.
  int64_t first_timestamp_ms = -1;
  int64_t max_timestamp_ms = -1;  // -1: no batch has a timestamp.
  int64_t created_ms = 0;         // Wall time of the first entry; 0: it has none, or as above.
  int64_t modified_ms = 0;  // Wall time of the last one; 0: not known, as there are timestamps.
  bool sealed = false;      // It has ended, and all of it is committed.

  // One more entry, a batch where `next` moves.
  void Add(size_t bytes, int64_t timestamp_ms, Offset next, int64_t now_ms);
};

// What is to be appended to a log.
struct NextEntry {
  size_t bytes = 0;
  int64_t timestamp_ms = -1;  // The largest of a batch; -1: it has none.
  int64_t now_ms = 0;         // Wall time.
};

// Whether the last segment of `group`'s log ends before `next`: it would become too large, or
// `next` is segment_ms, less the jitter, younger than the segment's first batch. As in Kafka the
// records' own timestamps count, and the clock only where there are none; so nothing ends while
// nothing is appended. The jitter is the segment's own, the same at every call.
bool EndsBefore(const SegmentInfo& last, const LogOptions& options, GroupId group,
                const NextEntry& next);

}  // namespace garam::storage
