// One segment of a log: its file, shared with the pool, and what the log knows of it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "storage/file_system.h"
#include "storage/frame.h"
#include "storage/segment_index.h"
#include "storage/segment_info.h"

namespace garam::storage {

// A segment's file, opened when first needed.
//
// Threads: any for Get; the rest belongs to whoever writes, one at a time.
class SegmentFile {
 public:
  SegmentFile(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  // Of a file that is open, whatever its name still is, and that will be called `path`.
  SegmentFile(FileSystem& fs, std::string path, std::shared_ptr<File> file)
      : fs_(fs), path_(std::move(path)), file_(std::move(file)) {}

  const std::string& path() const { return path_; }
  // Opens an existing file when it is not open yet, which blocks.
  absl::StatusOr<std::shared_ptr<File>> Get();
  // The same without blocking: null when it is not open.
  std::shared_ptr<File> GetIfOpen();
  // Makes the file; ok when this object has made it before.
  absl::Status Create();

  // Makes room for bytes up to `end`. With `zeroed`, zeros are written ahead: a sync that finds its
  // blocks written already needs no journal commit of the file system (measured: 30 instead of 45
  // us for 1 KiB, 65 instead of 100 us for 64 KiB). Else blocks are only reserved. On a disk
  // that is nearly full it is just for `end`, and then an error.
  absl::Status Reserve(int64_t end, bool zeroed);
  // Whether bytes up to `end` need no Reserve.
  bool Reserved(int64_t end) const { return end <= reserved_end_; }
  // The file ends at `size`, and nothing is reserved.
  absl::Status Truncate(int64_t size);

 private:
  FileSystem& fs_;
  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<File> file_;  // Guarded by mutex_.
  int64_t reserved_end_ = 0;
  int64_t zeroed_end_ = 0;
  int64_t step_ = 64 << 10;
};

// The checksum of a compacted segment; nothing: of one that is as it was written.
using IndexStamp = std::optional<uint32_t>;

// Threads: the log's.
struct Segment {
  std::shared_ptr<SegmentFile> file;
  SegmentHeader header;
  SegmentPoint end;                 // Of the appended entries.
  bool rolled = false;              // Ends with a kRoll.
  bool sealed = false;              // Has its footer on disk, or one is on its way.
  bool compacted = false;           // See SegmentFooter.
  Term last_term;                   // header.term_before when it is empty.
  int64_t created_ms = 0;           // Wall time of the first entry; 0: it has none.
  int64_t modified_ms = 0;          // As SegmentInfo has it.
  int64_t first_timestamp_ms = -1;  // The same.
  uint32_t index_pieces = 0;        // a-rows in the key-value store, and
  size_t index_rows = 1;  // how many rows of `index` are in them (the first never needs to be).
  // Null for a sealed segment whose rows nobody asked for yet. Never changed once sealed.
  std::shared_ptr<SegmentIndex> index;

  int64_t size_bytes() const {
    return end.position + (sealed ? static_cast<int64_t>(kFooterBytes) : 0);
  }
  // Which file its index rows speak of: they outlive the one that compaction replaces.
  IndexStamp index_stamp() const { return compacted ? IndexStamp(end.checksum) : std::nullopt; }
};

SegmentInfo InfoOf(const Segment& segment);
// Of a segment that has ended.
SegmentFooter FooterOf(const Segment& segment);

// `<base offset, 20 digits>.log`, or with `.<base index>` before the dot where that name is taken.
std::string SegmentFileName(const SegmentHeader& header, bool taken);
// What compaction writes in a log's folder, until it has its place there.
inline constexpr char kCleanedSuffix[] = ".cleaned";
// The base offset and, where it is in the name, the base index (else 0): they sort as the segments
// do. Nothing when the name is not a segment's.
std::optional<std::pair<Offset, LogIndex>> ParseSegmentFileName(const std::string& name);

}  // namespace garam::storage
