#include "broker/record_reader.h"

#include <string>

#include "common/status.h"

namespace garam {
absl::Status ForEachRecord(const Bytes& batch,
                           absl::FunctionRef<bool(const RecordPosition&)> visit) {
  const RecordBatchView header(batch.data());
  std::string scratch;
  return ForEachRecordFields(batch.view(), scratch, [&](const RecordFields& fields) {
    return visit({.offset = header.base_offset() + fields.offset_delta,
                  .timestamp_ms = TimestampOf(header, fields)});
  });
}

absl::Status ForEachKeyValue(const Bytes& batch, absl::FunctionRef<bool(const KeyValue&)> visit) {
  const RecordBatchView header(batch.data());
  std::string scratch;
  return ForEachRecordFields(batch.view(), scratch, [&](const RecordFields& fields) {
    KeyValue record{.offset = header.base_offset() + fields.offset_delta};
    if (fields.has_key) record.key = Bytes::Copy(fields.key);
    if (fields.value) record.value = Bytes::Copy(*fields.value);
    return visit(record);
  });
}

absl::StatusOr<std::optional<RecordPosition>> FirstAtOrAfter(const Bytes& batch,
                                                             int64_t timestamp_ms, Offset from) {
  std::optional<RecordPosition> found;
  RETURN_IF_ERROR(ForEachRecord(batch, [&](const RecordPosition& record) {
    if (record.timestamp_ms < timestamp_ms || record.offset < from) return true;
    found = record;
    return false;
  }));
  return found;
}

absl::StatusOr<std::optional<RecordPosition>> MaxTimestamp(const Bytes& batch) {
  std::optional<RecordPosition> best;
  RETURN_IF_ERROR(ForEachRecord(batch, [&](const RecordPosition& record) {
    if (!best.has_value() || record.timestamp_ms > best->timestamp_ms) best = record;
    return true;
  }));
  return best;
}

}  // namespace garam
