#include "tests/sim/world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace garam::sim {
namespace {

// Of an exponential distribution, each as likely as the next one; slice 0 is its long end.
constexpr size_t kSlices = 1024;

std::array<double, kSlices> Exponential() {
  std::array<double, kSlices> slices;
  for (size_t i = 0; i < kSlices; ++i) {
    slices[i] = -std::log((static_cast<double>(i) + 0.5) / static_cast<double>(kSlices));
  }
  return slices;
}

}  // namespace

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
  static const std::array<double, kSlices> slices = Exponential();
  double factor = 0;
  size_t slice = random_.Next() % kSlices;
  // Beyond the last slice it looks as from the beginning.
  for (; slice == 0 && factor < 20; slice = random_.Next() % kSlices) factor += std::log(kSlices);
  factor = std::min(20.0, factor + slices[slice]);
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
