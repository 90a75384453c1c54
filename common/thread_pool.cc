#include "common/thread_pool.h"

#include <pthread.h>

#include <utility>

namespace garam {

ThreadPool::ThreadPool(std::string name, size_t threads_max)
    : name_(std::move(name)), threads_max_(threads_max) {}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Submit(Task job) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  jobs_.push_back(std::move(job));
  // A waiting thread may already be meant for an earlier job, hence the comparison with all jobs.
  if (idle_ < jobs_.size() && threads_.size() < threads_max_) {
    threads_.emplace_back([this] { Run(); });
  }
  work_.notify_one();
}

void ThreadPool::Stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    work_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

void ThreadPool::Run() {
  pthread_setname_np(pthread_self(), name_.c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    work_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    Task job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    std::move(job)();
    job = nullptr;  // Its captures go now, not when the next job comes.
    lock.lock();
  }
}

}  // namespace garam
