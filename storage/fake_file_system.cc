#include "storage/fake_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::storage {

class FakeFile final : public File {
 public:
  FakeFile(FakeFileSystem& fs, FakeFileSystem::NodePtr node, std::string path)
      : fs_(fs), node_(std::move(node)), path_(std::move(path)), epoch_(fs.epoch_) {}

  absl::StatusOr<size_t> Read(int64_t position, char* to, size_t count) override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Check(FakeFileSystem::Call::kRead));
    const FakeFileSystem::Image& seen = node_->seen;
    if (position >= seen.size) return size_t{0};
    const size_t n = std::min(count, static_cast<size_t>(seen.size - position));
    const std::string_view bytes = seen.bytes;
    const size_t from = std::min(static_cast<size_t>(position), bytes.size());
    const size_t copied = bytes.copy(to, n, from);
    std::memset(to + copied, 0, n - copied);
    return n;
  }

  absl::StatusOr<std::optional<size_t>> TryRead(int64_t position, char* to, size_t count) override {
    {
      std::lock_guard lock(fs_.mutex_);
      if (fs_.reads_would_block_) return std::optional<size_t>();
    }
    ASSIGN_OR_RETURN(size_t n, Read(position, to, count));
    return n == count ? std::optional<size_t>(n) : std::nullopt;
  }

  absl::Status Write(int64_t position, std::span<const std::string_view> pieces) override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Alive());
    return fs_.WriteNode(*node_, path_, position, pieces);
  }

  absl::Status Sync() override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Alive());
    return fs_.SyncNode(*node_, path_);
  }

  absl::Status WriteBack(int64_t, int64_t) override {
    std::lock_guard lock(fs_.mutex_);
    return Check(FakeFileSystem::Call::kWriteBack);
  }

  absl::Status Allocate(int64_t, int64_t) override {
    std::lock_guard lock(fs_.mutex_);
    return Alive();
  }

  absl::Status Truncate(int64_t size) override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Check(FakeFileSystem::Call::kTruncate));
    node_->unsynced.push_back({.position = size, .bytes = {}, .truncate = true});
    FakeFileSystem::Apply(node_->unsynced.back(), node_->seen);
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Size() override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Alive());
    return node_->seen.size;
  }

  absl::StatusOr<int64_t> ModifiedMs() override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Alive());
    return node_->modified_ms;
  }

 private:
  absl::Status Alive() const {
    return epoch_ == fs_.epoch_ ? absl::OkStatus() : IoError(EBADF, path_);
  }
  absl::Status Check(FakeFileSystem::Call call) {
    RETURN_IF_ERROR(Alive());
    int fault = fs_.Fault(call, path_);
    return fault == 0 ? absl::OkStatus() : FakeFileSystem::Error(fault, path_);
  }

  FakeFileSystem& fs_;
  const FakeFileSystem::NodePtr node_;
  const std::string path_;
  const uint64_t epoch_;
};

namespace {

constexpr int64_t kSector = 512;

bool AllZeros(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

class FakeLock final : public FileLock {
 public:
  explicit FakeLock(std::function<void()> release) : release_(std::move(release)) {}
  ~FakeLock() override { release_(); }

 private:
  std::function<void()> release_;
};

}  // namespace

FakeFileSystem::FakeFileSystem() = default;

std::string FakeFileSystem::FolderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

void FakeFileSystem::UnsyncedWrite::Shorten(int64_t size) {
  const auto kept = std::min(bytes.size(), static_cast<size_t>(size));
  bytes.resize(kept);
  zeros = size - static_cast<int64_t>(kept);
}

void FakeFileSystem::Apply(const UnsyncedWrite& write, Image& image) {
  const auto from = static_cast<size_t>(write.position);
  if (write.truncate) {
    image.bytes.resize(std::min(image.bytes.size(), from));
    image.size = write.position;
    return;
  }
  if (!write.bytes.empty()) {
    const size_t end = from + write.bytes.size();
    if (image.bytes.size() < end) image.bytes.resize(end, '\0');
    std::memcpy(image.bytes.data() + from, write.bytes.data(), write.bytes.size());
  }
  const size_t zeros_from = from + write.bytes.size();
  const size_t zeros_to =
      std::min(image.bytes.size(), zeros_from + static_cast<size_t>(write.zeros));
  if (zeros_from < zeros_to) {
    std::memset(image.bytes.data() + zeros_from, 0, zeros_to - zeros_from);
  }
  image.size = std::max(image.size, write.position + write.size());
}

int FakeFileSystem::Fault(Call call, const std::string& path) {
  ++counts_[call];
  return faults_ ? faults_(call, path) : 0;
}

absl::Status FakeFileSystem::Error(int fault, const std::string& path) {
  return IoError(fault == kNotMade ? EIO : fault, path);
}

void FakeFileSystem::NoteName(const std::string& path, NodePtr node) {
  if (node) {
    names_[path] = node;
  } else {
    names_.erase(path);
  }
  folders_[FolderOf(path)].unsynced.push_back({path, std::move(node)});
}

int64_t FakeFileSystem::UsedBytes() const {
  int64_t used = 0;
  for (const auto& [path, node] : names_) used += node->seen.size;
  return used;
}

absl::StatusOr<std::unique_ptr<File>> FakeFileSystem::Open(const std::string& path, Mode mode) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  if (mode != Mode::kCreate) {
    if (found == names_.end()) return IoError(ENOENT, path);
    return std::make_unique<FakeFile>(*this, found->second, path);
  }
  if (found != names_.end()) return IoError(EEXIST, path);
  if (!folders_seen_.contains(FolderOf(path)) && !FolderOf(path).empty()) {
    return IoError(ENOENT, path);
  }
  if (int fault = Fault(Call::kCreate, path)) return Error(fault, path);
  NoteName(path, std::make_shared<Node>());
  return std::make_unique<FakeFile>(*this, names_[path], path);
}

