// How far tests of random runs go.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace garam {

// Of `seeds`, which a run takes as a rule: GARAM_SEEDS_PERCENT as many. A short run under a
// sanitizer takes fewer, a long search more.
inline uint64_t SeedsToRun(uint64_t seeds) {
  const char* percent = std::getenv("GARAM_SEEDS_PERCENT");
  if (percent == nullptr) return seeds;
  return std::max<uint64_t>(1, seeds * std::strtoull(percent, nullptr, 10) / 100);
}

}  // namespace garam
