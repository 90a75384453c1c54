#include "broker/asio/asio_executor.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <future>
#include <optional>

namespace garam {
namespace {

// A burst may grow the queue; more than this many slots are not kept for the next one.
constexpr size_t kSlotsKept = 16 * 1024;

thread_local const ShardLoop* loop_of_thread = nullptr;

}  // namespace

// The hint 1 tells Asio that one thread runs the context, which spares it wake-ups.
ShardLoop::ShardLoop(std::string name)
    : name_(std::move(name)), context_(1), work_(context_.get_executor()), timer_(context_) {}

ShardLoop::~ShardLoop() { Stop(); }

void ShardLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ShardLoop::Run() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  loop_of_thread = this;
  context_.run();
  loop_of_thread = nullptr;
}

void ShardLoop::Stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  context_.stop();
  if (thread_.joinable()) thread_.join();
  DestroyPending();
}

void ShardLoop::DestroyPending() {
  std::vector<Task> queue;
  {
    std::lock_guard lock(mutex_);
    queue.swap(queue_);
  }
  // A destructor may call back into Post (refused by now), PostAt or Cancel: out of the containers
  // first, then destroyed.
  for (Task& task : queue) Task(std::move(task));
  timers_.Clear();
}

void ShardLoop::RunAndWait(Task task) {
  if (RunningHere()) return std::move(task)();
  // The promise lives in the task: it must not go away while the other thread is still in it.
  std::promise<void> ran;
  std::future<void> ran_or_dropped = ran.get_future();
  Post([task = std::move(task), ran = std::move(ran)]() mutable {
    std::move(task)();
    ran.set_value();
  });
  ran_or_dropped.wait();
}

bool ShardLoop::RunningHere() const { return loop_of_thread == this; }

void ShardLoop::Post(Task task) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;  // `task` is destroyed by the caller's frame, outside the lock.
    queue_.push_back(std::move(task));
    if (scheduled_) return;
    scheduled_ = true;
  }
  boost::asio::post(context_, [this] { RunPosted(); });
}

void ShardLoop::RunPosted() {
  {
    std::lock_guard lock(mutex_);
    running_.swap(queue_);
    scheduled_ = false;
  }
  for (Task& slot : running_) {
    Task task = std::move(slot);  // Its captures die before the next one runs.
    std::move(task)();
  }
  running_.clear();
  if (running_.capacity() > kSlotsKept) running_ = std::vector<Task>();
}

TimerId ShardLoop::PostAt(MonoTime when, Task task) {
  const TimerId id = timers_.Add(when, std::move(task));
  Arm();
  return id;
}

// The Asio timer stays armed: firing for nothing once is cheaper than arming it again each time.
void ShardLoop::Cancel(TimerId timer) { timers_.Cancel(timer); }

void ShardLoop::Arm() {
  const std::optional<MonoTime> first = timers_.first();
  if (!first || (armed_ && armed_for_ <= *first)) return;
  armed_ = true;
  armed_for_ = *first;
  timer_.expires_at(*first);  // Cancels the wait for the later deadline.
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    armed_ = false;
    FireDue();
  });
}

void ShardLoop::FireDue() {
  timers_.RunDue(MonoTime::clock::now(), timers_.newest());
  Arm();
}

}  // namespace garam
