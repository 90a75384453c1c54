// Deletes what was given up, some time later and one after the other: a large file takes a while
// to go, and who opened it before may still read it. What is to go has a name that ends with
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

  // The file or folder at `path` goes, with all that is in it, `delay` from now.
  void Reap(std::string path, Duration delay);
  // Nothing more is deleted; `stopped` runs once, on `home`, when nothing is under way.
  void Stop(Task stopped);

 private:
  void Arm();
  void DeleteNext();
  void Deleted();

  FileSystem& fs_;
  BlockingPool& pool_;
  Executor& home_;
  const Clock& clock_;
  std::multimap<MonoTime, std::string> waiting_;
  TimerId timer_ = kNoTimer;
  bool deleting_ = false;
  bool stopping_ = false;
  Task stopped_;
};

// The paths in `dir` that were given up. Blocks.
absl::StatusOr<std::vector<std::string>> GivenUpIn(FileSystem& fs, const std::string& dir);

}  // namespace garam::storage
