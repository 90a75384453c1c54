#include "common/timer_queue.h"

namespace garam {

TimerId TimerQueue::Add(MonoTime when, Task task) {
  const TimerId id = ++last_;
  timers_.emplace(Key(when, id), std::move(task));
  deadline_of_.emplace(id, when);
  return id;
}

// A task's destructor may call back into Add or Cancel: out of the containers first, then
// destroyed.
void TimerQueue::Cancel(TimerId timer) {
  auto deadline = deadline_of_.find(timer);
  if (deadline == deadline_of_.end()) return;
  auto node = timers_.extract(Key(deadline->second, timer));
  deadline_of_.erase(deadline);
}

// One at a time: a task may cancel another that is due.
size_t TimerQueue::RunDue(MonoTime now, TimerId newest) {
  size_t ran = 0;
  auto next = timers_.begin();
  while (next != timers_.end() && next->first.first <= now) {
    if (next->first.second > newest) {
      ++next;
      continue;
    }
    auto node = timers_.extract(next);
    deadline_of_.erase(node.key().second);
    std::move(node.mapped())();
    ++ran;
    next = timers_.begin();
  }
  return ran;
}

std::optional<MonoTime> TimerQueue::first() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

void TimerQueue::Clear() {
  while (!timers_.empty()) {
    auto node = timers_.extract(timers_.begin());
    deadline_of_.erase(node.key().second);
  }
}

}  // namespace garam
