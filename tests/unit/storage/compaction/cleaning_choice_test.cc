#include "storage/compaction/cleaning_choice.h"

#include <gtest/gtest.h>

namespace garam::storage {
namespace {

constexpr int64_t kNowMs = 1'000'000;

class CleaningChoiceTest : public ::testing::Test {
 protected:
  // Ten entries and ten records each.
  void Add(int64_t bytes, int64_t max_timestamp_ms = 0) {
    SealedSegment segment;
    const auto count = static_cast<int64_t>(segments_.size());
    segment.header.base_index = LogIndex(1 + 10 * count);
    segment.header.base_offset = Offset(10 * count);
    segment.end.index = LogIndex(11 + 10 * count);
    segment.end.offset = Offset(10 + 10 * count);
    segment.end.max_timestamp_ms = max_timestamp_ms;
    segment.size_bytes = bytes;
    segments_.push_back(segment);
  }
  CleaningChoice Choose(int64_t before = 1000) {
    return ChooseCleaning(segments_, clean_, LogIndex(before), policy_, kNowMs);
  }

  std::vector<SealedSegment> segments_;
  CleanPoint clean_;
  CleaningPolicy policy_;
};

TEST_F(CleaningChoiceTest, ALogWithoutSealedSegmentsIsLeftAlone) {
  EXPECT_FALSE(Choose().due);
  EXPECT_EQ(Choose().segments, 0U);
}

TEST_F(CleaningChoiceTest, IsDueWhenTheDirtyPartIsAboveTheRatio) {
  Add(100);
  Add(100);
  clean_.before = Offset(10);
  EXPECT_DOUBLE_EQ(Choose().dirty_ratio, 0.5);
  EXPECT_FALSE(Choose().due);
  Add(1);
  EXPECT_TRUE(Choose().due);
  EXPECT_EQ(Choose().dirty_bytes, 101);
  clean_.before = Offset(30);
  EXPECT_FALSE(Choose().due);
}

TEST_F(CleaningChoiceTest, NeverReachesAboveTheBound) {
  Add(100);
  Add(100);
  EXPECT_EQ(Choose(0).segments, 0U);
  EXPECT_EQ(Choose(10).segments, 0U);
  EXPECT_EQ(Choose(11).segments, 1U);
  EXPECT_EQ(Choose(20).segments, 1U);
  EXPECT_EQ(Choose(21).segments, 2U);
}

TEST_F(CleaningChoiceTest, StopsAtRecordsThatAreTooYoung) {
  Add(100, kNowMs - 500);
  Add(100, kNowMs - 100);
  Add(100, kNowMs - 500);
  EXPECT_EQ(Choose().segments, 3U);
  policy_.lag_min_ms = 200;
  EXPECT_EQ(Choose().segments, 1U);
  policy_.lag_min_ms = 1000;
  EXPECT_FALSE(Choose().due);
}

TEST_F(CleaningChoiceTest, RecordsDoNotWaitLongerThanTheLargestLag) {
  Add(1000, kNowMs - 900);
  Add(10, kNowMs - 100);
  clean_.before = Offset(10);
  EXPECT_FALSE(Choose().due);
  policy_.lag_max_ms = 901;
  EXPECT_FALSE(Choose().due);
  policy_.lag_max_ms = 900;
  EXPECT_TRUE(Choose().overdue);
  clean_.before = Offset(20);
  EXPECT_FALSE(Choose().due);
}

TEST_F(CleaningChoiceTest, TombstonesThatMayGoAreAReasonOfTheirOwn) {
  Add(100);
  clean_ = {Offset(10), kNowMs + 1};
  EXPECT_FALSE(Choose().due);
  clean_.tombstones_until_ms = kNowMs;
  EXPECT_TRUE(Choose().overdue);
  EXPECT_FALSE(Choose(0).due);
}

TEST_F(CleaningChoiceTest, SmallSegmentsAreGroupedUpToASegmentsSize) {
  for (int64_t bytes : {40, 40, 40, 200, 10, 90}) Add(bytes);
  const auto groups = GroupSegments(segments_, 100);
  ASSERT_EQ(groups.size(), 4U);
  EXPECT_EQ(groups[0].size(), 2U);
  EXPECT_EQ(groups[1].size(), 1U);
  EXPECT_EQ(groups[2].size(), 1U);
  EXPECT_EQ(groups[3].size(), 2U);
}

}  // namespace
}  // namespace garam::storage
