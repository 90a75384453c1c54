#include "storage/file_reaper.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam::storage {

void FileReaper::Reap(std::string path, Duration delay) {
  if (stopping_) return;
  waiting_.emplace(clock_.Mono() + delay, std::move(path));
  Arm();
}

void FileReaper::Arm() {
  home_.Cancel(std::exchange(timer_, kNoTimer));
  if (deleting_ || stopping_ || waiting_.empty()) return;
  timer_ = home_.PostAt(waiting_.begin()->first, [this] {
    timer_ = kNoTimer;
    DeleteNext();
  });
}

// One at a time: others wait for the pool as well.
void FileReaper::DeleteNext() {
  deleting_ = true;
  std::string path = std::move(waiting_.extract(waiting_.begin()).mapped());
  pool_.Submit([this, path = std::move(path)] {
    if (absl::Status removed = fs_.RemoveTree(path); !removed.ok()) {
      LogWarn("{} stays until the next start: {}", path, removed.ToString());
    }
    home_.Post([this] { Deleted(); });
  });
}

void FileReaper::Deleted() {
  deleting_ = false;
  if (stopped_) return std::exchange(stopped_, nullptr)();
  Arm();
}

void FileReaper::Stop(Task stopped) {
  stopping_ = true;
  home_.Cancel(std::exchange(timer_, kNoTimer));
  if (deleting_) {
    stopped_ = std::move(stopped);
  } else {
    home_.Post(std::move(stopped));
  }
}

absl::StatusOr<std::vector<std::string>> GivenUpIn(FileSystem& fs, const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(dir));
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    if (name.ends_with(kGivenUpSuffix)) paths.push_back(absl::StrCat(dir, "/", name));
  }
  return paths;
}

}  // namespace garam::storage
