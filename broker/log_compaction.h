// Carries out one pass of compaction over a replica's log: the pass works on the shard's pool in
// small steps, paced, and what it has written takes its place in the log here. Reads, writes and
// the pass do not wait for one another.
//
// Threads:   the shard's executor.
// Ownership: shared with what it has under way; the partition calls Stop before the replica closes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/copy_pacer.h"
#include "common/executor.h"
#include "storage/compaction/compaction_run.h"

namespace garam {

class Replica;
class Shard;

// What a pass has done.
struct CompactionDone {
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  uint64_t records_dropped = 0;
};

class LogCompaction final : public std::enable_shared_from_this<LogCompaction> {
 public:
  using DoneFn = absl::AnyInvocable<void(absl::StatusOr<CompactionDone>) &&>;

  LogCompaction(Shard& shard, Replica& replica);

  // `done` once, on the shard; kAborted while another pass is under way, when the log has changed
  // under it, and after Stop. `bytes_per_second`, read and written; 0: as fast as it goes, while
  // nobody writes to the shard's logs.
  void Start(storage::CompactionInput input, int64_t bytes_per_second, DoneFn done);
  // `quiet` runs when nothing touches the log's folder any more.
  void Stop(Task quiet);
  // The replica goes without that, as in a crash: late steps find nothing to do.
  void Abandon() {
    abandoned_ = true;
    quiet_ = nullptr;
  }

 private:
  using Step = absl::StatusOr<storage::CompactionRun::Did>;

  void Next();
  MonoTime MayGoOn();
  void OnStep(const Step& did);
  void End(absl::Status status);
  void Ended(const absl::Status& status, const CompactionDone& did);

  Shard& shard_;
  Replica& replica_;
  std::shared_ptr<storage::CompactionRun> run_;  // The pool's while it is busy.
  std::optional<CopyPacer> pacer_;               // Of the pass,
  CopyPacer beside_writes_;                      // and while others write.
  bool gives_way_ = false;
  int64_t paced_bytes_ = 0;
  bool busy_ = false;
  bool stopped_ = false;
  bool abandoned_ = false;
  TimerId timer_ = kNoTimer;
  DoneFn done_;
  Task quiet_;
};

}  // namespace garam
