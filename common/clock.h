// The clock seam. Timers use Mono only; Wall is for record timestamps, retention and offset expiry.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace garam {

using MonoTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;

// No sum of it and a point in time overflows.
constexpr Duration kForever = std::chrono::hours(24 * 365 * 100);

// A setting in milliseconds, kForever at most: Kafka's word for "never" is the largest number, and
// that many milliseconds are more than a Duration holds.
constexpr Duration BoundedMillis(int64_t ms) {
  return Millis(std::min<int64_t>(ms, std::chrono::duration_cast<Millis>(kForever).count()));
}

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back; comparable within one process only. Any thread.
  virtual MonoTime Mono() const = 0;
  // Milliseconds since 1970-01-01 UTC; may jump. Any thread.
  virtual int64_t WallMs() const = 0;
};

class SystemClock final : public Clock {
 public:
  MonoTime Mono() const override { return std::chrono::steady_clock::now(); }
  int64_t WallMs() const override {
    return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace garam
