// Executor, BlockingPool and Clock under the test's hand: nothing runs until the test says so, and
// then in one known order.
//
// Threads: the test's one.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>

#include "common/clock.h"
#include "common/executor.h"

namespace garam {

class FakeClock final : public Clock {
 public:
  MonoTime Mono() const override { return mono_; }
  int64_t WallMs() const override { return wall_ms_; }

  // Moves both times on. Does not run timers: FakeExecutor::RunFor does.
  void Advance(Duration step);
  void SetMono(MonoTime now) { mono_ = now; }
  // The wall clock may jump, also back.
  void SetWallMs(int64_t now_ms) { wall_ms_ = now_ms; }

 private:
  MonoTime mono_{std::chrono::seconds(1000)};
  int64_t wall_ms_ = 1'700'000'000'000;
};

class FakeExecutor final : public Executor {
 public:
  // `clock` must outlive the executor.
  explicit FakeExecutor(FakeClock& clock) : clock_(clock) {}

  void Post(Task task) override;
  TimerId PostAt(MonoTime when, Task task) override;
  void Cancel(TimerId timer) override;

  // Runs the oldest posted task, or else the first due timer; false when there was neither.
  bool RunOne();
  // Runs until nothing is posted or due; the number of tasks.
  size_t RunReady();
  // Moves the clock on by `step`, stopping at every timer that falls due on the way to run it.
  void RunFor(Duration step);
  // Forgets everything, as a process that dies does.
  void Drop();

  size_t posted() const { return posted_.size(); }
  size_t timers() const { return timers_.size(); }

 private:
  FakeClock& clock_;
  std::deque<Task> posted_;
  std::map<std::pair<MonoTime, TimerId>, Task> timers_;
  TimerId last_timer_ = kNoTimer;
};

class FakeBlockingPool final : public BlockingPool {
 public:
  void Submit(Task job) override { jobs_.push_back(std::move(job)); }

  // Runs the job that waits at `position` (0: the oldest); false when there is none.
  bool RunOne(size_t position = 0);
  // Runs until no job waits; the number of jobs.
  size_t RunAll();
  // Forgets every job, as a process that dies does.
  void Drop() { jobs_.clear(); }

  size_t pending() const { return jobs_.size(); }

 private:
  std::deque<Task> jobs_;
};

// Runs both until neither has anything to do; leaves timers in the future alone.
void Settle(FakeExecutor& executor, FakeBlockingPool& pool);

}  // namespace garam
