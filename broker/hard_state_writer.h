// Makes durable what groups must not forget, all groups of one turn in one synced write (raft-notes
// section 0.4): an election of a thousand groups costs a handful of syncs, not a thousand. That is
// terms and votes, and which logs are not flushed (D3).
//
// Threads: the shard's executor; the write itself runs on the pool. One write is under way at a
// time; what arrives meanwhile goes with the next.
// Errors: a full disk is waited for: what is to be written stays gathered, and is tried again about
// once a second. Any other failed write is final: `on_failed` is called once and no completion
// after it.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/hard_state.h"
#include "common/ids.h"

namespace garam {

class HardStateWriter {
 public:
  struct Records {
    std::vector<std::pair<GroupId, HardState>> states;
    std::vector<GroupId> unflushed;
  };
  // On stable storage on return; blocks, and is called on the pool only.
  using Store = std::function<absl::Status(const Records&)>;

  HardStateWriter(Executor& home, BlockingPool& pool, const Clock& clock, Store store,
                  std::function<void(absl::Status)> on_failed);

  // `durable` runs on the executor once the record is on stable storage. Of two records of one
  // group the later one is stored; both completions run.
  void Save(GroupId group, HardState state, Task durable);
  // The same for the row that says that the group's log is not flushed.
  void SaveUnflushed(GroupId group, Task durable);

 private:
  struct Waiting {
    Records records;
    std::vector<Task> completions;
  };

  void Schedule(Task durable);
  void Submit();
  void Finish(absl::Status status, Waiting written);
  void WaitForSpace(Waiting refused);

  Executor& home_;
  BlockingPool& pool_;
  const Clock& clock_;
  Store store_;
  std::function<void(absl::Status)> on_failed_;
  Waiting waiting_;
  bool busy_ = false;  // A write is under way, or waits for space.
  bool disk_full_ = false;
  bool scheduled_ = false;
  bool failed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // Timers may come later than that.
};

}  // namespace garam
