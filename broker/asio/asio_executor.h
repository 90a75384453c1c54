// One shard: an Asio event loop on a thread of its own, and the Executor that the core sees.
//
// Posted tasks leave one queue in the order in which Post was called, whichever thread called; a
// turn of the loop runs what was queued when it began, then lets sockets have their say. All timers
// share one Asio timer over an ordered set of deadlines: a deadline that is not the nearest costs
// no system call, and neither does forgetting one.
//
// Threads:   Post and RunningHere from any; PostAt and Cancel on the loop's own thread, or before
//            Start; Start and Stop from the owner's thread.
// Ownership: sockets opened on context() must be closed and destroyed before the loop is.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/timer_queue.h"

namespace garam {

class ShardLoop final : public Executor {
 public:
  // `name` is the thread's, 15 characters at most.
  explicit ShardLoop(std::string name);
  ~ShardLoop() override;
  ShardLoop(const ShardLoop&) = delete;
  ShardLoop& operator=(const ShardLoop&) = delete;

  void Start();
  // Ends the loop after the task it is in and joins its thread. What is still queued is destroyed
  // without being run, in order, on the calling thread; so is whatever is posted later. Idempotent.
  void Stop();

  void Post(Task task) override;
  TimerId PostAt(MonoTime when, Task task) override;
  void Cancel(TimerId timer) override;

  // Runs `task` on this loop and returns once it has run, or once the loop's end has dropped it.
  void RunAndWait(Task task);

  // Whether the caller is on this loop's thread.
  bool RunningHere() const;
  // For sockets; its executor has no order with Post.
  boost::asio::io_context& context() { return context_; }

 private:
  void Run();
  void RunPosted();
  void FireDue();
  void Arm();
  void DestroyPending();

  const std::string name_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;

  std::mutex mutex_;
  std::vector<Task> queue_;  // Guarded by mutex_, as are the two below.
  bool scheduled_ = false;   // A RunPosted is on its way.
  bool stopped_ = false;
  std::vector<Task> running_;  // Loop thread: the turn's tasks; keeps its memory from turn to turn.

  // Loop thread.
  TimerQueue timers_;
  boost::asio::steady_timer timer_;
  bool armed_ = false;
  MonoTime armed_for_;
};

}  // namespace garam
