#include "tests/sim/shrink.h"

#include "absl/strings/str_cat.h"
#include "tests/sim/simulation.h"

namespace garam::sim {

Options Shrink(Options options) {
  for (size_t i = 0; i < kFaults; ++i) {
    Options less = options;
    less.faults[i] = false;
    if (options.faults[i] && !Run(less, false).failure.empty()) options = less;
  }
  Duration enough = options.length;
  Duration too_little(0);
  while (enough - too_little > Millis(100)) {
    Options shorter = options;
    shorter.length = too_little + (enough - too_little) / 2;
    (Run(shorter, false).failure.empty() ? too_little : enough) = shorter.length;
  }
  options.length = std::chrono::ceil<Millis>(enough);
  return options;
}

std::string CommandFor(const Options& options) {
  std::string command = absl::StrCat("./dev sim --seed ", options.seed);
  if (!options.profile.empty()) {
    absl::StrAppend(&command, " --profile ", std::string(options.profile));
  }
  const Options drawn = *Options::Draw(options.seed, options.profile);
  for (size_t i = 0; i < kFaults; ++i) {
    if (drawn.faults[i] && !options.faults[i]) {
      absl::StrAppend(&command, " --without ", std::string(NameOf(static_cast<Fault>(i))));
    }
  }
  if (options.length != drawn.length) {
    absl::StrAppend(&command, " --ms ", std::chrono::duration_cast<Millis>(options.length).count());
  }
  return command;
}

}  // namespace garam::sim
