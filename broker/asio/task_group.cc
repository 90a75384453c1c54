#include "broker/asio/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <future>

#include "common/logging.h"

namespace garam {

void TaskGroup::Spawn(const char* what, boost::asio::awaitable<void> work) {
  if (cancelled_) return;
  auto task = running_.emplace(running_.end());
  boost::asio::co_spawn(loop_.context(), std::move(work),
                        boost::asio::bind_cancellation_slot(
                            task->slot(), [this, task, what](std::exception_ptr error) {
                              try {
                                if (error) std::rethrow_exception(error);
                              } catch (const std::exception& e) {
                                if (!cancelled_) LogWarn("{}: {}", what, e.what());
                              }
                              Finished(task);
                            }));
}

void TaskGroup::Finished(Running::iterator task) {
  running_.erase(task);
  if (!running_.empty()) return;
  std::list<Task> done = std::move(waiting_);
  waiting_.clear();
  for (Task& each : done) std::move(each)();
}

void TaskGroup::Cancel(Task done) {
  cancelled_ = true;
  if (running_.empty()) return std::move(done)();
  waiting_.push_back(std::move(done));
  // A cancelled coroutine resumes later, never inside emit: the list does not change under us.
  for (auto& signal : running_) signal.emit(boost::asio::cancellation_type::all);
}

void TaskGroup::Join() {
  std::promise<void> ended;
  std::future<void> ended_or_dropped = ended.get_future();
  loop_.Post([this, ended = std::move(ended)]() mutable {
    Cancel([ended = std::move(ended)]() mutable { ended.set_value(); });
  });
  ended_or_dropped.wait();
}

}  // namespace garam
