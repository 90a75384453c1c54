// What the broker tells Prometheus: counters, gauges and histograms that cost one relaxed atomic
// operation to move, and sources that are asked when somebody scrapes.
//
// Threads:   any, all members. Sources are called on the scraper's thread.
// Ownership: Metrics owns the instruments it hands out; what a source refers to must outlive the
//            last scrape.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace garam {

using MetricLabels = std::map<std::string, std::string>;

// Only ever grows.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Counts observations in buckets with fixed upper bounds. A scrape may catch one observation in a
// bucket and not yet in the sum.
class Histogram {
 public:
  // `bounds` ascend; a last bucket without bound is added.
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  uint64_t count_in(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  const std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

// Takes the values of one scrape. Series of one name must have one kind and one help.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void Counter(std::string_view name, std::string_view help, const MetricLabels& labels,
                       double value) = 0;
  virtual void Gauge(std::string_view name, std::string_view help, const MetricLabels& labels,
                     double value) = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The instruments live as long as this object.
  Counter& AddCounter(std::string name, std::string help, MetricLabels labels = {});
  Gauge& AddGauge(std::string name, std::string help, MetricLabels labels = {});
  Histogram& AddHistogram(std::string name, std::string help, std::vector<double> bounds,
                          MetricLabels labels = {});
  void AddSource(std::function<void(MetricSink&)> source);

  // Prometheus' text exposition format, by name; the content type is kContentType.
  std::string Scrape() const;
  static constexpr char kContentType[] = "text/plain; version=0.0.4; charset=utf-8";

 private:
  class Families;
  template <class Instrument>
  struct Series {
    std::string name;
    std::string help;
    MetricLabels labels;
    std::unique_ptr<Instrument> instrument;
  };

  mutable std::mutex mutex_;  // Guards the lists, not the instruments.
  std::vector<Series<Counter>> counters_;
  std::vector<Series<Gauge>> gauges_;
  std::vector<Series<Histogram>> histograms_;
  std::vector<std::function<void(MetricSink&)>> sources_;
};

// What every process tells: CPU seconds, resident memory, open files, start time.
void CollectProcessMetrics(MetricSink& sink);

}  // namespace garam
