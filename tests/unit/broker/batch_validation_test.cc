#include "broker/batch_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crc32c.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::SizeIs;

constexpr int64_t kNow = 1'700'000'000'000;

class BatchValidationTest : public ::testing::Test {
 protected:
  BatchVerdict Validate(const Bytes& batch) {
    return ValidateBatch(batch, BatchRules{topic_, version_, kNow});
  }
  Errc Refusal(const Bytes& batch) {
    const BatchVerdict verdict = Validate(batch);
    EXPECT_FALSE(verdict.status.ok());
    return verdict.status.ok() ? Errc::kUnknown : ErrcOf(verdict.status);
  }
  Errc Refusal() { return Refusal(builder_.Build()); }
  absl::Status Check() { return Validate(builder_.Build()).status; }

  void ThreeRecords() { builder_.records = {{.value = "a"}, {.value = "b"}, {.value = "c"}}; }

  TopicConfig topic_;
  int16_t version_ = 9;
  BatchBuilder builder_;
};

TEST_F(BatchValidationTest, LetsASoundBatchOfEveryCodecThrough) {
  ThreeRecords();
  for (const Compression codec : {Compression::kNone, Compression::kGzip, Compression::kSnappy,
                                  Compression::kLz4, Compression::kZstd}) {
    builder_.codec = codec;
    EXPECT_TRUE(Check().ok()) << static_cast<int>(codec) << Check();
  }
  builder_.codec = Compression::kSnappy;
  builder_.snappy_raw = true;
  EXPECT_TRUE(Check().ok());
}

TEST_F(BatchValidationTest, LeavesTheBytesOfASoundBatchAlone) {
  builder_.codec = Compression::kZstd;
  const Bytes batch = builder_.Build();
  const std::string before(batch.view());
  ASSERT_TRUE(Validate(batch).status.ok());
  EXPECT_EQ(batch.view(), before);
}

TEST_F(BatchValidationTest, RefusesNoBytesAtAll) {
  EXPECT_EQ(Refusal(Bytes()), Errc::kInvalidRecord);
}

TEST_F(BatchValidationTest, RefusesATornBatch) {
  const std::string whole = builder_.String();
  for (size_t size = 1; size < whole.size(); ++size)
    EXPECT_EQ(Refusal(Bytes::Copy(std::string_view(whole).substr(0, size))), Errc::kCorruptRecord);
}

TEST_F(BatchValidationTest, RefusesTwoBatches) {
  EXPECT_EQ(Refusal(Bytes::Take(builder_.String() + builder_.String())), Errc::kInvalidRecord);
}

TEST_F(BatchValidationTest, RefusesOldMagicAsInvalidAndUnknownMagicAsCorrupt) {
  builder_.magic = 1;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
  builder_.magic = 3;
  EXPECT_EQ(Refusal(), Errc::kCorruptRecord);
}

TEST_F(BatchValidationTest, RefusesAWrongCrc) {
  std::string bytes = builder_.String();
  bytes.back() ^= 1;
  EXPECT_EQ(Refusal(Bytes::Take(bytes)), Errc::kCorruptRecord);
}

TEST_F(BatchValidationTest, DoesNotMindWhatLiesOutsideTheCrc) {
  builder_.base_offset = 77;
  builder_.leader_epoch = 9;
  EXPECT_TRUE(Check().ok());
}

TEST_F(BatchValidationTest, RefusesABatchOverMaxMessageBytesByItsCompressedSize) {
  builder_.records = {{.value = std::string(5000, 'x')}};
  topic_.max_message_bytes = 1000;
  EXPECT_EQ(Refusal(), Errc::kRecordTooLarge);
  builder_.codec = Compression::kZstd;
  EXPECT_TRUE(Check().ok());
}

TEST_F(BatchValidationTest, RefusesABatchOverTheSegmentSize) {
  topic_.segment_bytes = 50;
  EXPECT_EQ(Refusal(), Errc::kBatchOverSegment);
}

TEST_F(BatchValidationTest, RefusesRecordCountsThatContradict) {
  ThreeRecords();
  builder_.last_offset_delta = 1;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
  builder_.last_offset_delta = 3;
  builder_.record_count = 4;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord) << "fewer records than the header says";
  builder_.last_offset_delta = 1;
  builder_.record_count = 2;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord) << "more records than the header says";
  builder_.last_offset_delta = -1;
  builder_.record_count = 0;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
}

TEST_F(BatchValidationTest, RefusesDeltasThatAreNotDenseAlsoInsideCompression) {
  ThreeRecords();
  builder_.records[1].offset_delta = 2;
  for (const Compression codec : {Compression::kNone, Compression::kLz4}) {
    builder_.codec = codec;
    EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
  }
}

TEST_F(BatchValidationTest, RefusesBytesBehindTheLastRecord) {
  builder_.after_records = "x";
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
}

