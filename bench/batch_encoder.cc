#include "bench/batch_encoder.h"

#include <algorithm>
#include <random>

#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"

namespace garam::bench {
namespace {

void AppendVarint(std::string& out, int64_t value) {
  // Zigzag, as records have it.
  uint64_t raw = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (raw >= 0x80) {
    out.push_back(static_cast<char>(raw | 0x80));
    raw >>= 7;
  }
  out.push_back(static_cast<char>(raw));
}

void AppendRecord(std::string& out, int64_t offset_delta, const std::string& value) {
  std::string body;
  body.reserve(value.size() + 16);
  body.push_back(0);      // Attributes.
  AppendVarint(body, 0);  // Timestamp delta.
  AppendVarint(body, offset_delta);
  AppendVarint(body, -1);  // No key.
  AppendVarint(body, static_cast<int64_t>(value.size()));
  body += value;
  AppendVarint(body, 0);  // No headers.
  AppendVarint(out, static_cast<int64_t>(body.size()));
  out += body;
}

std::string RandomBytes(size_t size, std::mt19937_64& random) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, std::min(sizeof(word), size - i));
  }
  return bytes;
}

}  // namespace

std::string EncodeBatch(size_t records, size_t record_bytes, int64_t timestamp_ms, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string batch(RecordBatchView::kHeaderBytes, '\0');
  batch.reserve(batch.size() + records * (record_bytes + 16));
  for (size_t i = 0; i < records; ++i) {
    AppendRecord(batch, static_cast<int64_t>(i), RandomBytes(record_bytes, random));
  }
  char* at = batch.data();
  StoreBigEndian<int32_t>(at + 8,
                          static_cast<int32_t>(batch.size() - RecordBatchView::kLengthPrefixBytes));
  StoreBigEndian<int32_t>(at + 12, -1);  // Leader epoch: the broker's to fill in.
  at[16] = RecordBatchView::kMagic;
  StoreBigEndian<int32_t>(at + 23, static_cast<int32_t>(records) - 1);
  StoreBigEndian<int64_t>(at + 27, timestamp_ms);
  StoreBigEndian<int64_t>(at + 35, timestamp_ms);
  StoreBigEndian<int64_t>(at + 43, -1);  // No producer id, epoch or sequence.
  StoreBigEndian<int16_t>(at + 51, -1);
  StoreBigEndian<int32_t>(at + 53, -1);
  StoreBigEndian<int32_t>(at + 57, static_cast<int32_t>(records));
  StoreBigEndian<uint32_t>(at + 17, Crc32c(RecordBatchView(at).checked_bytes()));
  return batch;
}

size_t RecordsPerBatch(size_t record_bytes, size_t batch_bytes) {
  // A record's own fields take at most 12 bytes at these sizes.
  const size_t overhead = 12;
  if (batch_bytes <= RecordBatchView::kHeaderBytes) return 1;
  return std::max<size_t>(
      1, (batch_bytes - RecordBatchView::kHeaderBytes) / (record_bytes + overhead));
}

}  // namespace garam::bench
