// What a log asks of its disk, as a list of operations that one pool job carries out in order.
//
// Threads:   built on the log's executor, run once on the pool, taken back by the executor.
// Ownership: shares the files and bytes it needs; refers to nothing of the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/bytes.h"
#include "storage/file_system.h"
#include "storage/kv_store.h"
#include "storage/log_rows.h"
#include "storage/segment.h"

namespace garam::storage {

struct WriteOp {
  enum class Kind {
    kAppend,    // Writes `pieces` at `position` of `file`.
    kCreate,    // Makes `file`.
    kTruncate,  // Ends `file` at `position`.
    kRemove,    // Removes `file`'s name; ok when it is gone. What is large is to be freed slowly.
    kGiveUp,    // Gives `file` the name that a FileReaper looks for; ok when it is gone.
    kReplace,   // What is called `from` gets `file`'s name, durably: what follows may rely on it.
                // `replaced`, which had that name, is as if it were removed.
    kRows,      // Writes `rows`, synced: what follows must not be seen without them.
  };
  Kind kind;
  std::shared_ptr<SegmentFile> file;
  int64_t position = 0;
  std::vector<Bytes> pieces;
  size_t bytes = 0;  // Of all pieces.
  std::string from;
  std::shared_ptr<SegmentFile> replaced;
  KvBatch rows;
};

// The index of a segment that has got its footer.
struct SealedIndex {
  LogIndex base;
  IndexStamp stamp;
  std::shared_ptr<const SegmentIndex> index;
};

class WriteJob {
 public:
  std::deque<WriteOp> ops;
  // Files that hold unsynced bytes from before; the job adds its own.
  std::vector<std::shared_ptr<SegmentFile>> dirty;
  // Sync all dirty files after the operations, then write `mark` (not synced).
  bool sync = false;
  KvBatch mark;
  // Segments whose footer the operations wrote: their index goes to the key-value store last.
  std::vector<SealedIndex> sealed;
  // What the operations have given up, and who may still read it.
  struct GivenUp {
    std::string path;            // Empty: the name is gone.
    std::shared_ptr<File> file;  // Only then.
    std::weak_ptr<const void> users;
  };
  std::vector<GivenUp> given_up;

  // Blocks. The status of the first operation that failed; the ones before it are gone from `ops`.
  // A failed sync leaves no operations behind but an error that is not IsDiskFull.
  absl::Status Run(FileSystem& fs, LogRows& rows, KvStore& kv, const std::string& dir);

 private:
  absl::Status RunOps(FileSystem& fs, KvStore& kv, const std::string& dir, bool* names_changed);
  absl::Status RunOp(FileSystem& fs, KvStore& kv, const std::string& dir, WriteOp& op,
                     bool* names_changed);
  absl::Status Append(WriteOp& op);
  absl::Status TakeName(const std::shared_ptr<SegmentFile>& from,
                        absl::FunctionRef<absl::Status()> take);
  void NoteDirty(const std::shared_ptr<SegmentFile>& file);
};

}  // namespace garam::storage
