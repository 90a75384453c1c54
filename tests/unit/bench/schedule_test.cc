#include "bench/schedule.h"

#include <gtest/gtest.h>

namespace garam::bench {
namespace {

TEST(ScheduleTest, RequestsAreEvenlySpacedFromTheStart) {
  Schedule schedule(1000, 5'000'000);
  EXPECT_EQ(schedule.Take(), 5'000'000);
  EXPECT_EQ(schedule.Take(), 6'000'000);
  EXPECT_EQ(schedule.NextDueNs(), 7'000'000);
}

TEST(ScheduleTest, NothingIsDueBeforeItsTime) {
  Schedule schedule(1000, 0);
  schedule.Take();
  EXPECT_FALSE(schedule.IsDue(999'999));
  EXPECT_TRUE(schedule.IsDue(1'000'000));
}

TEST(ScheduleTest, AStallMakesAllMissedRequestsDueWithTheirOwnTimes) {
  Schedule schedule(1000, 0);
  const int64_t after_stall = 10'000'000;
  int64_t expected = 0;
  while (schedule.IsDue(after_stall)) {
    EXPECT_EQ(schedule.Take(), expected);
    expected += 1'000'000;
  }
  EXPECT_EQ(schedule.taken(), 11);
}

TEST(ScheduleTest, AnOddRateDoesNotDrift) {
  Schedule schedule(3, 0);
  for (int i = 0; i < 3'000; ++i) schedule.Take();
  EXPECT_EQ(schedule.NextDueNs(), 1'000'000'000'000);
}

}  // namespace
}  // namespace garam::bench
