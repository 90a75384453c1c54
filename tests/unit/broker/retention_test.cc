#include "broker/retention.h"

#include <gtest/gtest.h>

#include <vector>

namespace garam {
namespace {

using storage::SegmentInfo;

constexpr int64_t kNow = 1'000'000;
constexpr RetentionLimits kNone{};

class RetentionTest : public ::testing::Test {
 protected:
  // Behind the last one: ten records, 100 bytes.
  SegmentInfo& Add(int64_t max_timestamp_ms) {
    SegmentInfo segment;
    if (!segments_.empty()) {
      segments_.back().sealed = true;
      segment.base_offset = segments_.back().next_offset;
    }
    segment.next_offset = segment.base_offset + 10;
    segment.size_bytes = 100;
    segment.max_timestamp_ms = max_timestamp_ms;
    segment.modified_ms = kNow;
    segments_.push_back(segment);
    return segments_.back();
  }
  std::optional<RetentionStep> Decide(const RetentionLimits& limits) const {
    return DecideRetention(segments_, start_, high_watermark_, limits, kNow);
  }

  std::vector<SegmentInfo> segments_;
  Offset start_{0};
  Offset high_watermark_{1'000'000};
};

TEST_F(RetentionTest, WithoutLimitsEverythingStays) {
  Add(0);
  Add(0);
  EXPECT_EQ(Decide(kNone), std::nullopt);
}

TEST_F(RetentionTest, SegmentsGoWhoseYoungestRecordIsTooOld) {
  Add(kNow - 501);
  Add(kNow - 501);
  Add(kNow - 500);
  Add(kNow - 501);
  Add(kNow);
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(20), false}));
  EXPECT_EQ(Decide({.ms = 501}), std::nullopt);
}

TEST_F(RetentionTest, AYoungSegmentKeepsWhatIsBehindIt) {
  Add(kNow + 5000);
  Add(0);
  Add(0);
  EXPECT_EQ(Decide({.ms = 500}), std::nullopt);
}

TEST_F(RetentionTest, WithoutTimestampsTheLastChangeCounts) {
  Add(-1).modified_ms = kNow - 501;
  Add(-1).modified_ms = kNow - 500;
  Add(kNow);
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(10), false}));
}

TEST_F(RetentionTest, TheLastSegmentEndsWhenAllOfItIsTooOld) {
  Add(0);
  Add(0);
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(20), true}));
}

TEST_F(RetentionTest, ALastSegmentWithoutARecordStaysAsItIs) {
  Add(0);
  SegmentInfo& last = Add(-1);
  last.next_offset = last.base_offset;
  last.modified_ms = 0;
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(10), false}));
  start_ = Offset(10);
  EXPECT_EQ(Decide({.ms = 500}), std::nullopt);
}

TEST_F(RetentionTest, ASealedSegmentWithoutARecordKeepsNothing) {
  Add(0);
  SegmentInfo& empty = Add(-1);
  empty.next_offset = empty.base_offset;
  Add(0);
  Add(kNow);
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(20), false}));
}

TEST_F(RetentionTest, WhatIsLeftHasAtLeastTheBytesThatAreToBeKept) {
  for (int i = 0; i < 5; ++i) Add(kNow);
  EXPECT_EQ(Decide({.bytes = 500}), std::nullopt);
  EXPECT_EQ(Decide({.bytes = 401}), std::nullopt);
  EXPECT_EQ(Decide({.bytes = 400}), (RetentionStep{Offset(10), false}));
  EXPECT_EQ(Decide({.bytes = 150}), (RetentionStep{Offset(30), false}));
  EXPECT_EQ(Decide({.bytes = 0}), (RetentionStep{Offset(50), true}));
}

TEST_F(RetentionTest, TheLimitThatDropsMoreDecides) {
  Add(0);
  for (int i = 0; i < 4; ++i) Add(kNow);
  EXPECT_EQ(Decide({.ms = 500, .bytes = 300}), (RetentionStep{Offset(20), false}));
  EXPECT_EQ(Decide({.ms = 500, .bytes = 1000}), (RetentionStep{Offset(10), false}));
}

TEST_F(RetentionTest, WhatLiesBelowTheLogStartDoesNotCount) {
  for (int i = 0; i < 5; ++i) Add(kNow);
  start_ = Offset(15);  // Inside the second segment, which is there still.
  EXPECT_EQ(Decide({.bytes = 400}), std::nullopt);
  EXPECT_EQ(Decide({.bytes = 300}), (RetentionStep{Offset(20), false}));
}

TEST_F(RetentionTest, NothingAtOrAboveTheHighWatermarkGoes) {
  Add(0);
  Add(0);
  Add(0);
  high_watermark_ = Offset(29);
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(20), false}));
  EXPECT_EQ(Decide({.bytes = 0}), (RetentionStep{Offset(20), false}));
  high_watermark_ = Offset(30);
  EXPECT_EQ(Decide({.ms = 500}), (RetentionStep{Offset(30), true}));
}

TEST_F(RetentionTest, ATopicThatIsOnlyCompactedHasNoLimits) {
  TopicConfig topic;
  topic.retention_ms = 1;
  topic.retention_bytes = 2;
  EXPECT_EQ(RetentionLimits::Of(topic).ms, 1);
  EXPECT_EQ(RetentionLimits::Of(topic).bytes, 2);
  topic.cleanup_delete = false;
  EXPECT_EQ(RetentionLimits::Of(topic).ms, -1);
  EXPECT_EQ(RetentionLimits::Of(topic).bytes, -1);
}

}  // namespace
}  // namespace garam
