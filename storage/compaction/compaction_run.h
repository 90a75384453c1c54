// One pass of compaction over one log, in small steps: notes the latest offset of each key in what
// no pass has looked at yet, as far as the map holds, and then writes anew every segment from the
// first on up to there. Each new segment is handed out before the next one is begun, for its place
// in the log must be settled from the front: a tombstone goes on waiting only behind what it has
// deleted.
//
// Threads:   one at a time; Step blocks.
// Ownership: `fs` outlives it; it holds the files that it reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/compaction/offset_map.h"
#include "storage/compaction/segment_cleaner.h"
#include "storage/log.h"

namespace garam::storage {

struct CompactionInput {
  std::string dir;
  std::vector<SealedSegment> segments;  // From the log's first on: those that may be cleaned.
  CleanPoint clean;
  std::vector<LogIndex> producer_batches;  // As SegmentCleaner has it.
  int64_t now_ms = 0;
  int64_t delete_retention_ms = 0;
  int64_t segment_bytes = 0;
  int32_t index_interval_bytes = 0;
  size_t map_bytes = 0;
  HashSecret secret;
};

class CompactionRun {
 public:
  CompactionRun(FileSystem& fs, CompactionInput input);

  enum class Did {
    kSome,     // There is more to do.
    kCleaned,  // Take() has a segment for the log.
    kAll,      // clean_point() holds once the log has all that was taken.
  };
  // Reads about `bytes_max` more. An error ends the pass: as SegmentCleaner's.
  absl::StatusOr<Did> Step(size_t bytes_max);
  CleanedSegment Take();
  // What was taken last has no place in the log; its path.
  void Refused(std::string path) { refused_ = std::move(path); }
  // Removes what was written and has no place in the log. Blocks; the end of a pass, however it
  // came.
  void Discard();
  const CleanPoint& clean_point() const { return clean_; }

  // So far: for pacing, and to be seen.
  int64_t bytes_moved() const { return bytes_read_ + bytes_written_; }
  int64_t bytes_read() const { return bytes_read_; }
  int64_t bytes_written() const { return bytes_written_; }
  uint64_t records_dropped() const { return batches_ ? batches_->records_dropped() : 0; }

 private:
  absl::Status NoteKeysOf(size_t bytes_max);
  void BeginCleaning(Offset end);
  absl::StatusOr<Did> CleanSome(size_t bytes_max);

  FileSystem& fs_;
  const CompactionInput input_;
  OffsetMap map_;
  // Of the first half.
  size_t source_ = 0;
  std::optional<SegmentSource> reading_;
  std::string scratch_;
  // Of the second.
  std::optional<CleaningRules> rules_;
  std::optional<BatchCleaner> batches_;
  std::vector<std::vector<SealedSegment>> groups_;
  size_t group_ = 0;
  std::unique_ptr<SegmentCleaner> cleaner_;
  std::optional<CleanedSegment> cleaned_;
  std::string refused_;
  CleanPoint clean_;
  int64_t bytes_read_ = 0;
  int64_t bytes_written_ = 0;
};

}  // namespace garam::storage
