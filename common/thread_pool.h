// The production BlockingPool: a fixed number of threads, each started when work first needs it.
// Background work has threads of its own that run when no other thread of the machine wants to.
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
  // `name` is the threads', 12 characters at most; the numbers are above 0.
  ThreadPool(const std::string& name, size_t threads_max, size_t background_threads_max = 1);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Jobs start in the order of Submit. After Stop a job is destroyed without being run.
  void Submit(Task job) override { SubmitTo(normal_, std::move(job)); }
  void SubmitBackground(Task job) override { SubmitTo(background_, std::move(job)); }
  // Runs what was submitted, then joins every thread. Idempotent.
  void Stop();

 private:
  // They share no lock: who holds one may have to give way.
  struct Lane {
    const std::string name;
    const size_t threads_max;
    const bool gives_way;
    std::mutex mutex{};  // Guards what follows.
    std::condition_variable work{};
    std::deque<Task> jobs{};
    std::vector<std::thread> threads{};
    size_t idle = 0;  // Threads that wait for a job.
    bool stopped = false;
  };

  static void SubmitTo(Lane& lane, Task job);
  static void Stop(Lane& lane);
  static void Run(Lane& lane);

  Lane normal_;
  Lane background_;
};

}  // namespace garam
