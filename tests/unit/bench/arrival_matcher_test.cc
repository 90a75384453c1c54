#include "bench/arrival_matcher.h"

#include <gtest/gtest.h>

namespace garam::bench {
namespace {

TEST(ArrivalMatcherTest, CountsFromThePlanWhicheverIsHeardOfFirst) {
  ArrivalMatcher matcher;
  matcher.OnProduced(5, 10'000);
  matcher.OnSeen(5, 6, 110'000);
  matcher.OnSeen(6, 7, 320'000);
  matcher.OnProduced(6, 120'000);
  EXPECT_EQ(matcher.latency_us().count(), 2);
  EXPECT_EQ(matcher.latency_us().min(), 100);
  EXPECT_EQ(matcher.latency_us().max(), 200);
  EXPECT_EQ(matcher.missing(), 0u);
}

TEST(ArrivalMatcherTest, KnowsWhatWasNeverSeen) {
  ArrivalMatcher matcher;
  for (int64_t offset = 0; offset < 4; ++offset) matcher.OnProduced(offset, 0);
  matcher.OnSeen(1, 3, 1000);
  EXPECT_EQ(matcher.missing(), 2u);
}

}  // namespace
}  // namespace garam::bench
