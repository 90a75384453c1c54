// Walks the records inside a v2 batch, decompressing where needed: for ListOffsets by time, the
// validation of produced batches, and what the broker itself keeps in topics.
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
#include "common/bytes.h"
#include "common/ids.h"
#include "common/record_batch.h"
#include "common/saturated.h"

namespace garam {

// What one batch may take once decompressed.
inline constexpr size_t kDecompressedBytesMax = size_t{128} << 20;

// The parts of one record that the broker looks at.
struct RecordFields {
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

struct RecordPosition {
  Offset offset{-1};
  int64_t timestamp_ms = -1;

  friend bool operator==(const RecordPosition&, const RecordPosition&) = default;
};

// Calls `visit` for each record of `batch` in order until it returns false. kCorruptRecord when the
// records do not add up. `batch` must be one whole batch.
absl::Status ForEachRecord(const Bytes& batch,
                           absl::FunctionRef<bool(const RecordPosition&)> visit);

struct KeyValue {
  Offset offset;
  std::optional<Bytes> key{};
  std::optional<Bytes> value{};
};

// The same with what is in the records, copied.
absl::Status ForEachKeyValue(const Bytes& batch, absl::FunctionRef<bool(const KeyValue&)> visit);

// The first record of `batch` whose timestamp is at or after `timestamp_ms`; nothing when none is.
absl::StatusOr<std::optional<RecordPosition>> FirstAtOrAfter(const Bytes& batch,
                                                             int64_t timestamp_ms);

// The first record of `batch` with its highest timestamp; nothing in a batch without records, as
// compaction may leave.
absl::StatusOr<std::optional<RecordPosition>> MaxTimestamp(const Bytes& batch);

}  // namespace garam
