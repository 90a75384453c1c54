#include "common/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace garam {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricsTest, CountersAndGaugesAreScrapedWithTheirLabels) {
  Metrics metrics;
  metrics.AddCounter("garam_things_total", "Things", {{"kind", "a"}}).Add(3);
  metrics.AddCounter("garam_things_total", "Things", {{"kind", "b"}}).Add();
  metrics.AddGauge("garam_level", "Level").Set(-7);
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("# HELP garam_things_total Things\n"
                              "# TYPE garam_things_total counter\n"
                              "garam_things_total{kind=\"a\"} 3\n"
                              "garam_things_total{kind=\"b\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE garam_level gauge\ngaram_level -7\n"));
}

TEST(MetricsTest, AHistogramCountsEachObservationInTheFirstBucketThatHoldsIt) {
  Metrics metrics;
  Histogram& histogram = metrics.AddHistogram("garam_seconds", "Time", {0.5, 2});
  for (double value : {0.25, 0.5, 1.0, 9.0}) histogram.Observe(value);
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("garam_seconds_count 4\ngaram_seconds_sum 10.75\n"));
  EXPECT_THAT(text, HasSubstr("garam_seconds_bucket{le=\"0.5\"} 2\n"
                              "garam_seconds_bucket{le=\"2\"} 3\n"
                              "garam_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST(MetricsTest, SourcesAreAskedAtEachScrape) {
  Metrics metrics;
  int scrapes = 0;
  metrics.AddSource([&](MetricSink& sink) {
    sink.Counter("garam_scrapes_total", "Scrapes", {}, ++scrapes);
    sink.Gauge("garam_now", "Now", {{"x", "y"}}, 0.5);
  });
  EXPECT_THAT(metrics.Scrape(), HasSubstr("garam_scrapes_total 1\n"));
  EXPECT_THAT(metrics.Scrape(), HasSubstr("garam_scrapes_total 2\n"));
  EXPECT_THAT(metrics.Scrape(), HasSubstr("garam_now{x=\"y\"} 0.5\n"));
}

TEST(MetricsTest, SeriesOfOneNameStandTogetherUnderOneHelp) {
  Metrics metrics;
  metrics.AddGauge("garam_a", "A", {{"n", "1"}});
  metrics.AddGauge("garam_b", "B");
  metrics.AddSource([](MetricSink& sink) { sink.Gauge("garam_a", "A", {{"n", "2"}}, 1); });
  EXPECT_THAT(metrics.Scrape(), HasSubstr("garam_a{n=\"1\"} 0\ngaram_a{n=\"2\"} 1\n"));
}

TEST(MetricsTest, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.AddGauge("garam_a", "A", {{"n", "x\"\\\ny"}});
  EXPECT_THAT(metrics.Scrape(), HasSubstr("{n=\"x\\\"\\\\\\ny\"}"));
}

TEST(MetricsTest, CountersMayBeMovedFromManyThreads) {
  Metrics metrics;
  Counter& counter = metrics.AddCounter("garam_c_total", "C");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000u);
}

TEST(MetricsTest, TheProcessTellsItsCpuMemoryAndFiles) {
  Metrics metrics;
  metrics.AddSource(CollectProcessMetrics);
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("process_cpu_seconds_total "));
  EXPECT_THAT(text, Not(HasSubstr("process_resident_memory_bytes 0\n")));
  EXPECT_THAT(text, Not(HasSubstr("process_open_fds 0\n")));
  EXPECT_THAT(text, Not(HasSubstr("process_start_time_seconds 0\n")));
}

}  // namespace
}  // namespace garam
