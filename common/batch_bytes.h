// The bytes of v2 record batches, for those who put them together.
//
// Threads: any; no state.
#pragma once

#include <cstdint>
#include <string>

#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"

namespace garam {

// A number of variable length, zigzag: lengths, deltas and counts of records.
inline void AppendVarint(std::string& out, int64_t value) {
  auto raw = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; raw >= 0x80; raw >>= 7) out.push_back(static_cast<char>(raw | 0x80));
  out.push_back(static_cast<char>(raw));
}

// Sets the length and the checksum of a batch that has everything else.
inline void SealBatch(std::string& batch) {
  constexpr size_t kLengthAt = 8;
  constexpr size_t kCrcAt = 17;
  StoreBigEndian<int32_t>(batch.data() + kLengthAt,
                          static_cast<int32_t>(batch.size() - RecordBatchView::kLengthPrefixBytes));
  StoreBigEndian<uint32_t>(batch.data() + kCrcAt,
                           Crc32c(std::string_view(batch).substr(RecordBatchView::kCrcStart)));
}

}  // namespace garam
