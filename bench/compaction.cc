// How fast one core compacts: `compaction-bench [FOLDER] [MIB]` writes segments of 64 MiB with
// records of 1 KiB, ten updates for each key, compacts them once, and says how many bytes of log a
// second went in. What is read lies in the page cache; what is written is synced.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/batch_bytes.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "storage/compaction/compaction_run.h"
#include "storage/posix_file_system.h"

namespace garam::storage {
namespace {

constexpr int64_t kSegmentBytes = 64 << 20;
constexpr size_t kValueBytes = 1024;
constexpr int32_t kRecordsInBatch = 100;
constexpr int64_t kUpdatesOfAKey = 10;

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Fail(status);
}

// Records with the keys number % keys.
std::string MakeBatch(Offset base, int64_t keys) {
  std::string batch(RecordBatchView::kHeaderBytes, '\0');
  const std::string value(kValueBytes, 'v');
  for (int32_t i = 0; i < kRecordsInBatch; ++i) {
    const std::string key = absl::StrCat("key-", (base.value() + i) * 7919 % keys);
    std::string body(1, '\0');
    AppendVarint(body, 0);
    AppendVarint(body, i);
    AppendVarint(body, static_cast<int64_t>(key.size()));
    body += key;
    AppendVarint(body, static_cast<int64_t>(value.size()));
    body += value;
    AppendVarint(body, 0);
    AppendVarint(batch, static_cast<int64_t>(body.size()));
    batch += body;
  }
  char* at = batch.data();
  at[16] = RecordBatchView::kMagic;
  StoreBigEndian<int32_t>(at + 23, kRecordsInBatch - 1);
  StoreBigEndian<int64_t>(at + 43, -1);
  StoreBigEndian<int16_t>(at + 51, -1);
  StoreBigEndian<int32_t>(at + 53, -1);
  StoreBigEndian<int32_t>(at + 57, kRecordsInBatch);
  SealBatch(batch);
  PatchRecordBatch(at, base, Term(1));
  return batch;
}

SealedSegment WriteSegment(FileSystem& fs, const std::string& dir, LogIndex index, Offset offset,
                           int64_t keys) {
  SealedSegment segment;
  segment.header = {GroupId(1), index, offset, Term(1)};
  segment.last_term = Term(1);
  const std::string path = absl::StrCat(dir, "/", SegmentFileName(segment.header, false));
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  Check(file.status());
  SegmentPoint at = FirstPoint(segment.header);
  const auto put = [&](std::string_view bytes, int64_t position) {
    Check((*file)->Write(position, {&bytes, 1}));
  };
  put(EncodeHeader(segment.header).view(), 0);
  while (at.position < kSegmentBytes) {
    const std::string batch = MakeBatch(at.offset, keys);
    put(batch, at.position);
    Frame frame;
    PeekFrame(batch, true, &frame);
    at = at.After(frame);
  }
  const Bytes roll =
      EncodePrivateFrame(static_cast<uint8_t>(EntryKind::kRoll), at.offset, Term(1), at.index, {});
  put(roll.view(), at.position);
  Frame frame;
  PeekFrame(roll.view(), true, &frame);
  segment.end = at.After(frame);
  segment.size_bytes = segment.end.position;
  segment.file = std::make_shared<SegmentFile>(fs, path);
  return segment;
}

void Run(const std::string& dir, int64_t mib) {
  PosixFileSystem fs;
  Check(fs.RemoveTree(dir));
  Check(fs.MakeDirectory(dir));
  CompactionInput input;
  input.dir = dir;
  const int64_t keys = (mib << 20) / static_cast<int64_t>(kValueBytes) / kUpdatesOfAKey;
  int64_t bytes = 0;
  while (bytes < mib << 20) {
    const bool first = input.segments.empty();
    input.segments.push_back(
        WriteSegment(fs, dir, first ? LogIndex(1) : input.segments.back().end.index,
                     first ? Offset(0) : input.segments.back().end.offset, keys));
    bytes += input.segments.back().size_bytes;
  }
  input.segment_bytes = kSegmentBytes;
  input.index_interval_bytes = 4096;
  input.map_bytes = 128 << 20;
  input.secret = {1, 2};
  const auto began = std::chrono::steady_clock::now();
  CompactionRun run(fs, std::move(input));
  while (true) {
    const absl::StatusOr<CompactionRun::Did> did = run.Step(1 << 20);
    Check(did.status());
    if (*did == CompactionRun::Did::kCleaned) run.Take();
    if (*did == CompactionRun::Did::kAll) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%.0f MB of log, %llu records dropped, %.0f MB written in %.2f s: %.0f MB/s\n",
              static_cast<double>(bytes) / 1e6,
              static_cast<unsigned long long>(run.records_dropped()),
              static_cast<double>(run.bytes_written()) / 1e6, took.count(),
              static_cast<double>(bytes) / 1e6 / took.count());
  Check(fs.RemoveTree(dir));
}

}  // namespace
}  // namespace garam::storage

int main(int argc, char** argv) {
  garam::storage::Run(argc > 1 ? argv[1] : "compaction-bench.data",
                      argc > 2 ? std::atoll(argv[2]) : 512);
}
