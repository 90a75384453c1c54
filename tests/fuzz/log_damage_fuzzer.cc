// Damage to an honest log: power is lost, the disk changes bytes behind the broker's back, and the
// log is opened again. What lies below the durable mark comes back as it was written or with an
// error, never altered and never missing; above it the log may end early, but only there.
//
// The first byte holds options, a piece the log's life (log_script.h), and what follows is the
// damage, five bytes each: kind, file, position (two), value.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/log_script.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

// Of the bytes on the disk; see segment_fuzzer.cc.
constexpr size_t kFactor = 24;
constexpr size_t kFixedBytes = size_t{3} << 20;
constexpr size_t kDamagesMax = 16;
constexpr size_t kTermAt = 12;

enum class Damage : uint8_t {
  kFlipBit,
  kOverwrite,
  kCutShort,
  kZeroToEnd,
  kZeroBlock,
  kAppendGarbage,
  kRemoveFile,
  kLoseRows,
};

void Alter(Damage kind, size_t position, uint8_t value, std::string& content) {
  if (content.empty()) return;
  const size_t at = position % content.size();
  switch (kind) {
    case Damage::kFlipBit:
      content[at] = static_cast<char>(content[at] ^ (1 << value % 8));
      break;
    case Damage::kOverwrite:
      content[at] = static_cast<char>(value);
      break;
    case Damage::kCutShort:
      content.resize(at);
      break;
    case Damage::kZeroToEnd:
      std::fill(content.begin() + static_cast<std::ptrdiff_t>(at), content.end(), '\0');
      break;
    case Damage::kZeroBlock:
      std::memset(content.data() + at, 0, std::min<size_t>(value, content.size() - at));
      break;
    case Damage::kAppendGarbage:
      content.append(value, static_cast<char>(position));
      break;
    case Damage::kRemoveFile:
    case Damage::kLoseRows:
      break;
  }
}

// What the log may be held to once it is damaged.
struct Facts {
  std::map<LogIndex, LogEntry> written;
  bool files_changed = false;
  // All before it was vouched for, so it must be there or be missed; 0 without a mark.
  LogIndex vouched;
};

void DamageLog(Pieces& input, LogHarness& harness, Facts& facts) {
  const auto before = harness.Segments();
  for (size_t i = 0; i < kDamagesMax && !input.done(); ++i) {
    const auto kind = static_cast<Damage>(input.Byte() % 8);
    const size_t file = input.Byte();
    const size_t position = input.Number();
    const uint8_t value = input.Byte();
    auto segments = harness.Segments();
    if (kind == Damage::kLoseRows) harness.kv.Wipe();
    if (segments.empty() || kind == Damage::kLoseRows) continue;
    auto chosen = std::next(segments.begin(), static_cast<std::ptrdiff_t>(file % segments.size()));
    if (kind == Damage::kRemoveFile) {
      harness.RemoveFile(chosen->first);
      continue;
    }
    Alter(kind, position, value, chosen->second);
    harness.PutFile(chosen->first, chosen->second);
  }
  facts.files_changed = harness.Segments() != before;
  const auto mark = harness.Mark();
  facts.vouched = mark.has_value() ? mark->point.at.index : LogIndex(0);
}

// The term of a batch is under no checksum: above the mark, where nothing vouches for it, damage
// may raise it.
bool IsAsWritten(const LogEntry& found, const LogEntry& written, bool vouched) {
  if (found.index != written.index || found.kind != written.kind) return false;
  std::string bytes(found.bytes.view());
  const bool raised = !vouched && found.kind == EntryKind::kBatch && found.term > written.term;
  if (raised) StoreBigEndian<int32_t>(bytes.data() + kTermAt, written.term.value());
  return bytes == written.bytes.view() && (raised || found.term == written.term);
}

void CheckEntries(LogHarness& harness, const Facts& facts) {
  const LogIndex last = harness.log().last_index();
  Require(last + 1 >= facts.vouched, "what was vouched for is missing");
  const LogIndex first = harness.log().first_index();
  Require(first == LogIndex(1) || facts.vouched == LogIndex(0), "the log begins late");
  if (!facts.files_changed) {
    Require(last == LogIndex(static_cast<int64_t>(facts.written.size())), "an end is lost");
  }
  for (LogIndex index = first; index <= last; index += 1) {
    const bool vouched = index < facts.vouched;
    const auto entries = harness.ReadEntries(index, index);
    if (!entries.ok()) {
      // Damage that was not looked at, below the mark, may be in the way of what is above it.
      Require(facts.files_changed && facts.vouched > LogIndex(0), "found, but not to be read",
              entries.status().ToString());
      continue;
    }
    const auto written = facts.written.find(index);
    Require(written != facts.written.end(), "an entry out of nowhere");
    Require(entries->size() == 1, "not the one entry", absl::StrCat(index.value()));
    Require(IsAsWritten(entries->front(), written->second, vouched), "an entry has changed");
  }
}

// Below the mark a batch's checksum is its reader's to check; there it must at least be in its
// place.
void CheckBatches(LogHarness& harness, const Facts& facts) {
  for (Offset next = harness.log().start_offset(); next < harness.log().written_offset();) {
    const auto batches = harness.Read(next);
    if (!batches.ok() || batches->empty()) {
      Require(facts.files_changed && facts.vouched > LogIndex(0), "batches are not to be read");
      return;
    }
    for (const Bytes& bytes : *batches) {
      const RecordBatchView batch(bytes.data());
      Require(batch.base_offset() == next, "a batch out of its place");
      if (facts.vouched == LogIndex(0)) {
        Require(Crc32c(batch.checked_bytes()) == batch.crc(), "a wrong checksum is served");
      }
      next = batch.next_offset();
    }
  }
}

size_t BytesOf(const std::map<std::string, std::string>& segments) {
  size_t bytes = 0;
  for (const auto& [name, content] : segments) bytes += content.size();
  return bytes;
}

void Feed(std::string_view input) {
  Pieces pieces(input);
  const uint8_t options = pieces.Byte();
  LogHarness harness;
  harness.options.index_interval_bytes = (options & 1) != 0 ? 128 : 4096;
  Require(harness.Open().ok(), "a new log does not open");
  Facts facts;
  facts.written = RunLogScript(pieces.Piece(), harness);
  (options & 2) != 0 ? harness.KillProcess() : harness.CutPower();
  harness
      .SyncRows();  // Or the mark that a killed process left would be gone at the next power cut.
  DamageLog(pieces, harness, facts);
  const auto before = harness.Segments();
  const AllocationLimit limit(BytesOf(before), kFactor, kFixedBytes);
  const absl::Status opened = harness.Open();
  if (!opened.ok()) {
    Require(facts.files_changed, "refused, but nothing is damaged", opened.ToString());
    Require(opened.code() == absl::StatusCode::kDataLoss, "refused, but not for damage",
            opened.ToString());
    Require(harness.Segments() == before, "refused, but changed", opened.ToString());
    return;
  }
  CheckEntries(harness, facts);
  CheckBatches(harness, facts);
  const std::string first = harness.Describe();
  harness.CutPower();
  const absl::Status again = harness.Open();
  Require(again.ok(), "opens once only", again.ToString());
  Require(harness.Describe() == first, "another log at the second opening", first);
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  garam::fuzz::Feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
