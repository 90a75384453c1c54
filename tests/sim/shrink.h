// A failure made smaller, and the command that repeats it.
#pragma once

#include <string>

#include "tests/sim/options.h"

namespace garam::sim {

// Options under which the run still fails, with fewer classes of faults and then in less time.
Options Shrink(Options options);

// What a person types to see this run again.
std::string CommandFor(const Options& options);

}  // namespace garam::sim
