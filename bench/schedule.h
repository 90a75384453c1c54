// When the requests of an open loop should have been sent. Latency is counted from these times, not
// from the send, so that a stall of the broker is charged to every request that it delayed.
//
// Threads: one. Times are nanoseconds of any one monotonic clock.
#pragma once

#include <cstdint>

namespace garam::bench {

class Schedule {
 public:
  // `per_second` requests evenly spaced, the first at `start_ns`.
  Schedule(double per_second, int64_t start_ns)
      : interval_ns_(1e9 / per_second), start_ns_(start_ns) {}

  // The time that the next request is due.
  int64_t NextDueNs() const {
    // From the count, not by adding up, so that rounding does not drift.
    return start_ns_ + static_cast<int64_t>(interval_ns_ * static_cast<double>(taken_));
  }
  bool IsDue(int64_t now_ns) const { return NextDueNs() <= now_ns; }
  // Takes the next request and returns its intended time.
  int64_t Take() {
    const int64_t due = NextDueNs();
    ++taken_;
    return due;
  }
  int64_t taken() const { return taken_; }

 private:
  double interval_ns_;
  int64_t start_ns_;
  int64_t taken_ = 0;
};

}  // namespace garam::bench
