#include "tests/sim/world.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace garam::sim {

int64_t World::now_us() const {
  return std::chrono::duration_cast<Micros>(now_.time_since_epoch()).count() - 1'000'000'000;
}

void World::At(MonoTime when, Task task) {
  size_t slot = tasks_.size();
  if (free_slots_.empty()) {
    tasks_.push_back(std::move(task));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    tasks_[slot] = std::move(task);
  }
  heap_.push_back({std::max(when, now_), ++last_number_, slot});
  std::push_heap(heap_.begin(), heap_.end());
}

bool World::RunNext(MonoTime until) {
  if (failed()) return false;
  if (heap_.empty() || heap_.front().when > until) {
    now_ = std::max(now_, until);
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end());
  const Event event = heap_.back();
  heap_.pop_back();
  Task task = std::exchange(tasks_[event.slot], nullptr);
  free_slots_.push_back(event.slot);
  now_ = event.when;
  ++events_;
  std::move(task)();
  return !failed();
}

bool World::Chance(double probability) {
  return static_cast<double>(random_.Below(1'000'000)) < probability * 1e6;
}

Duration World::Between(Duration least, Duration most) {
  if (most <= least) return least;
  const auto span = static_cast<uint64_t>((most - least).count()) + 1;
  return least + Duration(static_cast<int64_t>(random_.Below(span)));
}

Duration World::Around(Duration mean) {
  const double uniform = (static_cast<double>(random_.Below(1'000'000)) + 1) / 1'000'001;
  const double factor = std::min(20.0, -std::log(uniform));
  return Duration(static_cast<int64_t>(static_cast<double>(mean.count()) * factor));
}

void World::Trace(const std::string& line) {
  if (tracing_) std::printf("%10.3f ms  %s\n", static_cast<double>(now_us()) / 1000, line.c_str());
}

void World::Fail(std::string what) {
  if (failed()) return;
  failure_ = std::move(what);
  Trace("VIOLATION: " + failure_);
}

}  // namespace garam::sim
