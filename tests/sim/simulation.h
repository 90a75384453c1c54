// One run of the simulator: a cluster, its clients and its bad luck, for as long as the options
// say; then everything is healed, and what must come true in the end is awaited.
//
// Threads: one; runs of different seeds share nothing.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/options.h"

namespace garam::sim {

struct Outcome {
  std::string failure;  // Empty: every invariant held.
  int64_t failed_at_ms = 0;
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  size_t committed = 0;
  size_t acknowledged = 0;
  size_t reads = 0;
  size_t faults = 0;
  int64_t healed_ms = 0;  // How long the cluster took to settle after everything was healed.
};

Outcome Run(const Options& options, bool trace);

}  // namespace garam::sim
