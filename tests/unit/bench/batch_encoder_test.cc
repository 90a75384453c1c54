#include "bench/batch_encoder.h"

#include <gtest/gtest.h>

#include "common/crc32c.h"
#include "common/record_batch.h"

namespace garam::bench {
namespace {

int64_t TakeVarint(std::string_view& from) {
  uint64_t raw = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(from.front());
    from.remove_prefix(1);
    raw |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) break;
  }
  return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
}

TEST(BatchEncoderTest, HeaderDescribesTheBatch) {
  const std::string bytes = EncodeBatch(3, 100, 1234, 1);
  const RecordBatchView batch(bytes.data());
  EXPECT_EQ(batch.size_bytes(), bytes.size());
  EXPECT_EQ(batch.magic(), RecordBatchView::kMagic);
  EXPECT_EQ(batch.base_offset(), Offset(0));
  EXPECT_EQ(batch.record_count(), 3);
  EXPECT_EQ(batch.last_offset_delta(), 2);
  EXPECT_EQ(batch.base_timestamp_ms(), 1234);
  EXPECT_EQ(batch.max_timestamp_ms(), 1234);
  EXPECT_EQ(batch.producer_id(), -1);
  EXPECT_EQ(batch.attributes(), 0);
}

TEST(BatchEncoderTest, CrcHoldsWhateverOffsetTheLeaderGives) {
  std::string bytes = EncodeBatch(5, 64, 1, 1);
  PatchRecordBatch(bytes.data(), Offset(987654321), Term(42));
  const RecordBatchView batch(bytes.data());
  EXPECT_EQ(batch.crc(), Crc32c(batch.checked_bytes()));
}

TEST(BatchEncoderTest, RecordsFillTheBatchExactly) {
  const std::string bytes = EncodeBatch(200, 1000, 1, 1);
  std::string_view left = RecordBatchView(bytes.data()).records();
  for (int64_t i = 0; i < 200; ++i) {
    const int64_t size = TakeVarint(left);
    ASSERT_LE(size, static_cast<int64_t>(left.size()));
    std::string_view record = left.substr(0, static_cast<size_t>(size));
    left.remove_prefix(static_cast<size_t>(size));
    record.remove_prefix(1);
    EXPECT_EQ(TakeVarint(record), 0);
    EXPECT_EQ(TakeVarint(record), i);
    EXPECT_EQ(TakeVarint(record), -1);
    EXPECT_EQ(TakeVarint(record), 1000);
    record.remove_prefix(1000);
    EXPECT_EQ(TakeVarint(record), 0);
    EXPECT_TRUE(record.empty());
  }
  EXPECT_TRUE(left.empty());
}

TEST(BatchEncoderTest, SeedsGiveDifferentBytesAndEqualSeedsTheSame) {
  EXPECT_EQ(EncodeBatch(2, 100, 1, 9), EncodeBatch(2, 100, 1, 9));
  EXPECT_NE(EncodeBatch(2, 100, 1, 9), EncodeBatch(2, 100, 1, 10));
}

TEST(BatchEncoderTest, ABatchNeverExceedsItsLimit) {
  for (const size_t record_bytes : {10, 100, 1024, 10'000}) {
    for (const size_t limit : {size_t{16'384}, size_t{131'072}}) {
      const size_t records = RecordsPerBatch(record_bytes, limit);
      EXPECT_LE(EncodeBatch(records, record_bytes, 1, 1).size(), limit) << record_bytes;
    }
  }
  EXPECT_EQ(RecordsPerBatch(1024, 0), 1u);
  EXPECT_EQ(RecordsPerBatch(1 << 20, 16'384), 1u);
}

}  // namespace
}  // namespace garam::bench
