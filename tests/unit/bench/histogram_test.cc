#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace garam::bench {
namespace {

TEST(HistogramTest, EmptySaysZeroEverywhere) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.Percentile(50), 0);
  EXPECT_EQ(histogram.Mean(), 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Percentile(1), 1);
  EXPECT_EQ(histogram.Percentile(50), 50);
  EXPECT_EQ(histogram.Percentile(99), 99);
  EXPECT_EQ(histogram.Percentile(100), 100);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 50.5);
}

TEST(HistogramTest, PercentilesOfLargeValuesAreWithinOnePercentAbove) {
  std::mt19937_64 random(7);
  std::vector<int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    // Spread over all magnitudes up to 2^36.
    const auto value = static_cast<int64_t>(random() >> (28 + random() % 36));
    values.push_back(value);
    histogram.Record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank =
        static_cast<size_t>(std::ceil(static_cast<double>(values.size()) * percent / 100));
    const int64_t truth = values[rank - 1];
    EXPECT_GE(histogram.Percentile(percent), truth) << percent;
    EXPECT_LE(static_cast<double>(histogram.Percentile(percent)),
              static_cast<double>(truth) * 1.01 + 1)
        << percent;
  }
}

TEST(HistogramTest, NoPercentileLiesBeyondTheExtremes) {
  Histogram histogram;
  histogram.Record(1'000'003);
  EXPECT_EQ(histogram.Percentile(0), 1'000'003);
  EXPECT_EQ(histogram.Percentile(50), 1'000'003);
  EXPECT_EQ(histogram.Percentile(100), 1'000'003);
}

TEST(HistogramTest, ClampsWhatItCannotHold) {
  Histogram histogram;
  histogram.Record(-5);
  histogram.Record(Histogram::kMax + 12345);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), Histogram::kMax);
  EXPECT_EQ(histogram.Percentile(100), Histogram::kMax);
}

TEST(HistogramTest, MergingIsRecordingBoth) {
  Histogram low, high, both;
  for (int64_t value = 1; value <= 1000; ++value) {
    low.Record(value);
    both.Record(value);
    high.Record(value * 1000);
    both.Record(value * 1000);
  }
  low.Merge(high);
  EXPECT_EQ(low.count(), both.count());
  EXPECT_EQ(low.min(), 1);
  EXPECT_EQ(low.max(), 1'000'000);
  EXPECT_EQ(low.Percentile(75), both.Percentile(75));
  EXPECT_DOUBLE_EQ(low.Mean(), both.Mean());
}

}  // namespace
}  // namespace garam::bench
