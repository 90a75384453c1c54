// An honest life of a log, told by bytes: one step each, the lowest three bits the kind of step,
// the others its size.
#pragma once

#include <map>
#include <string_view>

#include "common/log_entry.h"
#include "tests/fuzz/log_harness.h"

namespace garam::fuzz {

enum class LogStep : uint8_t {
  kBatch = 0,
  kLargeBatch = 1,
  kNoop = 2,
  kConfiguration = 3,
  kNextTerm = 4,
  kRoll = 5,
  kCommit = 6,  // What is rolled gets its footer.
  kMark = 7,    // The durable mark follows up to the end.
};

constexpr char StepByte(LogStep step, int size = 0) {
  return static_cast<char>(static_cast<int>(step) | size << 3);
}

// Walks the script on a log that is open; the entries that it wrote, by index.
std::map<LogIndex, LogEntry> RunLogScript(std::string_view script, LogHarness& harness);

}  // namespace garam::fuzz
