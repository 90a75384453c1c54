// Any bytes as the segment files of a log, with any rows beside them in the key-value store: a
// broker that opens them must neither crash nor take more memory than they are worth, and what it
// serves must be in the files, under the right checksum. Opening twice gives the same.
//
// The first byte's lowest bit mends the checksums of what looks like frames, or little would get
// past them. Then come pieces: the family of a row or kFile, its key or name, its value.
#include <cstdint>
#include <string>

#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "storage/frame.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/log_harness.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

// The fake disk keeps what it is given twice, the scan and each read hold a copy, and a text of all
// entries is made; rows of the index take more memory than bytes.
constexpr size_t kFactor = 24;
constexpr size_t kFixedBytes = size_t{3} << 20;  // The scratch of an append: zeros written ahead.
constexpr uint8_t kFile = 3;
constexpr size_t kNameCharsMax = 64;
constexpr size_t kCrcAt = 17;

void MendChecksums(std::string& file) {
  size_t at = 0;
  storage::Frame frame;
  while (storage::PeekFrame(std::string_view(file).substr(at), /*last=*/true, &frame) ==
         storage::FrameFound::kFrame) {
    if (frame.size > file.size() - at) return;
    const std::string_view bytes(file.data() + at, frame.size);
    const uint32_t before = frame.batch ? 0 : Crc32c(bytes.substr(0, kCrcAt));
    StoreBigEndian(file.data() + at + kCrcAt, Crc32c(bytes.substr(kCrcAt + 4), before));
    at += frame.size;
  }
}

bool IsFileName(std::string_view name) {
  return !name.empty() && name.size() <= kNameCharsMax &&
         name.find('/') == std::string_view::npos && name != "." && name != "..";
}

void Fill(Pieces input, bool mend, LogHarness& harness) {
  while (!input.done()) {
    const uint8_t kind = input.Byte() % (kFile + 1);
    const std::string_view key = input.Piece();
    std::string value(input.Piece());
    if (kind != kFile) {
      harness.PutRow(static_cast<storage::KvFamily>(kind), key, value);
    } else if (IsFileName(key)) {
      if (mend) MendChecksums(value);
      harness.PutFile(std::string(key), std::move(value));
    }
  }
}

// Whether these very bytes, checksum included, are in one of the files.
bool IsStored(const std::map<std::string, std::string>& segments, std::string_view frame) {
  for (const auto& [name, content] : segments) {
    if (content.find(frame) != std::string::npos) return true;
  }
  return false;
}

void CheckEntries(LogHarness& harness) {
  const auto segments = harness.Segments();
  storage::Log& log = harness.log();
  Require(log.durable_index() == log.last_index(), "opened, but not durable");
  for (LogIndex next = log.first_index(); next <= log.last_index();) {
    const auto entries = harness.ReadEntries(next, log.last_index());
    if (!entries.ok() || entries->empty()) return;
    for (const LogEntry& entry : *entries) {
      Require(entry.index == next, "an entry at another index than asked for");
      Require(IsStored(segments, entry.bytes.view()), "an entry that is in no file");
      if (entry.kind == EntryKind::kBatch) {
        const RecordBatchView batch(entry.bytes.data());
        Require(batch.size_bytes() == entry.bytes.size(), "half a batch");
        Require(Crc32c(batch.checked_bytes()) == batch.crc(), "a wrong checksum is served");
      }
      next += 1;
    }
  }
}

// Checksums of batches below the durable mark are the reader's to check, as with any broker; that
// they are whole and follow each other is ours.
void CheckBatches(LogHarness& harness) {
  const bool all_checked = !harness.Mark().has_value();
  storage::Log& log = harness.log();
  for (Offset next = log.start_offset(); next < log.written_offset();) {
    const auto batches = harness.Read(next);
    if (!batches.ok() || batches->empty()) break;
    for (const Bytes& bytes : *batches) {
      const RecordBatchView batch(bytes.data());
      Require(batch.size_bytes() == bytes.size(), "half a batch");
      Require(batch.next_offset() > next, "a batch from before the asked offset");
      if (all_checked) {
        Require(Crc32c(batch.checked_bytes()) == batch.crc(), "a wrong checksum is served");
      }
      next = batch.next_offset();
    }
  }
  for (int64_t timestamp : {int64_t{-1}, int64_t{1000}, INT64_MAX}) harness.AskByTime(timestamp);
}

// What was taken in after the hostile bytes is there when the process comes back.
void CheckAppend(LogHarness& harness) {
  storage::Log& log = harness.log();
  const auto& terms = log.terms().rows();
  LogEntry entry;
  entry.index = log.last_index() + 1;
  entry.term = terms.empty() ? Term(1) : std::max(Term(1), terms.back().term);
  entry.kind = EntryKind::kBatch;
  entry.bytes = MakeLogBatch(log.next_offset(), entry.term, 2, "appended");
  harness.Write({entry});
  if (!log.status().ok() || log.durable_index() < entry.index) return;
  harness.SyncRows();
  harness.CutPower();
  const absl::Status opened = harness.Open();
  Require(opened.ok(), "a log that took an append does not open again", opened.ToString());
  const auto found = harness.ReadEntries(entry.index, entry.index);
  Require(found.ok() && found->size() == 1, "an append is gone", found.status().ToString());
  Require(found->front().bytes.view() == entry.bytes.view(), "an append has changed");
}

void Feed(std::string_view input) {
  Pieces pieces(input);
  const bool mend = (pieces.Byte() & 1) != 0;
  LogHarness harness;
  harness.options.index_interval_bytes = 128;
  const AllocationLimit limit(input.size(), kFactor, kFixedBytes);
  Fill(pieces, mend, harness);
  const auto before = harness.Segments();
  const absl::Status opened = harness.Open();
  if (!opened.ok()) {
    Require(harness.Segments() == before, "refused, but changed", opened.ToString());
    Require(harness.Open() == opened, "refused once only", opened.ToString());
    return;
  }
  CheckEntries(harness);
  CheckBatches(harness);
  const std::string first = harness.Describe();
  for (const bool power_lost : {false, true}) {
    power_lost ? harness.CutPower() : harness.KillProcess();
    const absl::Status again = harness.Open();
    Require(again.ok(), "opens once only", again.ToString());
    Require(harness.Describe() == first, "another log at the second opening", first);
  }
  CheckAppend(harness);
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  garam::fuzz::Feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
