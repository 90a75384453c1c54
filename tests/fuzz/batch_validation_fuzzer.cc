// Any bytes as a produced batch: under whatever codec and rules, ValidateBatch must not read beyond
// them, and what it lets through the record reader must be able to walk. What is refused may lie on
// a disk all the same, so a whole batch must not hurt the record reader either.
//
// The first byte: two bits of rules; with the third the bytes stay as they are, else length, magic
// and CRC are mended.
#include <cstddef>
#include <cstdint>
#include <string>

#include "broker/batch_validation.h"
#include "broker/record_reader.h"
#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

constexpr uint8_t kCompact = 1;
constexpr uint8_t kLogAppendTime = 2;
constexpr uint8_t kAsItIs = 4;
constexpr size_t kMagicAt = 16;

// What is decompressed has a limit of its own, and is there one and a half times while it grows.
constexpr size_t kFactor = 64;
constexpr size_t kFixedBytes = kDecompressedBytesMax / 2 * 3 + (256 << 10);

void Mend(std::string& bytes) {
  if (bytes.size() < RecordBatchView::kHeaderBytes) return;
  StoreBigEndian<int32_t>(bytes.data() + 8,
                          static_cast<int32_t>(bytes.size() - RecordBatchView::kLengthPrefixBytes));
  bytes[kMagicAt] = RecordBatchView::kMagic;
  StoreBigEndian<uint32_t>(bytes.data() + 17,
                           Crc32c(std::string_view(bytes).substr(RecordBatchView::kCrcStart)));
}

bool IsWholeBatch(std::string_view bytes) {
  if (bytes.size() < RecordBatchView::kHeaderBytes) return false;
  const RecordBatchView view(bytes.data());
  return view.magic() == RecordBatchView::kMagic && view.batch_length() > 0 &&
         view.size_bytes() == bytes.size();
}

void Feed(uint8_t choice, std::string bytes) {
  TopicConfig topic;
  topic.cleanup_compact = (choice & kCompact) != 0;
  topic.message_timestamp_type =
      (choice & kLogAppendTime) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  if ((choice & kAsItIs) == 0) Mend(bytes);
  const Bytes batch = Bytes::Copy(bytes);
  const AllocationLimit limit(bytes.size(), kFactor, kFixedBytes);
  const BatchRules rules{topic, 9, 1'700'000'000'000};
  const bool valid = ValidateBatch(batch, rules).status.ok();
  if (!IsWholeBatch(batch.view())) {
    Require(!valid, "what is no batch is let through, or one of an older format");
    return;
  }
  PatchRecordBatch(const_cast<char*>(batch.data()), Offset(7), Term(1));
  const bool walks = MaxTimestamp(batch).ok() && FirstAtOrAfter(batch, 0, Offset(0)).ok();
  if (!valid) return;
  const RecordBatchView view(batch.data());
  Require(Crc32c(view.checked_bytes()) == view.crc(), "the checksum was not made anew");
  Require(walks, "let through, but not to be walked");
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  garam::fuzz::Feed(data[0], std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  return 0;
}
