// What the connections of one shard have done so far, for the metrics.
//
// Threads: moved by the shard, read by any.
#pragma once

#include <array>
#include <cstddef>

#include "common/metrics.h"

namespace garam {

struct RequestCounts {
  // Kafka's API keys are below; Produce is 0.
  static constexpr size_t kApiKeys = 128;

  std::array<Counter, kApiKeys> requests;  // By API key; only handled ones are counted.
  Counter request_bytes;
  Counter answer_bytes;
};

}  // namespace garam
