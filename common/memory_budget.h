// One share of the broker's memory: what is charged to it, and who waits for room.
//
// A charge larger than the whole share is let in once nothing else is charged. Who asks for more
// than there is may wait in line; nobody overtakes the line but by ChargeAnyway.
//
// Threads:   any.
// Ownership: must outlive its charges.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "common/executor.h"

namespace garam {

class MemoryBudget {
 public:
  // Bytes charged until the object dies. Move-only.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Charge& operator=(Charge&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Charge() {
      if (budget_ != nullptr) budget_->Release(bytes_);
    }

    size_t bytes() const { return bytes_; }
    // Takes `bytes`, which it must hold, out of this one.
    Charge Split(size_t bytes) {
      bytes_ -= bytes;
      return Charge(budget_, bytes);
    }

   private:
    friend class MemoryBudget;
    Charge(MemoryBudget* budget, size_t bytes) : budget_(budget), bytes_(bytes) {}

    MemoryBudget* budget_ = nullptr;
    size_t bytes_ = 0;
  };

  explicit MemoryBudget(size_t bytes_max) : bytes_max_(bytes_max) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  using Granted = absl::AnyInvocable<void(Charge) &&>;

  // Charges `bytes` if they fit and nobody waits. False: `charge` is untouched.
  bool TryCharge(size_t bytes, Charge& charge);
  // Charges `bytes` even over the limit: for what is in memory already.
  Charge ChargeAnyway(size_t bytes);

  // Whether TryCharge would let `bytes` in now.
  bool Fits(size_t bytes) const { return waiting_.load() == 0 && FitsIn(used_.load(), bytes); }
  size_t used() const { return used_.load(); }
  size_t bytes_max() const { return bytes_max_; }
  // What is free below the limit.
  size_t free_bytes() const;

  // Charges `bytes` once they fit, which may be now, and posts `granted` with the charge on
  // `executor`, which must outlive the wait. First come, first served. A charge that nobody wants
  // any more just dies there and wakes the next in line.
  void WhenFits(size_t bytes, Executor& executor, Granted granted);

 private:
  struct Waiter {
    size_t bytes;
    Executor* executor;
    Granted granted;
  };

  bool FitsIn(size_t used, size_t bytes) const {
    return used == 0 || (used < bytes_max_ && bytes <= bytes_max_ - used);
  }
  void Release(size_t bytes);
  void WakeWaiters();

  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> waiting_{0};  // waiters_.size(), readable without the lock.
  std::mutex mutex_;
  std::deque<Waiter> waiters_;  // Guarded by mutex_.
};

}  // namespace garam
