// The coroutines that a door runs in the background on one shard: accept loops, connections.
// Owners cancel them together and wait for the last to end before they go away.
//
// Threads:   all but Join on the loop's own thread.
// Ownership: `loop` must outlive the group; the group must be joined, or its loop stopped, before
// it
//            is destroyed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <list>

#include "broker/asio/asio_executor.h"
#include "common/executor.h"

namespace garam {

class TaskGroup {
 public:
  explicit TaskGroup(ShardLoop& loop) : loop_(loop) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Runs `work` until it returns. After Cancel it is destroyed unstarted. An exception that leaves
  // it is logged under `what` (a string that outlives the group) and ends that coroutine only.
  void Spawn(const char* what, boost::asio::awaitable<void> work);

  // Ends every wait of every coroutine with operation_aborted. `done` runs once all have returned.
  void Cancel(Task done);

  // Cancels from another thread than the loop's and blocks until all have returned. A loop that has
  // stopped runs none of them any more: then it returns at once.
  void Join();

  size_t size() const { return running_.size(); }
  bool cancelled() const { return cancelled_; }

 private:
  using Running = std::list<boost::asio::cancellation_signal>;

  void Finished(Running::iterator task);

  ShardLoop& loop_;
  Running running_;
  bool cancelled_ = false;
  std::list<Task> waiting_;  // The completions of Cancel.
};

}  // namespace garam
