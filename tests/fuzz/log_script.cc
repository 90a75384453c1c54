#include "tests/fuzz/log_script.h"

#include <chrono>
#include <string>
#include <utility>

namespace garam::fuzz {
namespace {

constexpr size_t kStepsMax = 32;
constexpr size_t kLargeBytes = 40;  // Times the step's size.

class Writer {
 public:
  explicit Writer(LogHarness& harness) : harness_(harness) {}

  void Batch(size_t payload_bytes, int32_t records) {
    const auto letter = static_cast<char>('a' + entries_.size() % 26);
    const Offset base = harness_.log().next_offset();
    Append(EntryKind::kBatch,
           MakeLogBatch(base, term_, records, std::string(payload_bytes, letter)));
  }
  void Private(EntryKind kind, size_t payload_bytes = 0) {
    Append(kind, Bytes::Copy(std::string(payload_bytes, 'p')));
  }
  // A leader's first entry is a no-op, whose term is under its checksum.
  void NextTerm() {
    term_ = term_ + 1;
    Private(EntryKind::kNoop);
  }
  std::map<LogIndex, LogEntry> TakeEntries() { return std::move(entries_); }

 private:
  void Append(EntryKind kind, Bytes bytes) {
    const LogEntry entry{harness_.log().last_index() + 1, term_, kind, std::move(bytes)};
    entries_[entry.index] = entry;
    harness_.Write({entry});
  }

  LogHarness& harness_;
  Term term_{1};
  std::map<LogIndex, LogEntry> entries_;
};

}  // namespace

std::map<LogIndex, LogEntry> RunLogScript(std::string_view script, LogHarness& harness) {
  Writer writer(harness);
  for (const char byte : script.substr(0, kStepsMax)) {
    const size_t size = static_cast<uint8_t>(byte) >> 3;
    switch (static_cast<LogStep>(byte & 7)) {
      case LogStep::kBatch:
        writer.Batch(size, 1 + static_cast<int32_t>(size % 3));
        break;
      case LogStep::kLargeBatch:
        writer.Batch(size * kLargeBytes, 1);
        break;
      case LogStep::kNoop:
        writer.Private(EntryKind::kNoop);
        break;
      case LogStep::kConfiguration:
        writer.Private(EntryKind::kConfiguration, size);
        break;
      case LogStep::kNextTerm:
        writer.NextTerm();
        break;
      case LogStep::kRoll:
        writer.Private(EntryKind::kRoll);
        break;
      case LogStep::kCommit:
        harness.log().OnCommitted(harness.log().last_index());
        harness.Settle();
        break;
      case LogStep::kMark:
        harness.clock.Advance(std::chrono::seconds(2));
        writer.Private(EntryKind::kNoop);
        harness.SyncRows();
        break;
    }
  }
  return writer.TakeEntries();
}

}  // namespace garam::fuzz
