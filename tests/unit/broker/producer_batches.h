// Batches of idempotent producers, without their records.
#pragma once

#include <cstdint>

#include "broker/producer_state.h"

namespace garam {

inline constexpr int32_t kLastSequence = INT32_MAX;

// A batch of `count` records; the base offset is ten times the index it is meant for.
inline ProducerBatch Batch(int64_t id, int16_t epoch, int32_t sequence, int32_t count = 1,
                           int64_t index = 0) {
  return {id, epoch, sequence, count - 1, Offset(index * 10), 1000 + index};
}

}  // namespace garam
