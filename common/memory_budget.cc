#include "common/memory_budget.h"

#include <vector>

namespace garam {

bool MemoryBudget::TryCharge(size_t bytes, Charge& charge) {
  if (waiting_.load() > 0) return false;
  size_t used = used_.load();
  do {
    if (!FitsIn(used, bytes)) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes));
  charge = Charge(this, bytes);
  return true;
}

MemoryBudget::Charge MemoryBudget::ChargeAnyway(size_t bytes) {
  used_.fetch_add(bytes);
  return Charge(this, bytes);
}

size_t MemoryBudget::free_bytes() const {
  const size_t used = used_.load();
  return used < bytes_max_ ? bytes_max_ - used : 0;
}

void MemoryBudget::Release(size_t bytes) {
  used_.fetch_sub(bytes);
  // Sequentially consistent with WhenFits: it counts its waiter, then looks at used_ again.
  if (waiting_.load() > 0) WakeWaiters();
}

void MemoryBudget::WhenFits(size_t bytes, Executor& executor, Granted granted) {
  {
    std::lock_guard lock(mutex_);
    waiters_.push_back(Waiter{bytes, &executor, std::move(granted)});
    waiting_.store(waiters_.size());
  }
  WakeWaiters();
}

void MemoryBudget::WakeWaiters() {
  std::vector<std::pair<Waiter, Charge>> ready;
  {
    std::lock_guard lock(mutex_);
    while (!waiters_.empty() && FitsIn(used_.load(), waiters_.front().bytes)) {
      const size_t bytes = waiters_.front().bytes;
      ready.emplace_back(std::move(waiters_.front()), ChargeAnyway(bytes));
      waiters_.pop_front();
    }
    waiting_.store(waiters_.size());
  }
  // Outside the lock: an executor that has stopped destroys the charge at once.
  for (auto& [waiter, charge] : ready) {
    Executor& executor = *waiter.executor;
    executor.Post([granted = std::move(waiter.granted), charge = std::move(charge)]() mutable {
      std::move(granted)(std::move(charge));
    });
  }
}

}  // namespace garam
