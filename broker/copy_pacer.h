// How fast a broker copies segments from others (design decision D15): so that a member that
// catches up leaves the disk and the network to those that work.
//
// Threads: one. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/clock.h"

namespace garam {

class CopyPacer {
 public:
  // 0: as fast as it goes.
  explicit CopyPacer(int64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // When the next `bytes` may be asked for; they are taken into account.
  MonoTime Reserve(size_t bytes, MonoTime now) {
    const MonoTime at = std::max(now, free_at_);
    if (bytes_per_second_ > 0) {
      const double seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second_);
      free_at_ = at + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    }
    return at;
  }

 private:
  const int64_t bytes_per_second_;
  MonoTime free_at_{};
};

}  // namespace garam
