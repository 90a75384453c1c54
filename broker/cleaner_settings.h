// The settings of compaction that are the broker's own: log.cleaner.*.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"

namespace garam {

struct CleanerSettings {
  bool enable = true;
  size_t threads = 1;                         // Partitions at once.
  int64_t dedupe_bytes = int64_t{128} << 20;  // Of all offset maps together.
  int64_t bytes_per_second = 0;               // Read and written, of all; 0: as fast as it goes.
  Duration backoff = Millis(15'000);          // The rest when there is nothing to do.
};

}  // namespace garam
