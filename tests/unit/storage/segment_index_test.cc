#include "storage/segment_index.h"

#include <gtest/gtest.h>

namespace garam::storage {
namespace {

SegmentPoint Point(int64_t n) {
  SegmentPoint point;
  point.index = LogIndex(n);
  point.offset = Offset(10 * n);
  point.position = 100 * n;
  point.checksum = static_cast<uint32_t>(n);
  point.max_timestamp_ms = 1000 + n;
  point.max_timestamp_offset = Offset(n);
  return point;
}

SegmentIndex RowsOneTo(int64_t count) {
  SegmentIndex index(Point(1));
  for (int64_t n = 2; n <= count; ++n) index.Note(Point(n), 100);
  return index;
}

TEST(SegmentIndexTest, ARowIsNotedEveryIntervalAndNotBetween) {
  SegmentIndex index(Point(1));
  for (int64_t n = 2; n <= 10; ++n) index.Note(Point(n), 300);
  ASSERT_EQ(index.rows().size(), 4u);
  EXPECT_EQ(index.rows()[1], Point(4));
  EXPECT_EQ(index.rows()[3], Point(10));
}

TEST(SegmentIndexTest, RowsOfALargeSegmentLieFurtherApart) {
  SegmentIndex index(Point(1));
  for (int64_t n = 2; n * 100 < (1 << 30); ++n) index.Note(Point(n), 4096);
  EXPECT_LT(index.rows().size(), 40'000u);
}

TEST(SegmentIndexTest, ALookupGivesTheLastRowAtOrBeforeWhatIsWanted) {
  const SegmentIndex index = RowsOneTo(5);
  EXPECT_EQ(index.FindOffset(Offset(0)), Point(1));
  EXPECT_EQ(index.FindOffset(Offset(29)), Point(2));
  EXPECT_EQ(index.FindOffset(Offset(30)), Point(3));
  EXPECT_EQ(index.FindOffset(Offset(999)), Point(5));
  EXPECT_EQ(index.FindIndex(LogIndex(4)), Point(4));
  // A batch at 1004 is behind every row before which all is below 1004.
  EXPECT_EQ(index.FindTimestamp(1004), Point(3));
  EXPECT_EQ(index.FindTimestamp(0), Point(1));
  EXPECT_EQ(index.FindTimestamp(9999), Point(5));
  EXPECT_EQ(index.PositionAfter(Point(2)), 300);
  EXPECT_EQ(index.PositionAfter(Point(5)), std::nullopt);
}

TEST(SegmentIndexTest, TruncationForgetsRowsBehindTheCutAndNeverTheFirst) {
  SegmentIndex index = RowsOneTo(5);
  index.TruncateFrom(LogIndex(3));
  EXPECT_EQ(index.rows().back(), Point(3));
  index.TruncateFrom(LogIndex(0));
  EXPECT_EQ(index.rows().size(), 1u);
}

TEST(SegmentIndexTest, RowsComeBackFromTheirBytes) {
  const SegmentIndex index = RowsOneTo(9);
  SegmentIndex copy(Point(1));
  ASSERT_TRUE(copy.DecodeAppend(index.Encode(1, 5)));
  ASSERT_TRUE(copy.DecodeAppend(index.Encode(5, 9)));
  EXPECT_EQ(copy.rows(), index.rows());
}

TEST(SegmentIndexTest, BytesThatAreNoAscendingRowsAreRefused) {
  const SegmentIndex index = RowsOneTo(9);
  SegmentIndex copy(Point(1));
  EXPECT_FALSE(copy.DecodeAppend(index.Encode(1, 5).substr(1)));
  ASSERT_TRUE(copy.DecodeAppend(index.Encode(3, 5)));
  EXPECT_FALSE(copy.DecodeAppend(index.Encode(1, 3)));
}

}  // namespace
}  // namespace garam::storage
