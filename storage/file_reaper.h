// Deletes what was given up, some time later, one after the other and large files piece by piece:
// what a file system frees at once others may have to wait for (with the mount option discard, the
// disk is told of every block; docs/decisions/0016). What is to go later has a name that ends with
// kGivenUpSuffix, so that a start finds what an earlier process has left.
//
// Threads:   `home`; the deleting is done on the pool.
// Ownership: what the constructor is given outlives it. Stop before destroying; without, it may be
//            destroyed only when nothing posted or submitted will run any more.
// Errors:    what cannot be deleted is logged, and left to the next start.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/executor.h"
#include "storage/file_system.h"

namespace garam::storage {

inline constexpr std::string_view kGivenUpSuffix = ".deleted";

// The name under which the file or folder at `path` waits to be deleted.
inline std::string GivenUpPath(std::string path) { return path.append(kGivenUpSuffix); }

class FileReaper {
 public:
  FileReaper(FileSystem& fs, BlockingPool& pool, Executor& home, const Clock& clock)
      : fs_(fs), pool_(pool), home_(home), clock_(clock) {}

  // What is at most as large as that is freed at once.
  static constexpr int64_t kPieceBytes = 2 << 20;

  // The file or folder at `path` goes, with all that is in it, `delay` from now and once nobody
  // holds `users`: who has opened it may go on reading.
  void Reap(std::string path, Duration delay, std::weak_ptr<const void> users = {});
  // The same, soon, for a file without a name. It is gone with the process in any case.
  void Free(std::shared_ptr<File> file, std::weak_ptr<const void> users);
  // Nothing more is deleted; `stopped` runs once, on `home`, when nothing is under way.
  void Stop(Task stopped);

 private:
  struct Victim {
    std::string path;            // Empty: `file` is all.
    std::shared_ptr<File> file;  // Being freed; it has no name any more.
    std::weak_ptr<const void> users;
  };

  static bool FreePiece(FileSystem& fs, Victim& victim);
  void Add(MonoTime due, Victim victim);
  void Arm();
  void FreeNext();
  void OnPiece(Victim victim, bool gone);
  bool IsBehind(MonoTime now) const;

  FileSystem& fs_;
  BlockingPool& pool_;
  Executor& home_;
  const Clock& clock_;
  std::multimap<MonoTime, Victim> waiting_;  // By when they are due.
  MonoTime next_piece_{};
  TimerId timer_ = kNoTimer;
  bool freeing_ = false;
  bool stopping_ = false;
  Task stopped_;
};

// The paths in `dir` that were given up. Blocks.
absl::StatusOr<std::vector<std::string>> GivenUpIn(FileSystem& fs, const std::string& dir);

}  // namespace garam::storage
