// The longest silence between two acknowledgements of one partition, over windows that a driver
// cuts (one window per killed broker).
//
// Threads: one. Times are nanoseconds of any one monotonic clock.
#pragma once

#include <algorithm>
#include <cstdint>

namespace garam::bench {

class GapTracker {
 public:
  struct Window {
    int64_t acks = 0;
    int64_t longest_ns = 0;
    int64_t longest_from_ns = 0;  // When the acknowledgement before the longest silence came.
  };

  explicit GapTracker(int64_t start_ns) : last_ns_(start_ns) {}

  void OnAck(int64_t now_ns) {
    Note(now_ns);
    last_ns_ = now_ns;
    ++window_.acks;
  }

  // Ends the window. A silence that still lasts counts as long as it is so far, and goes on into
  // the next window.
  Window Cut(int64_t now_ns) {
    Note(now_ns);
    const Window ended = window_;
    window_ = {};
    return ended;
  }

  int64_t last_ack_ns() const { return last_ns_; }

 private:
  void Note(int64_t now_ns) {
    if (now_ns - last_ns_ <= window_.longest_ns) return;
    window_.longest_ns = now_ns - last_ns_;
    window_.longest_from_ns = last_ns_;
  }

  int64_t last_ns_;
  Window window_;
};

}  // namespace garam::bench
