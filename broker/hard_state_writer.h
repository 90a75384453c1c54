// Makes terms and votes durable, all groups of one turn in one synced write (raft-notes section
// 0.4): an election of a thousand groups costs a handful of syncs, not a thousand.
//
// Threads: the shard's executor; the write itself runs on the pool. One write is under way at a
// time; what arrives meanwhile goes with the next.
// Errors: a failed write is final. `on_failed` is called once and no completion after it.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/executor.h"
#include "common/hard_state.h"
#include "common/ids.h"

namespace garam {

class HardStateWriter {
 public:
  // Stores many records in one synced write; blocks, and is called on the pool only.
  using Store = std::function<absl::Status(std::vector<std::pair<GroupId, HardState>>)>;

  HardStateWriter(Executor& home, BlockingPool& pool, Store store,
                  std::function<void(absl::Status)> on_failed);

  // `durable` runs on the executor once the record is on stable storage. Of two records of one
  // group the later one is stored; both completions run.
  void Save(GroupId group, HardState state, Task durable);

 private:
  struct Waiting {
    std::vector<std::pair<GroupId, HardState>> records;
    std::vector<Task> completions;
  };

  void Submit();
  void Finish(absl::Status status, std::vector<Task> completions);

  Executor& home_;
  BlockingPool& pool_;
  Store store_;
  std::function<void(absl::Status)> on_failed_;
  Waiting waiting_;
  bool busy_ = false;
  bool scheduled_ = false;
  bool failed_ = false;
};

}  // namespace garam