TEST_F(BatchValidationTest, RefusesAControlBatch) {
  builder_.more_attributes = 0x20;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
}

TEST_F(BatchValidationTest, RefusesATransactionalBatch) {
  builder_.more_attributes = 0x10;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
}

TEST_F(BatchValidationTest, RefusesAProducerIdWithoutASequence) {
  builder_.producer_id = 5;
  builder_.producer_epoch = 0;
  EXPECT_EQ(Refusal(), Errc::kInvalidRecord);
  builder_.base_sequence = 0;
  EXPECT_TRUE(Check().ok());
}

TEST_F(BatchValidationTest, RefusesAnUnknownCodec) {
  builder_.more_attributes = 5;
  EXPECT_EQ(Refusal(), Errc::kCorruptRecord);
}

TEST_F(BatchValidationTest, RefusesBytesThatAreNotWhatTheCodecSays) {
  for (const Compression codec :
       {Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd}) {
    builder_.codec = codec;
    builder_.packed = "\xff\xff\xff\xff nonsense";
    EXPECT_EQ(Refusal(), Errc::kCorruptRecord) << static_cast<int>(codec);
  }
}

TEST_F(BatchValidationTest, RefusesZstdBeforeProduceSeven) {
  builder_.codec = Compression::kZstd;
  version_ = 6;
  EXPECT_EQ(Refusal(), Errc::kUnsupportedCompression);
  version_ = 7;
  EXPECT_TRUE(Check().ok());
}

TEST_F(BatchValidationTest, RefusesTimestampsOutsideTheWindowAndNamesTheRecords) {
  ThreeRecords();
  topic_.message_timestamp_before_max_ms = 1000;
  builder_.records[0].timestamp_delta_ms = -2000;
  builder_.records[2].timestamp_delta_ms = topic_.message_timestamp_after_max_ms + 1;
  const BatchVerdict verdict = Validate(builder_.Build());
  EXPECT_EQ(ErrcOf(verdict.status), Errc::kInvalidTimestamp);
  EXPECT_THAT(verdict.record_errors,
              ElementsAre(Field(&RecordError::index, 0), Field(&RecordError::index, 2)));
}

TEST_F(BatchValidationTest, TakesRecordsWithoutATimestamp) {
  topic_.message_timestamp_before_max_ms = 1000;
  builder_.base_timestamp_ms = -1;
  EXPECT_TRUE(Check().ok());
}

TEST_F(BatchValidationTest, CorrectsAMaxTimestampThatLies) {
  builder_.max_timestamp_ms = kNow + 999;
  const Bytes batch = builder_.Build();
  ASSERT_TRUE(Validate(batch).status.ok());
  const RecordBatchView view(batch.data());
  EXPECT_EQ(view.max_timestamp_ms(), kNow);
  EXPECT_EQ(view.crc(), Crc32c(view.checked_bytes()));
}

TEST_F(BatchValidationTest, LogAppendTimeSetsBitAndTimeAndCrc) {
  topic_.message_timestamp_type = TimestampType::kLogAppendTime;
  builder_.base_timestamp_ms = 5;
  const Bytes batch = builder_.Build();
  ASSERT_TRUE(Validate(batch).status.ok());
  const RecordBatchView view(batch.data());
  EXPECT_TRUE(view.log_append_time());
  EXPECT_EQ(view.max_timestamp_ms(), kNow);
  EXPECT_EQ(view.crc(), Crc32c(view.checked_bytes()));
}

TEST_F(BatchValidationTest, RefusesRecordsWithoutAKeyOnACompactedTopic) {
  topic_.cleanup_compact = true;
  ThreeRecords();
  builder_.records[1].key = "k";
  const BatchVerdict verdict = Validate(builder_.Build());
  EXPECT_EQ(ErrcOf(verdict.status), Errc::kInvalidRecord);
  EXPECT_THAT(verdict.record_errors,
              ElementsAre(Field(&RecordError::index, 0), Field(&RecordError::index, 2)));
}

TEST_F(BatchValidationTest, NamesOnlySoManyBadRecords) {
  topic_.cleanup_compact = true;
  builder_.records.assign(5000, TestRecord{});
  EXPECT_THAT(Validate(builder_.Build()).record_errors, SizeIs(100));
}

TEST_F(BatchValidationTest, SurvivesAnyDamageBehindARightCrc) {
  ThreeRecords();
  for (const Compression codec : {Compression::kNone, Compression::kSnappy, Compression::kZstd}) {
    builder_.codec = codec;
    const std::string sound = builder_.String();
    for (size_t at = RecordBatchView::kCrcStart; at < sound.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string bytes = sound;
        bytes[at] = static_cast<char>(bytes[at] ^ flip);
        StoreBigEndian<uint32_t>(bytes.data() + 17, Crc32c(std::string_view(bytes).substr(21)));
        (void)Validate(Bytes::Take(bytes));
      }
    }
  }
}

}  // namespace
}  // namespace garam
