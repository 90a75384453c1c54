#include "broker/record_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam {
namespace {

using ::testing::Eq;
using ::testing::Optional;

BatchBuilder Times(std::vector<int64_t> deltas) {
  BatchBuilder builder;
  builder.records.clear();
  for (const int64_t delta : deltas)
    builder.records.push_back({.value = "v", .timestamp_delta_ms = delta});
  builder.base_offset = 100;
  builder.base_timestamp_ms = 1000;
  return builder;
}

TEST(RecordReaderTest, FindsTheFirstRecordAtOrAfterATimeInsideEveryCodec) {
  BatchBuilder builder = Times({0, 50, 20, 50});
  for (const Compression codec : {Compression::kNone, Compression::kGzip, Compression::kSnappy,
                                  Compression::kLz4, Compression::kZstd}) {
    builder.codec = codec;
    EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 1010, Offset(0)),
                Optional(RecordPosition{Offset(101), 1050}));
    EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 0, Offset(0)),
                Optional(RecordPosition{Offset(100), 1000}));
    EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 1051, Offset(0)), Eq(std::nullopt));
    // A log may begin inside a batch.
    EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 0, Offset(102)),
                Optional(RecordPosition{Offset(102), 1020}));
    EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 0, Offset(104)), Eq(std::nullopt));
  }
}

TEST(RecordReaderTest, FindsTheFirstRecordWithTheHighestTime) {
  EXPECT_THAT(*MaxTimestamp(Times({0, 50, 20, 50}).Build()),
              Optional(RecordPosition{Offset(101), 1050}));
}

TEST(RecordReaderTest, LogAppendTimeIsTheTimeOfAllRecords) {
  BatchBuilder builder = Times({0, 50});
  builder.more_attributes = 0x8;
  builder.max_timestamp_ms = 7777;
  EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 2000, Offset(0)),
              Optional(RecordPosition{Offset(100), 7777}));
}

TEST(RecordReaderTest, FollowsTheGapsThatCompactionLeaves) {
  BatchBuilder builder = Times({0, 10});
  builder.records[1].offset_delta = 5;
  EXPECT_THAT(*FirstAtOrAfter(builder.Build(), 1005, Offset(0)),
              Optional(RecordPosition{Offset(105), 1010}));
}

TEST(RecordReaderTest, TimestampsThatNoNumberHoldsStopAtTheEndOfTheRange) {
  BatchBuilder builder = Times({0, -50});
  builder.base_timestamp_ms = INT64_MIN + 10;
  builder.max_timestamp_ms = INT64_MIN + 10;
  EXPECT_THAT(*MaxTimestamp(builder.Build()),
              Optional(RecordPosition{Offset(100), INT64_MIN + 10}));
  builder = Times({50});
  builder.base_timestamp_ms = INT64_MAX - 10;
  builder.max_timestamp_ms = INT64_MAX;
  EXPECT_THAT(*MaxTimestamp(builder.Build()), Optional(RecordPosition{Offset(100), INT64_MAX}));
}

TEST(RecordReaderTest, SaysWhenTheRecordsAreDamaged) {
  BatchBuilder builder = Times({0});
  builder.record_count = 2;
  EXPECT_EQ(ErrcOf(MaxTimestamp(builder.Build()).status()), Errc::kCorruptRecord);
}

}  // namespace
}  // namespace garam
