// Any bytes as a produced batch: under whatever codec and rules, ValidateBatch must not read beyond
// them, and what it lets through the record reader must be able to walk.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "broker/batch_validation.h"
#include "broker/record_reader.h"
#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  garam::TopicConfig topic;
  topic.cleanup_compact = (data[0] & 1) != 0;
  topic.message_timestamp_type =
      (data[0] & 2) != 0 ? garam::TimestampType::kLogAppendTime : garam::TimestampType::kCreateTime;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Most inputs get a right length, magic and CRC, so that the rest is reached.
  if ((data[0] & 4) == 0 && bytes.size() >= garam::RecordBatchView::kHeaderBytes) {
    garam::StoreBigEndian<int32_t>(bytes.data() + 8, static_cast<int32_t>(bytes.size() - 12));
    bytes[16] = 2;
    garam::StoreBigEndian<uint32_t>(bytes.data() + 17,
                                    garam::Crc32c(std::string_view(bytes).substr(21)));
  }
  const garam::Bytes batch = garam::Bytes::Copy(bytes);
  const garam::BatchRules rules{topic, 9, 1'700'000'000'000};
  if (!garam::ValidateBatch(batch, rules).status.ok()) return 0;
  const garam::RecordBatchView view(batch.data());
  garam::PatchRecordBatch(const_cast<char*>(batch.data()), garam::Offset(7), garam::Term(1));
  if (garam::Crc32c(view.checked_bytes()) != view.crc()) std::abort();
  if (!garam::MaxTimestamp(batch).ok() || !garam::FirstAtOrAfter(batch, 0).ok()) std::abort();
  return 0;
}
