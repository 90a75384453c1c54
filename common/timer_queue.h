// The timers of one event loop: what is to run when.
//
// Threads: the loop's.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "common/executor.h"

namespace garam {

class TimerQueue {
 public:
  TimerId Add(MonoTime when, Task task);
  // As Executor::Cancel.
  void Cancel(TimerId timer);
  // Runs what is due by `now` of the timers up to `newest`, the earliest first, and says how many
  // that were. Later ones wait, even when already due: a timer which sets itself anew cannot hold
  // the loop.
  size_t RunDue(MonoTime now, TimerId newest);
  TimerId newest() const { return last_; }
  // When the first one is due.
  std::optional<MonoTime> first() const;
  // Destroys them all without running them.
  void Clear();

 private:
  using Key = std::pair<MonoTime, TimerId>;

  std::map<Key, Task> timers_;
  absl::flat_hash_map<TimerId, MonoTime> deadline_of_;
  TimerId last_ = kNoTimer;
};

}  // namespace garam
