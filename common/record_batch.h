// The header of a v2 record batch (KIP-98 format), read and patched in place.
//
// The base offset, the batch length, the leader epoch and the magic lie outside the batch's CRC:
// the leader patches the offset and the epoch without touching the rest.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/endian.h"
#include "common/ids.h"

namespace garam {

enum class Compression : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// A view; the bytes must outlive it and hold at least kHeaderBytes.
class RecordBatchView {
 public:
  static constexpr size_t kHeaderBytes = 61;
  // Base offset and length: what comes before the bytes that the length counts.
  static constexpr size_t kLengthPrefixBytes = 12;
  // Where the bytes under the CRC begin.
  static constexpr size_t kCrcStart = 21;
  static constexpr int8_t kMagic = 2;

  explicit RecordBatchView(const char* at) : at_(at) {}

  Offset base_offset() const { return Offset(LoadBigEndian<int64_t>(at_)); }
  int32_t batch_length() const { return LoadBigEndian<int32_t>(at_ + 8); }
  // The whole batch, prefix included.
  size_t size_bytes() const { return static_cast<size_t>(batch_length()) + kLengthPrefixBytes; }
  Term leader_epoch() const { return Term(LoadBigEndian<int32_t>(at_ + 12)); }
  int8_t magic() const { return static_cast<int8_t>(at_[16]); }
  uint32_t crc() const { return LoadBigEndian<uint32_t>(at_ + 17); }
  uint16_t attributes() const { return LoadBigEndian<uint16_t>(at_ + 21); }
  int32_t last_offset_delta() const { return LoadBigEndian<int32_t>(at_ + 23); }
  int64_t base_timestamp_ms() const { return LoadBigEndian<int64_t>(at_ + 27); }
  int64_t max_timestamp_ms() const { return LoadBigEndian<int64_t>(at_ + 35); }
  int64_t producer_id() const { return LoadBigEndian<int64_t>(at_ + 43); }
  int16_t producer_epoch() const { return LoadBigEndian<int16_t>(at_ + 51); }
  int32_t base_sequence() const { return LoadBigEndian<int32_t>(at_ + 53); }
  int32_t record_count() const { return LoadBigEndian<int32_t>(at_ + 57); }

  Offset last_offset() const { return base_offset() + last_offset_delta(); }
  Offset next_offset() const { return last_offset() + 1; }
  uint8_t codec_bits() const { return attributes() & 0x7; }
  bool log_append_time() const { return (attributes() & 0x8) != 0; }
  bool transactional() const { return (attributes() & 0x10) != 0; }
  bool control() const { return (attributes() & 0x20) != 0; }

  // The records after the header; `size_bytes()` must be in the buffer.
  std::string_view records() const { return {at_ + kHeaderBytes, size_bytes() - kHeaderBytes}; }
  // What the CRC covers.
  std::string_view checked_bytes() const { return {at_ + kCrcStart, size_bytes() - kCrcStart}; }

 private:
  const char* at_;
};

// Writes the two fields that the leader owns.
inline void PatchRecordBatch(char* at, Offset base_offset, Term leader_epoch) {
  StoreBigEndian<int64_t>(at, base_offset.value());
  StoreBigEndian<int32_t>(at + 12, leader_epoch.value());
}

}  // namespace garam
