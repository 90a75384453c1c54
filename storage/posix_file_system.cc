#include "storage/posix_file_system.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::storage {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// What logs leave free. The rows of the key-value store need space as well, and a broker that
// cannot store a term can do nothing any more.
constexpr int64_t kKeptFreeBytesMax = 64 << 20;
constexpr int64_t kKeptFreePart = 16;

int64_t KeptFreeBytes(int64_t total_bytes) {
  return std::min(kKeptFreeBytesMax, total_bytes / kKeptFreePart);
}

FileSystem::Space SpaceIn(const struct statvfs& about) {
  const auto block = static_cast<int64_t>(about.f_frsize);
  return {.total_bytes = static_cast<int64_t>(about.f_blocks) * block,
          .usable_bytes = static_cast<int64_t>(about.f_bavail) * block};
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::StatusOr<size_t> Read(int64_t position, char* to, size_t count) override {
    size_t done = 0;
    while (done < count) {
      ssize_t n = ::pread(fd_.get(), to + done, count - done, position + static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error("read");
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::StatusOr<std::optional<size_t>> TryRead(int64_t position, char* to, size_t count) override {
    iovec target{to, count};
    ssize_t n;
    do {
      n = ::preadv2(fd_.get(), &target, 1, position, RWF_NOWAIT);
    } while (n < 0 && errno == EINTR);
    // EOPNOTSUPP: this file system cannot tell, so every read may wait.
    if (n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) return std::optional<size_t>();
    if (n < 0) return Error("read");
    // A short count is the end of the file or of what is in memory; only a waiting read can tell.
    if (static_cast<size_t>(n) < count) return std::optional<size_t>();
    return std::optional<size_t>(static_cast<size_t>(n));
  }

  absl::Status Write(int64_t position, std::span<const std::string_view> pieces) override {
    std::vector<iovec> vectors;
    vectors.reserve(pieces.size());
    for (std::string_view piece : pieces) {
      if (!piece.empty()) vectors.push_back({const_cast<char*>(piece.data()), piece.size()});
    }
    size_t first = 0;
    while (first < vectors.size()) {
      int count = static_cast<int>(std::min<size_t>(vectors.size() - first, IOV_MAX));
      ssize_t n = ::pwritev(fd_.get(), &vectors[first], count, position);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error("write");
      position += n;
      size_t left = static_cast<size_t>(n);
      while (first < vectors.size() && left >= vectors[first].iov_len) {
        left -= vectors[first++].iov_len;
      }
      if (left > 0) {
        vectors[first].iov_base = static_cast<char*>(vectors[first].iov_base) + left;
        vectors[first].iov_len -= left;
      }
    }
    return absl::OkStatus();
  }

  absl::Status WriteBack(int64_t begin, int64_t end) override {
    constexpr unsigned kAll =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (::sync_file_range(fd_.get(), begin, end - begin, kAll) == 0) return absl::OkStatus();
    // A kernel without the call leaves it all to Sync.
    return errno == ENOSYS ? absl::OkStatus() : Error("sync_file_range");
  }

  absl::Status Sync() override {
    return ::fdatasync(fd_.get()) == 0 ? absl::OkStatus() : Error("fdatasync");
  }

  absl::Status Allocate(int64_t position, int64_t count) override {
    struct statvfs about {};
    if (::fstatvfs(fd_.get(), &about) != 0) return Error("statvfs");
    const FileSystem::Space space = SpaceIn(about);
    if (space.usable_bytes - count < KeptFreeBytes(space.total_bytes)) {
      errno = ENOSPC;
      return Error("allocate");
    }
    if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, position, count) == 0) return absl::OkStatus();
    // A file system without the call grows the file at each write instead: slower, not wrong.
    return errno == EOPNOTSUPP ? absl::OkStatus() : Error("fallocate");
  }

  absl::Status Truncate(int64_t size) override {
    return ::ftruncate(fd_.get(), size) == 0 ? absl::OkStatus() : Error("truncate");
  }

  absl::StatusOr<int64_t> Size() override {
    struct stat about {};
    if (::fstat(fd_.get(), &about) != 0) return Error("stat");
    return about.st_size;
  }

  absl::StatusOr<int64_t> ModifiedMs() override {
    struct stat about {};
    if (::fstat(fd_.get(), &about) != 0) return Error("stat");
    return int64_t{about.st_mtim.tv_sec} * 1000 + about.st_mtim.tv_nsec / 1'000'000;
  }

 private:
  absl::Status Error(const char* call) const {
    int error_number = errno;
    return IoError(error_number, absl::StrCat(call, " ", path_));
  }

  const Descriptor fd_;
  const std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}

 private:
  const Descriptor fd_;  // flock ends with the descriptor.
};

absl::Status PathError(const char* call, const std::string& path) {
  int error_number = errno;
  return IoError(error_number, absl::StrCat(call, " ", path));
}

}  // namespace

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path, Mode mode) {
  int flags = O_CLOEXEC | (mode == Mode::kRead ? O_RDONLY : O_RDWR);
  if (mode == Mode::kCreate) flags |= O_CREAT | O_EXCL;
  int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) return PathError("open", path);
  return std::make_unique<PosixFile>(fd, path);
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return PathError("rename", from);
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  return ::unlink(path.c_str()) == 0 ? absl::OkStatus() : PathError("remove", path);
}

absl::Status PosixFileSystem::RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? IoError(error.value(), absl::StrCat("remove ", path)) : absl::OkStatus();
}

absl::Status PosixFileSystem::MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return absl::OkStatus();
  return PathError("mkdir", path);
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return PathError("open", path);
  return ::fsync(fd.get()) == 0 ? absl::OkStatus() : PathError("fsync", path);
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(path, error);
  const std::filesystem::directory_iterator end;
  for (; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return IoError(error.value(), absl::StrCat("list ", path));
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return PathError("open", path);
  auto lock = std::make_unique<PosixLock>(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return PathError("lock", path);
  return MakeError(Errc::kStorage, absl::StatusCode::kAlreadyExists,
                   absl::StrCat(path, " is locked: another process uses this data folder"));
}

absl::StatusOr<FileSystem::Space> PosixFileSystem::SpaceOf(const std::string& path) {
  struct statvfs about {};
  if (::statvfs(path.c_str(), &about) != 0) return PathError("statvfs", path);
  return SpaceIn(about);
}

}  // namespace garam::storage
