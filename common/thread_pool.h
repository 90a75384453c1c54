// The production BlockingPool: a fixed number of threads, each started when work first needs it.
//
// Threads:   Submit from any; Stop from the owner's, not from a job.
// Ownership: the owner calls Stop (the destructor does) before what the jobs use goes away.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/executor.h"

namespace garam {

class ThreadPool final : public BlockingPool {
 public:
  // `name` is the threads', 15 characters at most; `threads_max` > 0.
  ThreadPool(std::string name, size_t threads_max);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Jobs start in the order of Submit. After Stop a job is destroyed without being run.
  void Submit(Task job) override;
  // Runs what was submitted, then joins every thread. Idempotent.
  void Stop();

 private:
  void Run();

  const std::string name_;
  const size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Task> jobs_;  // Guarded by mutex_, as is the rest.
  std::vector<std::thread> threads_;
  size_t idle_ = 0;  // Threads that wait for a job.
  bool stopped_ = false;
};

}  // namespace garam
