// Reads of a log: a plan, made on the log's executor from what is in memory, and its execution,
// first on the spot without waiting for the disk, then if need be on the pool.
//
// Threads: Execute on any; a plan refers to nothing that changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/bytes.h"
#include "common/ids.h"
#include "common/log_entry.h"
#include "common/term_rows.h"
#include "storage/frame_scanner.h"
#include "storage/log_rows.h"
#include "storage/segment.h"

namespace garam::storage {

// What of one segment a plan may read.
struct SegmentView {
  std::shared_ptr<SegmentFile> file;
  SegmentHeader header;
  int64_t end_position = 0;                   // Of what is written.
  std::shared_ptr<const SegmentIndex> index;  // Of a sealed segment; null: load it first.
  IndexStamp stamp;                           // As Segment::index_stamp.
  std::optional<SegmentPoint> start;          // Where to begin, when it is known already, and
  size_t slack = 0;  // how many bytes after that the first wanted one may lie.
};

struct ReadPlan {
  enum class Kind {
    kBatches,       // From the batch that holds `from` up to `end`.
    kEntries,       // From entry `first` to `last`, but for those that compaction took away.
    kTimestamp,     // The first batch in [from, end) at or above `timestamp_ms`.
    kMaxTimestamp,  // Among the batches in [from, end) the first with the largest timestamp.
  };
  Kind kind = Kind::kBatches;
  Offset from;
  Offset end;
  LogIndex first;
  LogIndex last;
  int64_t timestamp_ms = 0;  // kMaxTimestamp: only batches above this one count.
  size_t bytes_max = 0;
  std::vector<SegmentView> segments;  // Read one after the other until something is found.
  std::shared_ptr<const TermRows> terms;
};

struct ReadResult {
  std::vector<Bytes> batches;     // kBatches, kTimestamp, kMaxTimestamp (one at most).
  std::vector<LogEntry> entries;  // kEntries.
  int64_t max_timestamp_ms = -1;  // kMaxTimestamp.
  // Where the reading stopped: the next one may begin here.
  LogPoint stopped;
  // Indexes that were loaded on the way.
  struct Loaded {
    LogIndex base;
    std::shared_ptr<SegmentFile> file;  // That it is of.
    std::shared_ptr<const SegmentIndex> index;
  };
  std::vector<Loaded> loaded;
};

// Sets where in a segment with that index the plan's reading begins.
void PlaceIn(const SegmentIndex& index, const ReadPlan& plan, SegmentView& view);

class LogReader {
 public:
  LogReader(KvStore& kv, GroupId group) : rows_(kv, group) {}

  // IsWouldBlock in kNoWait when the disk or the key-value store is needed. kCorruptRecord when
  // what is read does not hang together.
  absl::StatusOr<ReadResult> Execute(const ReadPlan& plan, IoMode mode);

  // The index rows of a sealed segment, from the key-value store or by a walk through the file.
  absl::StatusOr<std::shared_ptr<const SegmentIndex>> LoadIndex(const SegmentView& view);

 private:
  absl::Status FindStart(const ReadPlan& plan, SegmentView& view, IoMode mode, ReadResult& result);
  absl::Status ReadSegment(const ReadPlan& plan, const SegmentView& view, IoMode mode,
                           ReadResult& result);

  LogRows rows_;
};

}  // namespace garam::storage
