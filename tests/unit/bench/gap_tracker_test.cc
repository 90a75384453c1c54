#include "bench/gap_tracker.h"

#include <gtest/gtest.h>

namespace garam::bench {
namespace {

TEST(GapTrackerTest, FindsTheLongestSilenceAndWhenItBegan) {
  GapTracker gaps(0);
  for (const int64_t at : {10, 20, 70, 80}) gaps.OnAck(at);
  const GapTracker::Window window = gaps.Cut(85);
  EXPECT_EQ(window.acks, 4);
  EXPECT_EQ(window.longest_ns, 50);
  EXPECT_EQ(window.longest_from_ns, 20);
}

TEST(GapTrackerTest, ASilenceThatLastsCountsSoFar) {
  GapTracker gaps(0);
  gaps.OnAck(10);
  EXPECT_EQ(gaps.Cut(100).longest_ns, 90);
}

TEST(GapTrackerTest, ASilenceAcrossACutCountsWholeInTheNextWindow) {
  GapTracker gaps(0);
  gaps.OnAck(10);
  gaps.Cut(15);
  gaps.OnAck(40);
  const GapTracker::Window window = gaps.Cut(41);
  EXPECT_EQ(window.acks, 1);
  EXPECT_EQ(window.longest_ns, 30);
  EXPECT_EQ(window.longest_from_ns, 10);
}

TEST(GapTrackerTest, EachWindowStartsItsOwnCount) {
  GapTracker gaps(0);
  gaps.OnAck(500);
  gaps.Cut(500);
  gaps.OnAck(501);
  gaps.OnAck(503);
  EXPECT_EQ(gaps.Cut(504).longest_ns, 2);
}

}  // namespace
}  // namespace garam::bench
