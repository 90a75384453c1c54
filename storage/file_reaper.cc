#include "storage/file_reaper.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam::storage {
namespace {

// Between two pieces: 100 MB/s. A disk that is told of freed blocks takes some 0.3 ms a MiB.
constexpr Duration kPause = Millis(20);
// When so many are due there is no time for pauses.
constexpr std::ptrdiff_t kDueMax = 8;
constexpr Duration kUsersAgain = Millis(1000);

// A file at or in `path` that takes more than one piece, and its path; null: there is none.
std::pair<std::string, std::shared_ptr<File>> FindLarge(FileSystem& fs, const std::string& path) {
  std::vector<std::string> files{path};
  if (const auto names = fs.List(path); names.ok()) {
    files.clear();
    for (const std::string& name : *names) files.push_back(absl::StrCat(path, "/", name));
  }
  for (std::string& name : files) {
    absl::StatusOr<std::unique_ptr<File>> file = fs.Open(name, FileSystem::Mode::kReadWrite);
    if (!file.ok()) continue;
    const absl::StatusOr<int64_t> size = (*file)->Size();
    if (size.ok() && *size > FileReaper::kPieceBytes) return {std::move(name), *std::move(file)};
  }
  return {};
}

}  // namespace

void FileReaper::Reap(std::string path, Duration delay, std::weak_ptr<const void> users) {
  Add(clock_.Mono() + delay, {std::move(path), nullptr, std::move(users)});
}

void FileReaper::Free(std::shared_ptr<File> file, std::weak_ptr<const void> users) {
  Add(clock_.Mono(), {"", std::move(file), std::move(users)});
}

void FileReaper::Add(MonoTime due, Victim victim) {
  if (stopping_) return;
  waiting_.emplace(due, std::move(victim));
  Arm();
}

void FileReaper::Arm() {
  home_.Cancel(std::exchange(timer_, kNoTimer));
  if (freeing_ || stopping_ || waiting_.empty()) return;
  timer_ = home_.PostAt(std::max(waiting_.begin()->first, next_piece_), [this] {
    timer_ = kNoTimer;
    FreeNext();
  });
}

// One at a time: others wait for the pool as well.
void FileReaper::FreeNext() {
  Victim victim = std::move(waiting_.extract(waiting_.begin()).mapped());
  if (!victim.users.expired()) {
    return Add(clock_.Mono() + kUsersAgain, std::move(victim));
  }
  freeing_ = true;
  pool_.Submit([this, victim = std::move(victim)]() mutable {
    const bool gone = FreePiece(fs_, victim);
    home_.Post(
        [this, victim = std::move(victim), gone]() mutable { OnPiece(std::move(victim), gone); });
  });
}

// On the pool. Whether nothing is left.
bool FileReaper::FreePiece(FileSystem& fs, Victim& victim) {
  if (victim.file == nullptr) {
    auto [name, file] = FindLarge(fs, victim.path);
    absl::Status removed = file == nullptr ? fs.RemoveTree(victim.path) : fs.Remove(name);
    if (!removed.ok())
      LogWarn("{} stays until the next start: {}", victim.path, removed.ToString());
    if (file == nullptr || !removed.ok()) return true;
    victim.file = std::move(file);
  }
  const absl::StatusOr<int64_t> size = victim.file->Size();
  if (size.ok() && *size > kPieceBytes && victim.file->Truncate(*size - kPieceBytes).ok()) {
    return false;
  }
  victim.file = nullptr;  // The rest goes with it.
  return victim.path.empty();
}

void FileReaper::OnPiece(Victim victim, bool gone) {
  freeing_ = false;
  if (stopped_) return std::exchange(stopped_, nullptr)();
  if (gone) return Arm();
  const MonoTime now = clock_.Mono();
  next_piece_ = IsBehind(now) ? now : now + kPause;
  Add(MonoTime::min(), std::move(victim));  // It goes on before others.
}

bool FileReaper::IsBehind(MonoTime now) const {
  return std::distance(waiting_.begin(), waiting_.upper_bound(now)) > kDueMax;
}

void FileReaper::Stop(Task stopped) {
  stopping_ = true;
  home_.Cancel(std::exchange(timer_, kNoTimer));
  if (freeing_) {
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
