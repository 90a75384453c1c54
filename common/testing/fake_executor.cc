#include "common/testing/fake_executor.h"

namespace garam {

void FakeClock::Advance(Duration step) {
  mono_ += step;
  wall_ms_ += std::chrono::duration_cast<Millis>(step).count();
}

void FakeExecutor::Post(Task task) { posted_.push_back(std::move(task)); }

TimerId FakeExecutor::PostAt(MonoTime when, Task task) {
  TimerId id = ++last_timer_;
  timers_.emplace(std::pair(when, id), std::move(task));
  return id;
}

void FakeExecutor::Cancel(TimerId timer) {
  std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
}

bool FakeExecutor::RunOne() {
  if (!posted_.empty()) {
    Task task = std::move(posted_.front());
    posted_.pop_front();
    std::move(task)();
    return true;
  }
  if (timers_.empty() || timers_.begin()->first.first > clock_.Mono()) return false;
  Task task = std::move(timers_.begin()->second);
  timers_.erase(timers_.begin());
  std::move(task)();
  return true;
}

size_t FakeExecutor::RunReady() {
  size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

void FakeExecutor::RunFor(Duration step) {
  const MonoTime end = clock_.Mono() + step;
  RunReady();
  while (!timers_.empty() && timers_.begin()->first.first <= end) {
    clock_.Advance(timers_.begin()->first.first - clock_.Mono());
    RunReady();
  }
  clock_.Advance(end - clock_.Mono());
}

void FakeExecutor::Drop() {
  posted_.clear();
  timers_.clear();
}

bool FakeBlockingPool::RunOne(size_t position) {
  if (position >= jobs_.size()) return false;
  Task job = std::move(jobs_[position]);
  jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(position));
  std::move(job)();
  return true;
}

size_t FakeBlockingPool::RunAll() {
  size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

void Settle(FakeExecutor& executor, FakeBlockingPool& pool) {
  while (executor.RunOne() || pool.RunOne()) {
  }
}

}  // namespace garam