absl::Status FakeFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(from);
  if (found == names_.end() && folders_seen_.contains(from)) return RenameFolder(from, to);
  if (found == names_.end()) return IoError(ENOENT, from);
  NodePtr node = found->second;
  NoteName(to, node);
  NoteName(from, nullptr);
  return absl::OkStatus();
}

// Durable at once, as nothing here depends on it not being so.
absl::Status FakeFileSystem::RenameFolder(const std::string& from, const std::string& to) {
  if (folders_seen_.contains(to)) return IoError(ENOTEMPTY, to);
  const auto moved = [&](const std::string& path) {
    const bool inside = path == from || absl::StartsWith(path, from + "/");
    return inside ? to + path.substr(from.size()) : path;
  };
  for (auto* names : {&names_, &durable_names_}) {
    std::map<std::string, NodePtr> after;
    for (const auto& [path, node] : *names) after[moved(path)] = node;
    *names = std::move(after);
  }
  for (auto* folders : {&folders_seen_, &folders_durable_}) {
    std::set<std::string> after;
    for (const std::string& path : *folders) after.insert(moved(path));
    *folders = std::move(after);
  }
  std::map<std::string, Folder> after;
  for (auto& [path, folder] : folders_) {
    for (NameChange& change : folder.unsynced) change.path = moved(change.path);
    after[moved(path)] = std::move(folder);
  }
  folders_ = std::move(after);
  return absl::OkStatus();
}

absl::Status FakeFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!names_.contains(path)) return IoError(ENOENT, path);
  if (int fault = Fault(Call::kRemove, path)) return Error(fault, path);
  NoteName(path, nullptr);
  return absl::OkStatus();
}

void FakeFileSystem::SetWallMs(int64_t now_ms) {
  std::lock_guard lock(mutex_);
  wall_ms_ = now_ms;
}

absl::Status FakeFileSystem::RemoveTree(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (int fault = Fault(Call::kRemove, path)) return Error(fault, path);
  std::vector<std::string> inside;
  for (const auto& [name, node] : names_) {
    if (name == path || absl::StartsWith(name, path + "/")) inside.push_back(name);
  }
  for (const std::string& name : inside) NoteName(name, nullptr);
  std::erase_if(folders_seen_, [&path](const std::string& name) {
    return name == path || absl::StartsWith(name, path + "/");
  });
  return absl::OkStatus();
}

absl::Status FakeFileSystem::MakeDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  folders_seen_.insert(path);
  return absl::OkStatus();
}

