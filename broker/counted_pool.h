// A pool that passes jobs on and knows when none of them is under way.
//
// Threads:   any.
// Ownership: the pool behind it outlives it, and it outlives its jobs.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>

#include "common/executor.h"

namespace garam {

class CountedPool final : public BlockingPool {
 public:
  explicit CountedPool(BlockingPool& pool) : pool_(pool) {}

  void Submit(Task job) override { pool_.Submit(Counted(std::move(job))); }
  void SubmitBackground(Task job) override { pool_.SubmitBackground(Counted(std::move(job))); }
  // Calls `idle` once, as soon as no job is under way: at once, or on the last job's thread after
  // it. One at a time.
  void WhenIdle(Task idle);
  // How many jobs there were so far.
  uint64_t submitted() const;

 private:
  // The job, which tells this when it is done; counted as submitted.
  Task Counted(Task job);
  void OnDone();

  BlockingPool& pool_;
  mutable std::mutex mutex_;  // Guards everything below.
  uint64_t submitted_ = 0;
  uint64_t done_ = 0;
  Task idle_;
};

}  // namespace garam
