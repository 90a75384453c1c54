// Builds v2 record batches for tests, sound by default and broken on request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/compression.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "common/saturated.h"

namespace garam {

inline void AppendVarlong(std::string& out, int64_t value) {
  auto raw = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; raw >= 0x80; raw >>= 7) out.push_back(static_cast<char>(raw | 0x80));
  out.push_back(static_cast<char>(raw));
}

struct TestRecord {
  std::string value = "value";
  std::optional<std::string> key = std::nullopt;
  int64_t timestamp_delta_ms = 0;
  std::optional<int32_t> offset_delta = std::nullopt;  // Unset: its position.
  bool tombstone = false;                              // Null in place of the value.
};

struct BatchBuilder {
  std::vector<TestRecord> records = {TestRecord{}};
  Compression codec = Compression::kNone;
  bool snappy_raw = false;
  uint16_t more_attributes = 0;
  int64_t base_timestamp_ms = 1'700'000'000'000;
  std::optional<int64_t> max_timestamp_ms;
  std::optional<int32_t> last_offset_delta;
  std::optional<int32_t> record_count;
  int64_t base_offset = 0;
  int32_t leader_epoch = -1;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int8_t magic = 2;
  std::string after_records;          // Plain bytes behind the last record.
  std::optional<std::string> packed;  // In place of the records, as they are.

  static std::string RecordBytes(const TestRecord& record, int32_t position) {
    std::string body(1, '\0');
    AppendVarlong(body, record.timestamp_delta_ms);
    AppendVarlong(body, record.offset_delta.value_or(position));
    AppendVarlong(body, record.key ? static_cast<int64_t>(record.key->size()) : -1);
    body += record.key.value_or("");
    AppendVarlong(body, record.tombstone ? -1 : static_cast<int64_t>(record.value.size()));
    if (!record.tombstone) body += record.value;
    AppendVarlong(body, 1);  // One header.
    AppendVarlong(body, 1);
    body += "h";
    AppendVarlong(body, -1);
    std::string out;
    AppendVarlong(out, static_cast<int64_t>(body.size()));
    return out + body;
  }

  std::string String() const {
    std::string plain;
    int64_t max_ts = -1;
    for (size_t i = 0; i < records.size(); ++i) {
      plain += RecordBytes(records[i], static_cast<int32_t>(i));
      max_ts = std::max(max_ts, SaturatedSum(base_timestamp_ms, records[i].timestamp_delta_ms));
    }
    plain += after_records;
    std::string body =
        packed.value_or(snappy_raw ? CompressSnappyRaw(plain) : Compress(codec, plain));
    std::string out(RecordBatchView::kHeaderBytes, '\0');
    out += body;
    char* at = out.data();
    const auto count = static_cast<int32_t>(records.size());
    StoreBigEndian<int64_t>(at, base_offset);
    StoreBigEndian<int32_t>(at + 8, static_cast<int32_t>(out.size() - 12));
    StoreBigEndian<int32_t>(at + 12, leader_epoch);
    at[16] = static_cast<char>(magic);
    StoreBigEndian<uint16_t>(at + 21,
                             static_cast<uint16_t>(static_cast<uint16_t>(codec) | more_attributes));
    StoreBigEndian<int32_t>(at + 23, last_offset_delta.value_or(count - 1));
    StoreBigEndian<int64_t>(at + 27, base_timestamp_ms);
    StoreBigEndian<int64_t>(at + 35, max_timestamp_ms.value_or(max_ts));
    StoreBigEndian<int64_t>(at + 43, producer_id);
    StoreBigEndian<int16_t>(at + 51, producer_epoch);
    StoreBigEndian<int32_t>(at + 53, base_sequence);
    StoreBigEndian<int32_t>(at + 57, record_count.value_or(count));
    StoreBigEndian<uint32_t>(at + 17, Crc32c(std::string_view(out).substr(21)));
    return out;
  }
  Bytes Build() const { return Bytes::Take(String()); }
};

}  // namespace garam
