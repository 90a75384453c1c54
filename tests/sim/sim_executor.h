// The seams of one simulated node: its clock, its shards' executors and its blocking pool, all of
// them events of one World.
//
// Threads: the world's one.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/timer_queue.h"
#include "tests/sim/world.h"

namespace garam::sim {

// What every wall clock shows at first.
inline constexpr int64_t kWallStartMs = 1'700'000'000'000;

// A machine's clocks: Mono runs a bit too fast or too slow, Wall may jump.
class SimClock final : public Clock {
 public:
  explicit SimClock(const World& world) : world_(world), origin_(world.now()) {}

  MonoTime Mono() const override;
  int64_t WallMs() const override;

  void SetRate(double rate) { rate_ = rate; }
  void JumpWall(int64_t by_ms) { wall_jump_ms_ += by_ms; }
  // When, in the world's time, Mono will be at or after `local`.
  MonoTime WorldTime(MonoTime local) const;

 private:
  const World& world_;
  const MonoTime origin_;
  double rate_ = 1;
  int64_t wall_jump_ms_ = 0;
};

class SimExecutor final : public Executor, public std::enable_shared_from_this<SimExecutor> {
 public:
  // `after_turn` runs after every turn of the loop.
  SimExecutor(World& world, const SimClock& clock, std::function<void()> after_turn)
      : world_(world), clock_(clock), after_turn_(std::move(after_turn)) {}

  void Post(Task task) override;
  TimerId PostAt(MonoTime when, Task task) override;
  void Cancel(TimerId timer) override;

  // As a stopped process: nothing runs before `until`, and then all of it.
  void PauseUntil(MonoTime until) { busy_until_ = std::max(busy_until_, until); }
  // The process is gone, and with it whatever it still wanted to do.
  void Drop();

 private:
  void Schedule(MonoTime when);
  void OnEvent();
  void Turn();

  World& world_;
  const SimClock& clock_;
  std::function<void()> after_turn_;
  std::vector<Task> posted_;
  std::vector<Task> spare_;  // Empty; for its memory.
  TimerQueue timers_;
  MonoTime busy_until_{};
  MonoTime scheduled_for_ = MonoTime::max();  // max: no turn is on its way.
  std::vector<MonoTime> events_at_;           // Those of the world that will come here.
  bool dropped_ = false;
};

class SimPool final : public BlockingPool {
 public:
  explicit SimPool(World& world) : world_(world) {}

  void Submit(Task job) override;
  // Every job takes so long, exponentially; a stall holds all of them up.
  void SetLatency(Duration mean) { latency_ = mean; }
  void StallUntil(MonoTime until) { stalled_until_ = std::max(stalled_until_, until); }
  // What is under way, oldest first; the process is dying.
  std::deque<Task> TakeJobs();

 private:
  void RunJob(uint64_t number);

  World& world_;
  Duration latency_ = Micros(200);
  MonoTime stalled_until_{};
  uint64_t last_job_ = 0;
  std::map<uint64_t, Task> jobs_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam::sim
