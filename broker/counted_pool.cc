#include "broker/counted_pool.h"

#include <utility>

namespace garam {

Task CountedPool::Counted(Task job) {
  {
    std::lock_guard lock(mutex_);
    ++submitted_;
  }
  return [this, job = std::move(job)]() mutable {
    std::move(job)();
    job = nullptr;  // What it holds goes before it counts as done.
    OnDone();
  };
}

void CountedPool::WhenIdle(Task idle) {
  {
    std::lock_guard lock(mutex_);
    if (done_ < submitted_) {
      idle_ = std::move(idle);
      return;
    }
  }
  std::move(idle)();
}

uint64_t CountedPool::submitted() const {
  std::lock_guard lock(mutex_);
  return submitted_;
}

void CountedPool::OnDone() {
  Task idle;
  {
    std::lock_guard lock(mutex_);
    ++done_;
    if (done_ < submitted_ || idle_ == nullptr) return;
    idle = std::exchange(idle_, nullptr);
  }
  std::move(idle)();
}

}  // namespace garam
