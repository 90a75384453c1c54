#include "storage/segment_info.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "storage/log.h"

namespace garam::storage {
namespace {

SegmentInfo WithABatch(LogIndex base, int64_t timestamp_ms) {
  SegmentInfo info;
  info.base_index = info.next_index = base;
  info.Add(100, timestamp_ms, Offset(1), 5);
  return info;
}

TEST(SegmentInfoTest, WhatIsAddedMovesItsEnd) {
  SegmentInfo info;
  info.Add(31, -1, Offset(0), 5);  // An entry of Raft's own.
  EXPECT_EQ(info.first_timestamp_ms, -1);
  info.Add(100, 70, Offset(2), 6);
  info.Add(100, 60, Offset(4), 7);
  EXPECT_EQ(info.first_timestamp_ms, 70);
  EXPECT_EQ(info.max_timestamp_ms, 70);
  EXPECT_EQ(info.size_bytes, 231);
  EXPECT_EQ(info.next_offset, Offset(4));
  EXPECT_EQ(info.next_index, LogIndex(3));
  EXPECT_EQ(info.created_ms, 5);
  EXPECT_EQ(info.modified_ms, 7);
}

TEST(SegmentInfoTest, TheJitterSpreadsTheEndsOfSegmentsAndStaysTheSame) {
  LogOptions options;
  options.segment_ms = 10'000;
  options.segment_jitter_ms = 4'000;
  std::set<int64_t> ends;
  for (int64_t base = 1; base <= 20; ++base) {
    const SegmentInfo info = WithABatch(LogIndex(base), 0);
    int64_t at = 0;
    while (!EndsBefore(info, options, GroupId(7), {1, at, 0})) ++at;
    EXPECT_GT(at, 6'000);
    EXPECT_LE(at, 10'001);
    EXPECT_FALSE(EndsBefore(info, options, GroupId(7), {1, at - 1, 0}));
    ends.insert(at);
  }
  EXPECT_GT(ends.size(), 15u);
}

TEST(SegmentInfoTest, AJitterAboveTheAgeIsCutToIt) {
  LogOptions options;
  options.segment_ms = 100;
  options.segment_jitter_ms = std::numeric_limits<int64_t>::max();
  const SegmentInfo info = WithABatch(LogIndex(3), 1000);
  EXPECT_TRUE(EndsBefore(info, options, GroupId(7), {1, 1101, 0}));
  EXPECT_FALSE(EndsBefore(info, options, GroupId(7), {1, 1000, 0}));
}

TEST(SegmentInfoTest, ALogOfEntriesEndsSegmentsWithoutARecord) {
  LogOptions options;
  options.segment_bytes = 50;
  SegmentInfo info;
  EXPECT_FALSE(EndsBefore(info, options, GroupId(0), {100, -1, 0}));
  info.Add(31, -1, Offset(0), 5);
  EXPECT_FALSE(EndsBefore(info, options, GroupId(0), {100, -1, 0}));
  options.rolls_without_records = true;
  EXPECT_TRUE(EndsBefore(info, options, GroupId(0), {100, -1, 0}));
}

}  // namespace
}  // namespace garam::storage