absl::Status FakeFileSystem::SyncDirectory(const std::string& asked) {
  std::lock_guard lock(mutex_);
  if (int fault = Fault(Call::kSyncDirectory, asked)) return Error(fault, asked);
  const std::string path = asked == "/" ? FolderOf("/name") : asked;
  for (const NameChange& change : folders_[path].unsynced) {
    if (change.node) {
      durable_names_[change.path] = change.node;
    } else {
      durable_names_.erase(change.path);
    }
  }
  folders_[path].unsynced.clear();
  // The folders inside `path` are names in it as well.
  std::erase_if(folders_durable_, [&](const std::string& name) {
    return FolderOf(name) == path && !folders_seen_.contains(name);
  });
  for (const std::string& name : folders_seen_) {
    if (FolderOf(name) == path) folders_durable_.insert(name);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FakeFileSystem::List(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::set<std::string> inside;
  for (const auto& [name, node] : names_) {
    if (FolderOf(name) == path) inside.insert(name.substr(path.size() + 1));
  }
  for (const std::string& name : folders_seen_) {
    if (name != path && FolderOf(name) == path) inside.insert(name.substr(path.size() + 1));
  }
  if (inside.empty() && !folders_seen_.contains(path)) return IoError(ENOENT, path);
  return std::vector<std::string>(inside.begin(), inside.end());
}

absl::StatusOr<std::unique_ptr<FileLock>> FakeFileSystem::Lock(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (auto held = locks_.find(path); held != locks_.end() && held->second == epoch_) {
    return MakeError(Errc::kStorage, absl::StatusCode::kAlreadyExists, path + " is locked");
  }
  locks_[path] = epoch_;
  return std::make_unique<FakeLock>([this, path, epoch = epoch_] {
    std::lock_guard inner(mutex_);
    if (auto held = locks_.find(path); held != locks_.end() && held->second == epoch) {
      locks_.erase(held);
    }
  });
}

absl::StatusOr<FileSystem::Space> FakeFileSystem::SpaceOf(const std::string&) {
  std::lock_guard lock(mutex_);
  const int64_t total = quota_.value_or(int64_t{1} << 40);
  const int64_t usable = quota_ ? std::max<int64_t>(0, total - UsedBytes()) : total;
  return Space{.total_bytes = total, .usable_bytes = usable};
}

absl::Status FakeFileSystem::WriteNode(Node& node, const std::string& path, int64_t position,
                                       std::span<const std::string_view> pieces) {
  node.modified_ms = wall_ms_;
  UnsyncedWrite write{.position = position, .bytes = {}};
  for (std::string_view piece : pieces) {
    if (AllZeros(piece)) {
      write.zeros += static_cast<int64_t>(piece.size());
      continue;
    }
    write.bytes.append(static_cast<size_t>(std::exchange(write.zeros, 0)), '\0');
    write.bytes.append(piece);
  }
  int error_number = Fault(Call::kWrite, path);
  if (error_number == kNotMade) return Error(error_number, path);
  if (error_number != 0) {
    // What a failed write leaves is anything up to the whole.
    const auto size = static_cast<uint64_t>(write.size());
    write.Shorten(static_cast<int64_t>(fault_random_ ? fault_random_->Below(size + 1) : size / 2));
  } else if (quota_) {
    const int64_t grown = position + write.size() - node.seen.size;
    const int64_t room = std::max<int64_t>(0, *quota_ - UsedBytes());
    if (grown > 0 && grown > room) {
      error_number = ENOSPC;
      write.Shorten(std::max<int64_t>(0, node.seen.size + room - position));
    }
  }
  if (write.size() > 0) {
    Apply(write, node.seen);
    node.unsynced.push_back(std::move(write));
  }
  return error_number == 0 ? absl::OkStatus() : IoError(error_number, path);
}

absl::Status FakeFileSystem::SyncNode(Node& node, const std::string& path) {
  int error_number = Fault(Call::kSync, path);
  if (error_number == kNotMade) return Error(error_number, path);
  for (const UnsyncedWrite& write : node.unsynced) {
    // After an error the kernel calls the pages clean, whatever became of them.
    if (error_number != 0 && (fault_random_ == nullptr || fault_random_->Below(2) == 0)) continue;
    Apply(write, node.durable);
  }
  node.unsynced.clear();
  return error_number == 0 ? absl::OkStatus() : IoError(error_number, path);
}

void FakeFileSystem::Tear(const UnsyncedWrite& write, Random& random, Image& image) {
  UnsyncedWrite torn = write;
  auto kept = static_cast<int64_t>(random.Below(static_cast<uint64_t>(torn.size()) + 1));
  if (random.Below(2) == 0) {
    const int64_t end = (torn.position + kept) / kSector * kSector;
    kept = std::max<int64_t>(0, end - torn.position);
  }
  torn.Shorten(kept);
  if (kept > 0) Apply(torn, image);
}

void FakeFileSystem::Scatter(const UnsyncedWrite& write, Random& random, Image& image) {
  for (int64_t done = 0; done < write.size();) {
    const int64_t size = std::min(kSector - (write.position + done) % kSector, write.size() - done);
    if (random.Below(2) == 0) {
      UnsyncedWrite sector{.position = write.position + done, .bytes = {}};
      if (const auto from = static_cast<size_t>(done); from < write.bytes.size()) {
        sector.bytes = write.bytes.substr(from, static_cast<size_t>(size));
      }
      sector.zeros = size - static_cast<int64_t>(sector.bytes.size());
      Apply(sector, image);
    }
    done += size;
  }
}

void FakeFileSystem::CrashFile(Node& node, Random* random, Kept kept) {
  if (random != nullptr && !node.unsynced.empty()) {
    size_t next = random->Below(node.unsynced.size() + 1);
    for (size_t i = 0; i < next; ++i) Apply(node.unsynced[i], node.durable);
    for (; next < node.unsynced.size() && !node.unsynced[next].truncate; ++next) {
      if (kept == Kept::kFirstBytes) {
        Tear(node.unsynced[next], *random, node.durable);
        break;
      }
      Scatter(node.unsynced[next], *random, node.durable);
    }
  }
  node.unsynced.clear();
  node.seen = node.durable;
}

void FakeFileSystem::FinishCrash() {
  folders_.clear();
  names_ = durable_names_;
  folders_seen_ = folders_durable_;
  // A file or folder in a folder that is gone is gone as well.
  std::erase_if(folders_seen_, [this](const std::string& path) {
    std::string parent = FolderOf(path);
    return !parent.empty() && !folders_durable_.contains(parent);
  });
  std::erase_if(names_, [this](const auto& entry) {
    std::string parent = FolderOf(entry.first);
    return !parent.empty() && !folders_seen_.contains(parent);
  });
  durable_names_ = names_;
  folders_durable_ = folders_seen_;
  ++epoch_;
}

void FakeFileSystem::Crash() {
  std::lock_guard lock(mutex_);
  std::set<Node*> nodes;
  for (const auto& [path, node] : durable_names_) nodes.insert(node.get());
  for (Node* node : nodes) CrashFile(*node, nullptr, Kept::kFirstBytes);
  FinishCrash();
}

void FakeFileSystem::Crash(Random& random, Kept kept) {
  std::lock_guard lock(mutex_);
  for (auto& [path, folder] : folders_) {
    const size_t names = random.Below(folder.unsynced.size() + 1);
    for (size_t i = 0; i < names; ++i) {
      const NameChange& change = folder.unsynced[i];
      if (change.node) {
        durable_names_[change.path] = change.node;
      } else {
        durable_names_.erase(change.path);
      }
    }
  }
  for (const std::string& folder : folders_seen_) {
    if (random.Below(2) == 0) folders_durable_.insert(folder);
  }
  // In the order of names: equal seeds give equal crashes.
  std::set<Node*> done;
  for (const auto& [path, node] : durable_names_) {
    if (done.insert(node.get()).second) CrashFile(*node, &random, kept);
  }
  FinishCrash();
}

void FakeFileSystem::KillProcess() {
  std::lock_guard lock(mutex_);
  ++epoch_;
}

void FakeFileSystem::Wipe() {
  std::lock_guard lock(mutex_);
  ++epoch_;
  names_.clear();
  durable_names_.clear();
  folders_seen_.clear();
  folders_durable_.clear();
  folders_.clear();
}

void FakeFileSystem::SetFaults(FaultPlan plan, Random* random) {
  std::lock_guard lock(mutex_);
  faults_ = std::move(plan);
  fault_random_ = random;
}

void FakeFileSystem::SetQuota(std::optional<int64_t> bytes_max) {
  std::lock_guard lock(mutex_);
  quota_ = bytes_max;
}

void FakeFileSystem::SetReadsWouldBlock(bool would_block) {
  std::lock_guard lock(mutex_);
  reads_would_block_ = would_block;
}

std::string FakeFileSystem::Content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  const Image& seen = names_.at(path)->seen;
  std::string content = seen.bytes;
  content.resize(static_cast<size_t>(seen.size), '\0');
  return content;
}

void FakeFileSystem::SetContent(const std::string& path, std::string content) {
  std::lock_guard lock(mutex_);
  Node& node = *names_.at(path);
  node.unsynced.clear();
  const auto size = static_cast<int64_t>(content.size());
  node.seen = node.durable = Image{std::move(content), size};
}

void FakeFileSystem::FlipBit(const std::string& path, int64_t position, int bit) {
  std::lock_guard lock(mutex_);
  Node& node = *names_.at(path);
  const auto at = static_cast<size_t>(position);
  for (Image* image : {&node.seen, &node.durable}) {
    if (position >= image->size) continue;
    image->bytes.resize(std::max(image->bytes.size(), at + 1), '\0');
    image->bytes[at] ^= static_cast<char>(1 << bit);
  }
}

size_t FakeFileSystem::CountOf(Call call) const {
  std::lock_guard lock(mutex_);
  auto found = counts_.find(call);
  return found == counts_.end() ? 0 : found->second;
}

bool FakeFileSystem::HasUnsynced(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return !names_.at(path)->unsynced.empty();
}

}  // namespace garam::storage
