// The seam to the disk. Everything in storage/ touches files through it, so that the fake can lose
// unsynced bytes, tear writes and fail calls.
//
// Threads:   any; one File may be used by several threads at once. All calls may block, but for
//            TryRead.
// Errors:    Errc::kStorage. The code tells apart what a caller may treat differently:
//            kResourceExhausted: no space or quota left, nothing else is wrong (IsDiskFull);
//            kNotFound, kAlreadyExists: as they say; kDataLoss: all the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"

namespace garam::storage {

// An open file; closed by its destructor.
class File {
 public:
  virtual ~File() = default;

  // Fills `to` from `position` on; fewer than `count` bytes only at the end of the file.
  virtual absl::StatusOr<size_t> Read(int64_t position, char* to, size_t count) = 0;
  // The same if every byte is in memory; nothing when the call would have to wait for the disk.
  virtual absl::StatusOr<std::optional<size_t>> TryRead(int64_t position, char* to,
                                                        size_t count) = 0;
  // Writes all pieces, one after the other, from `position` on. After an error the bytes from
  // `position` on are unspecified; those before it are untouched.
  virtual absl::Status Write(int64_t position, std::span<const std::string_view> pieces) = 0;
  // Has the disk take in what was written in [begin, end), and waits until it has: a sync has less
  // to do then. Until one comes, nothing of that is on stable storage; and unlike it, this has
  // nobody else wait for the file system's journal. An error is final, as Sync's.
  virtual absl::Status WriteBack(int64_t begin, int64_t end) = 0;
  // fdatasync: what was written and the size are on stable storage. An error is final: the unsynced
  // bytes may be gone though reads still show them.
  virtual absl::Status Sync() = 0;
  // Reserves blocks for [position, position + count) without changing the size. kResourceExhausted
  // also when that would leave less than what is to stay free for the broker's other files.
  virtual absl::Status Allocate(int64_t position, int64_t count) = 0;
  // Sets the size; blocks that were reserved beyond it are given back.
  virtual absl::Status Truncate(int64_t size) = 0;
  virtual absl::StatusOr<int64_t> Size() = 0;
  // When it was last written, wall time.
  virtual absl::StatusOr<int64_t> ModifiedMs() = 0;
};

// Holds a lock of another process out; released by its destructor, or when the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  enum class Mode {
    kRead,
    kReadWrite,
    kCreate,  // For reading and writing; fails with kAlreadyExists when the name is taken.
  };
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;

  // A created, renamed or removed name is on stable storage only after SyncDirectory of its folder.
  // A folder takes what is in it along; nothing may be at `to` then.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Removes a folder with all that is in it, or a file; ok when there is none.
  virtual absl::Status RemoveTree(const std::string& path) = 0;
  // Makes one folder; ok when it is there.
  virtual absl::Status MakeDirectory(const std::string& path) = 0;
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // The names in a folder, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;

  // Takes the exclusive lock of the file at `path`, made when missing. kAlreadyExists when another
  // process has it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // Of the disk that holds `path`; usable: what an unprivileged process may still write.
  struct Space {
    int64_t total_bytes = 0;
    int64_t usable_bytes = 0;
  };
  virtual absl::StatusOr<Space> SpaceOf(const std::string& path) = 0;
};

// Whether the only thing wrong is that the disk is full: the caller may try again later.
bool IsDiskFull(const absl::Status& status);
// How much later.
inline constexpr Millis kDiskFullRetry{1000};

// Whether the disk did not give back what was written to it: kCorruptRecord.
bool IsDamaged(const absl::Status& status);

// An Errc::kStorage status for an errno: "<what>: <reason>", with the codes of the contract above.
absl::Status IoError(int error_number, std::string_view what);

// The whole content of a small file.
absl::StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path);

// Puts `content` at `path` atomically and durably: a new file, synced, renamed over the old one.
// `path` needs a folder in it.
absl::Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view content);

}  // namespace garam::storage
