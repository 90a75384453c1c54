// Sums of numbers that a stranger may have chosen.
#pragma once

#include <cstdint>

namespace garam {

// a + b, or the end of the range that the sum goes over.
inline int64_t SaturatedSum(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? INT64_MIN : INT64_MAX;
}

}  // namespace garam
