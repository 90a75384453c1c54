// Where work runs. An Executor is one single-threaded event loop (a shard); a BlockingPool is where
// calls that may block (disk, RocksDB) go. In the simulator both are events of one virtual clock.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "common/clock.h"

namespace garam {

using Task = absl::AnyInvocable<void() &&>;
using TimerId = uint64_t;
inline constexpr TimerId kNoTimer = 0;

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `task` later, after what was posted before it. Any thread.
  virtual void Post(Task task) = 0;
  // Runs `task` once `when` has come. Only from this executor's own thread.
  virtual TimerId PostAt(MonoTime when, Task task) = 0;
  // Forgets a timer whose task has not begun, be it due; does nothing for another. Own thread only.
  virtual void Cancel(TimerId timer) = 0;
};

class BlockingPool {
 public:
  virtual ~BlockingPool() = default;
  // Runs `job` on some thread that may block. Jobs of one pool run in no promised order; a job
  // hands its result over by Post on the executor that waits for it. Any thread.
  virtual void Submit(Task job) = 0;
  // The same for work that nobody waits for: it gives way to everything else on the machine.
  virtual void SubmitBackground(Task job) { Submit(std::move(job)); }
};

}  // namespace garam
