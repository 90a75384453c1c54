// A disk in memory that forgets what was not synced and fails on request.
//
// It keeps two images: what a running process sees, and what stable storage holds, with the
// unsynced writes between them in order. Names need SyncDirectory as on a real disk. Crash() turns
// the second image, plus what chance let through, into the first.
//
// Threads: any (one lock). A File that was opened before a Crash fails every call after it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/random.h"
#include "storage/file_system.h"

namespace garam::storage {

class FakeFileSystem final : public FileSystem {
 public:
  // Calls that can be told to fail, and are counted.
  enum class Call { kWrite, kSync, kSyncDirectory, kCreate, kRemove, kTruncate, kRead, kWriteBack };

  FakeFileSystem();

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;
  absl::Status MakeDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<Space> SpaceOf(const std::string& path) override;

  // Power lost: only what was synced is left.
  void Crash();
  // Power lost: of the unsynced writes of each file chance keeps a prefix, the last one of it torn
  // at a byte or at a 512-byte border; of the unsynced names of each folder it keeps a prefix.
  // kAnySectors: of the writes behind the prefix, up to the next truncation, each 512-byte sector
  // is kept or not.
  enum class Kept { kFirstBytes, kAnySectors };
  void Crash(Random& random, Kept kept = Kept::kFirstBytes);
  // The process dies and the machine lives: nothing is lost, but open files and locks are.
  void KillProcess();
  // A lost disk: nothing is left.
  void Wipe();

  // Asked before each such call with its path; the answer, when not 0, is the errno to fail with. A
  // failed kWrite leaves a torn write behind; a failed kSync makes `random` choose which of the
  // unsynced writes reach the disk, the others never will. kNotMade: the process has ended before
  // this call, which does nothing and fails.
  static constexpr int kNotMade = -1;
  using FaultPlan = std::function<int(Call call, const std::string& path)>;
  void SetFaults(FaultPlan plan, Random* random = nullptr);
  // How many bytes all files together may hold; the write that goes over it fails with ENOSPC after
  // what fits. Nothing: no limit.
  void SetQuota(std::optional<int64_t> bytes_max);
  // What the files that are written from now on say of the time.
  void SetWallMs(int64_t now_ms);
  // Whether TryRead says that it would have to wait.
  void SetReadsWouldBlock(bool would_block);

  // Damage and inspection, past all images; the path must exist.
  std::string Content(const std::string& path) const;
  void SetContent(const std::string& path, std::string content);
  void FlipBit(const std::string& path, int64_t position, int bit);
  size_t CountOf(Call call) const;
  // Whether Crash() would lose anything of this file's bytes.
  bool HasUnsynced(const std::string& path) const;

 private:
  friend class FakeFile;
  // Zeros are counted, not kept: logs write many ahead of themselves.
  struct UnsyncedWrite {
    int64_t position;
    std::string bytes;
    int64_t zeros = 0;      // Behind the bytes.
    bool truncate = false;  // Sets the size to `position` instead.

    int64_t size() const { return static_cast<int64_t>(bytes.size()) + zeros; }
    void Shorten(int64_t size);
  };
  struct Image {
    std::string bytes;
    int64_t size = 0;  // What lies behind the bytes is zeros.
  };
  struct Node {
    Image seen;
    Image durable;
    std::vector<UnsyncedWrite> unsynced;
    int64_t modified_ms = 0;
  };
  using NodePtr = std::shared_ptr<Node>;
  // A name that was given or taken: what a folder's sync makes durable.
  struct NameChange {
    std::string path;
    NodePtr node;  // Null: the name is gone.
  };
  struct Folder {
    std::vector<NameChange> unsynced;
  };

  absl::Status RenameFolder(const std::string& from, const std::string& to);
  static std::string FolderOf(const std::string& path);
  static void Apply(const UnsyncedWrite& write, Image& image);
  int Fault(Call call, const std::string& path);
  static absl::Status Error(int fault, const std::string& path);
  void NoteName(const std::string& path, NodePtr node);
  int64_t UsedBytes() const;
  static void Tear(const UnsyncedWrite& write, Random& random, Image& image);
  static void Scatter(const UnsyncedWrite& write, Random& random, Image& image);
  void CrashFile(Node& node, Random* random, Kept kept);
  void FinishCrash();
  absl::Status WriteNode(Node& node, const std::string& path, int64_t position,
                         std::span<const std::string_view> pieces);
  absl::Status SyncNode(Node& node, const std::string& path);

  mutable std::mutex mutex_;                      // Guards everything below.
  std::map<std::string, NodePtr> names_;          // What the process sees.
  std::map<std::string, NodePtr> durable_names_;  // What stable storage holds.
  std::set<std::string> folders_seen_;
  std::set<std::string> folders_durable_;
  std::map<std::string, Folder> folders_;
  std::map<Call, size_t> counts_;
  FaultPlan faults_;
  Random* fault_random_ = nullptr;
  std::optional<int64_t> quota_;
  bool reads_would_block_ = false;
  int64_t wall_ms_ = 0;
  uint64_t epoch_ = 1;  // Of the process: files and locks of an older one are dead.
  std::map<std::string, uint64_t> locks_;
};

}  // namespace garam::storage
