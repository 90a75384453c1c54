#include "broker/batch_writer.h"

#include <string>

#include "common/batch_bytes.h"
#include "common/endian.h"
#include "common/record_batch.h"

namespace garam {
namespace {

void AppendBlob(std::string& out, const Bytes& bytes) {
  AppendVarint(out, static_cast<int64_t>(bytes.size()));
  out.append(bytes.view());
}

std::string RecordBytes(const OwnRecord& record, size_t position) {
  std::string body(1, '\0');  // Attributes: none is defined.
  AppendVarint(body, 0);      // Timestamp delta.
  AppendVarint(body, static_cast<int64_t>(position));
  AppendBlob(body, record.key);
  if (record.value) {
    AppendBlob(body, *record.value);
  } else {
    AppendVarint(body, -1);
  }
  AppendVarint(body, 0);  // Headers.
  std::string out;
  AppendVarint(out, static_cast<int64_t>(body.size()));
  return out + body;
}

}  // namespace

Bytes WriteBatch(const std::vector<OwnRecord>& records, int64_t timestamp_ms) {
  std::string out(RecordBatchView::kHeaderBytes, '\0');
  for (size_t i = 0; i < records.size(); ++i) out += RecordBytes(records[i], i);
  const auto count = static_cast<int32_t>(records.size());
  char* at = out.data();
  StoreBigEndian<int32_t>(at + 12, -1);
  at[16] = static_cast<char>(RecordBatchView::kMagic);
  StoreBigEndian<int32_t>(at + 23, count - 1);
  StoreBigEndian<int64_t>(at + 27, timestamp_ms);
  StoreBigEndian<int64_t>(at + 35, timestamp_ms);
  StoreBigEndian<int64_t>(at + 43, -1);  // No producer id,
  StoreBigEndian<int16_t>(at + 51, -1);  // epoch
  StoreBigEndian<int32_t>(at + 53, -1);  // or sequence.
  StoreBigEndian<int32_t>(at + 57, count);
  SealBatch(out);
  return Bytes::Take(std::move(out));
}

}  // namespace garam
