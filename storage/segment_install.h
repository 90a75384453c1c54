// Makes a log what a manifest says (design decision D15). The segments that are missing are put
// together beside the log, which goes on meanwhile; when all are there and checked, one file turns
// the plan into a promise, and CarryOutInstall replaces what the log has. A process that dies
// before that file goes on where it was; after it, the next start carries the rest out.
//
// In the folder: `<base offset>.<base index>.incoming` of each segment, then `install`, the
// manifest.
//
// Threads: one at a time; blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "storage/file_system.h"
#include "storage/kv_store.h"
#include "storage/manifest.h"

namespace garam::storage {

class SegmentInstall {
 public:
  // The next bytes that are missing.
  struct Piece {
    LogIndex base_index;  // Of the segment.
    int64_t position = 0;
    size_t bytes = 0;  // All that the segment lacks.
  };

  // Finds out what is missing: neither `own`, the sealed segments of the log in `dir`, nor left
  // over from an earlier attempt.
  static absl::StatusOr<std::unique_ptr<SegmentInstall>> Begin(
      FileSystem& fs, std::string dir, Manifest manifest, const std::vector<ManifestSegment>& own);

  const Manifest& manifest() const { return manifest_; }
  // Nothing: all is there.
  std::optional<Piece> Next() const;
  // The bytes at Next(), or the first of them. kCorruptRecord when a segment that they complete is
  // damaged: it is missing again.
  absl::Status Add(std::string_view bytes);
  // When all is there, and nobody writes to the log: makes the promise. kAborted when the log has
  // lost a segment since Begin that was to stay.
  absl::Status Commit();

 private:
  struct Incoming {
    ManifestSegment segment;
    std::string path;
    std::unique_ptr<File> file;
    int64_t size = 0;  // So far.
  };

  SegmentInstall(FileSystem& fs, std::string dir, Manifest manifest)
      : fs_(fs), dir_(std::move(dir)), manifest_(std::move(manifest)) {}
  absl::Status Open(Incoming& incoming);
  absl::Status CheckWhole(Incoming& incoming);
  absl::Status SyncKept();

  FileSystem& fs_;
  const std::string dir_;
  const Manifest manifest_;
  std::vector<Incoming> incoming_;
  size_t at_ = 0;  // The one that is being filled.
};

// Gives an install up that has not been committed: its files go.
absl::Status AbandonInstall(FileSystem& fs, const std::string& dir);

// Replaces the log in `dir`, which nobody has open, if an install was committed. Its rows are
// synced on return. May be cut short anywhere and called again.
absl::Status CarryOutInstall(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir);

}  // namespace garam::storage
