#include "common/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <utility>

namespace garam {

ThreadPool::ThreadPool(const std::string& name, size_t threads_max, size_t background_threads_max)
    : normal_{name, threads_max, false}, background_{name + "-bg", background_threads_max, true} {}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::SubmitTo(Lane& lane, Task job) {
  std::lock_guard lock(lane.mutex);
  if (lane.stopped) return;
  lane.jobs.push_back(std::move(job));
  // A waiting thread may already be meant for an earlier job, hence the comparison with all jobs.
  if (lane.idle < lane.jobs.size() && lane.threads.size() < lane.threads_max) {
    lane.threads.emplace_back([&lane] { Run(lane); });
  }
  lane.work.notify_one();
}

void ThreadPool::Stop() {
  Stop(normal_);
  Stop(background_);
}

void ThreadPool::Stop(Lane& lane) {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(lane.mutex);
    lane.stopped = true;
    threads.swap(lane.threads);
    lane.work.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

void ThreadPool::Run(Lane& lane) {
  pthread_setname_np(pthread_self(), lane.name.c_str());
  // Linux has a policy for each thread. Nice ones of the normal policy would not do: whoever wakes
  // waits until their slice is over, for some milliseconds.
  constexpr sched_param kNone{};
  if (lane.gives_way) sched_setscheduler(0, SCHED_IDLE, &kNone);
  std::unique_lock lock(lane.mutex);
  while (true) {
    ++lane.idle;
    lane.work.wait(lock, [&lane] { return lane.stopped || !lane.jobs.empty(); });
    --lane.idle;
    if (lane.jobs.empty()) return;
    Task job = std::move(lane.jobs.front());
    lane.jobs.pop_front();
    lock.unlock();
    std::move(job)();
    job = nullptr;  // Its captures go now, not when the next job comes.
    lock.lock();
  }
}

}  // namespace garam
