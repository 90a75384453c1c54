#include "tests/sim/sim_executor.h"

#include <algorithm>
#include <optional>

namespace garam::sim {
namespace {

// What a turn of a loop costs at least: time passes, whatever happens.
constexpr Duration kTurn = Micros(2);
constexpr Duration kTask = std::chrono::nanoseconds(500);

}  // namespace

MonoTime SimClock::Mono() const {
  const auto passed = static_cast<double>((world_.now() - origin_).count());
  return origin_ + Duration(static_cast<int64_t>(passed * rate_));
}

int64_t SimClock::WallMs() const {
  const auto passed = std::chrono::duration_cast<Millis>(world_.now() - origin_).count();
  return kWallStartMs + passed + wall_jump_ms_;
}

MonoTime SimClock::WorldTime(MonoTime local) const {
  const auto ahead = static_cast<double>((local - origin_).count());
  return origin_ + Duration(static_cast<int64_t>(ahead / rate_) + 2);
}

void SimExecutor::Post(Task task) {
  if (dropped_) return;
  posted_.push_back(std::move(task));
  Schedule(world_.now());
}

TimerId SimExecutor::PostAt(MonoTime when, Task task) {
  if (dropped_) return kNoTimer;
  // Deadlines may lie so far ahead that the world's time does not reach them.
  if (when - clock_.Mono() < std::chrono::hours(1)) Schedule(clock_.WorldTime(when));
  return timers_.Add(when, std::move(task));
}

void SimExecutor::Cancel(TimerId timer) { timers_.Cancel(timer); }

void SimExecutor::Drop() {
  dropped_ = true;
  posted_.clear();
  timers_.Clear();
}

void SimExecutor::Schedule(MonoTime when) {
  when = std::max({when, busy_until_, world_.now()});
  if (when >= scheduled_for_) return;
  scheduled_for_ = when;
  // Most turns wait for the timer that the one before them waited for.
  if (std::find(events_at_.begin(), events_at_.end(), when) != events_at_.end()) return;
  events_at_.push_back(when);
  // No larger than what a task holds without an allocation: this is the commonest event.
  world_.At(when, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self != nullptr && !self->dropped_) self->OnEvent();
  });
}

void SimExecutor::OnEvent() {
  std::erase(events_at_, world_.now());
  if (scheduled_for_ == world_.now()) Turn();
}

void SimExecutor::Turn() {
  scheduled_for_ = MonoTime::max();
  if (world_.now() < busy_until_) return Schedule(busy_until_);
  std::vector<Task> turn = std::exchange(spare_, {});
  turn.swap(posted_);
  const MonoTime now = clock_.Mono();
  const TimerId newest = timers_.newest();
  size_t ran = turn.size();
  for (Task& task : turn) {
    std::move(task)();
    if (dropped_) return;
  }
  turn.clear();
  spare_ = std::move(turn);
  ran += timers_.RunDue(now, newest);
  if (dropped_) return;
  busy_until_ = std::max(busy_until_, world_.now() + kTurn + kTask * static_cast<int64_t>(ran));
  if (ran > 0 && after_turn_) after_turn_();
  if (!posted_.empty()) return Schedule(busy_until_);
  const std::optional<MonoTime> first = timers_.first();
  if (first && *first - now < std::chrono::hours(1)) Schedule(clock_.WorldTime(*first));
}

void SimPool::Submit(Task job) {
  const uint64_t number = ++last_job_;
  jobs_.emplace(number, std::move(job));
  const MonoTime done =
      std::max(world_.now(), stalled_until_) + Micros(20) + world_.Around(latency_);
  world_.At(done, [this, weak = std::weak_ptr<bool>(alive_), number] {
    if (!weak.expired()) RunJob(number);
  });
}

void SimPool::RunJob(uint64_t number) {
  auto found = jobs_.find(number);
  if (found == jobs_.end()) return;
  if (world_.now() < stalled_until_) {
    world_.At(stalled_until_, [this, weak = std::weak_ptr<bool>(alive_), number] {
      if (!weak.expired()) RunJob(number);
    });
    return;
  }
  Task job = std::move(found->second);
  jobs_.erase(found);
  std::move(job)();
}

std::deque<Task> SimPool::TakeJobs() {
  std::deque<Task> jobs;
  for (auto& [number, job] : jobs_) jobs.push_back(std::move(job));
  jobs_.clear();
  return jobs;
}

}  // namespace garam::sim
