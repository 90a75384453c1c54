// Walks the records inside a v2 batch, decompressing where needed.
//
// Threads: any; no state but the cursor's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/record_batch.h"
#include "common/saturated.h"

namespace garam {

// What one batch may take once decompressed.
inline constexpr size_t kDecompressedBytesMax = size_t{128} << 20;

// The parts of one record that the broker looks at.
struct RecordFields {
  std::string_view bytes{};  // All of it, with its length before it.
  int64_t timestamp_delta_ms = 0;
  int32_t offset_delta = 0;
  bool has_key = false;
  std::string_view key{};
  std::optional<std::string_view> value{};  // Nothing: null.
};

// Reads records one after the other from the uncompressed bytes that follow a batch header.
class RecordCursor {
 public:
  explicit RecordCursor(std::string_view records)
      : at_(records.data()), end_(records.data() + records.size()) {}

  // False when the next record does not add up; the cursor is then of no use.
  bool Next(RecordFields& record);
  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

// The record's own timestamp. A client may write any two numbers: a sum that goes over is the end
// of the range that it goes over.
inline int64_t TimestampOf(const RecordBatchView& batch, const RecordFields& record) {
  if (batch.log_append_time()) return batch.max_timestamp_ms();
  return SaturatedSum(batch.base_timestamp_ms(), record.timestamp_delta_ms);
}

// The plain bytes of the records of `batch` (a whole batch): its own bytes, or `scratch` after
// decompression. Errors as DecompressInto's.
absl::StatusOr<std::string_view> PlainRecords(std::string_view batch, std::string& scratch);

// Calls `visit` for each record of `batch` (a whole batch) in order until it returns false; what it
// sees lies in `batch` or in `scratch`. kCorruptRecord when the records do not add up.
absl::Status ForEachRecordFields(std::string_view batch, std::string& scratch,
                                 absl::FunctionRef<bool(const RecordFields&)> visit);

}  // namespace garam
