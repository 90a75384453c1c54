// What is looked for inside v2 batches: records by time, for ListOffsets, and what the broker
// itself keeps in topics.
//
// Threads: any; no state.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/bytes.h"
#include "common/ids.h"
#include "common/record_cursor.h"

namespace garam {

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

// The first record of `batch`, at or above `from`, whose timestamp is at or after `timestamp_ms`;
// nothing when none is.
absl::StatusOr<std::optional<RecordPosition>> FirstAtOrAfter(const Bytes& batch,
                                                             int64_t timestamp_ms, Offset from);

// The first record of `batch` with its highest timestamp; nothing in a batch without records, as
// compaction may leave.
absl::StatusOr<std::optional<RecordPosition>> MaxTimestamp(const Bytes& batch);

}  // namespace garam
