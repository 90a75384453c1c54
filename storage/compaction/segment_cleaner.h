// Writes what compaction leaves of segments that follow one another, as one new segment beside
// them.
//
// Entries that go are replaced by gaps, so that indexes, offsets and terms go on as they were. What
// stays although it has no record: Raft's own entries, which a log without its rows is made from,
// but for a kRoll that ends the segment no more; the header of a batch that the state of a producer
// names (D11); that of the segment's last batch, so that whoever reads on from a gap gets to its
// end.
//
// Threads:   one at a time; blocks.
// Ownership: `fs` and `batches` outlive it. The log's next start removes a file that is neither
//            taken nor discarded.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/compaction/batch_cleaner.h"
#include "storage/compaction/segment_source.h"
#include "storage/log.h"

namespace garam::storage {

class SegmentCleaner {
 public:
  // `producer_batches`: indexes of batches whose header stays, ascending; outlives this.
  SegmentCleaner(FileSystem& fs, const std::string& dir, std::vector<SealedSegment> group,
                 BatchCleaner& batches, const std::vector<LogIndex>& producer_batches,
                 int32_t index_interval_bytes);
  SegmentCleaner(const SegmentCleaner&) = delete;
  SegmentCleaner& operator=(const SegmentCleaner&) = delete;

  // Reads about `bytes_max` more; true when all is written and synced. IsDamaged when a segment is
  // not what was written; IsDiskFull when there is no space for the new one.
  absl::StatusOr<bool> Step(size_t bytes_max);
  // Once Step has said true; nothing when what is there needs no change.
  std::optional<CleanedSegment> Take();
  // Removes the file, unless it was taken.
  void Discard();

  // So far.
  int64_t bytes_read() const { return bytes_read_; }
  int64_t bytes_written() const { return bytes_written_; }

 private:
  // What is not written yet: a gap that may grow; or, behind a batch that may be the last, a frame.
  struct Pending {
    EntryGap gap;
    std::string bytes;  // Not empty: it is not left out, but these.
  };

  absl::Status Begin();
  absl::Status CleanFrame(const Frame& frame);
  absl::Status CleanBatch(const Frame& frame);
  EntryGap GapOf(const Frame& frame) const;
  void Drop(const EntryGap& gap);
  void Hold(Pending last_batch);
  void DropHeld();
  void WritePending(size_t left = 0);
  void Emit(std::string_view bytes);
  absl::Status WriteOut();
  absl::Status Finish();

  FileSystem& fs_;
  const std::vector<SealedSegment> group_;
  BatchCleaner& batches_;
  const std::vector<LogIndex>& producer_batches_;
  const int32_t index_interval_bytes_;
  const std::string path_;
  std::shared_ptr<File> file_;
  bool made_ = false;  // The file is there, and ours to remove.
  bool finished_ = false;

  size_t source_ = 0;                     // The segment of the group that is being read,
  std::optional<SegmentSource> reading_;  // and where.
  SegmentPoint at_;                       // The end of what is written.
  Term last_term_;
  std::shared_ptr<SegmentIndex> index_;
  std::string out_;
  std::deque<Pending> pending_;
  std::optional<size_t> held_;  // In pending_: the last batch so far, without a record.
  int64_t bytes_read_ = 0;
  int64_t bytes_written_ = 0;
};

}  // namespace garam::storage
