// How much of something there was lately: a sum over a sliding window of samples, as Kafka's quotas
// measure. Pure; time is passed in and never goes back.
//
// Memory: 8 bytes a sample.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/clock.h"

namespace garam {

class RateWindow {
 public:
  struct Shape {
    int32_t samples = 11;  // quota.window.num; the newest of them is not full yet.
    Duration sample = std::chrono::seconds(1);  // quota.window.size.seconds
    // All of them, full.
    Duration whole() const { return sample * samples; }
  };

  // `shape` is the same in every call. A negative amount takes back what was added.
  void Add(const Shape& shape, double amount, MonoTime now) {
    Advance(shape, now);
    sums_[IndexOf(newest_)] += amount;
    last_added_ = now;
  }
  double PerSecond(const Shape& shape, MonoTime now) {
    Advance(shape, now);
    double sum = 0;
    for (double each : sums_) sum += each;
    return sum / std::chrono::duration<double>(Span(shape, now)).count();
  }
  // What a rate is measured over: all full samples, also those before the first amount, and what
  // there is of the newest.
  static Duration Span(const Shape& shape, MonoTime now) {
    const Duration newest = now.time_since_epoch() % shape.sample;
    return std::max<Duration>(shape.sample * (shape.samples - 1) + newest, Millis(1));
  }
  // Nothing of it counts any more.
  bool IsOver(const Shape& shape, MonoTime now) const { return now - last_added_ >= shape.whole(); }

 private:
  size_t IndexOf(int64_t number) const { return static_cast<size_t>(number) % sums_.size(); }
  void Advance(const Shape& shape, MonoTime now) {
    sums_.resize(static_cast<size_t>(shape.samples));
    const int64_t number = now.time_since_epoch() / shape.sample;
    const int64_t first = std::max(newest_ + 1, number - shape.samples + 1);
    for (int64_t begun = first; begun <= number; ++begun) sums_[IndexOf(begun)] = 0;
    newest_ = std::max(newest_, number);
  }

  std::vector<double> sums_;  // By number modulo the count.
  int64_t newest_ = 0;        // The number of the newest sample, since the clock's epoch.
  MonoTime last_added_;
};

}  // namespace garam
