#include "common/metrics.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace garam {
namespace {

prometheus::ClientMetric Labelled(const MetricLabels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

prometheus::ClientMetric Collected(const Histogram& histogram, const MetricLabels& labels) {
  prometheus::ClientMetric metric = Labelled(labels);
  uint64_t cumulative = 0;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) {
    cumulative += histogram.count_in(i);
    const double bound = i < histogram.bounds().size() ? histogram.bounds()[i]
                                                       : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({.cumulative_count = cumulative, .upper_bound = bound});
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = histogram.sum();
  return metric;
}

}  // namespace

// Gathers the series of one scrape by name.
class Metrics::Families final : public MetricSink {
 public:
  void Counter(std::string_view name, std::string_view help, const MetricLabels& labels,
               double value) override {
    prometheus::ClientMetric metric = Labelled(labels);
    metric.counter.value = value;
    Add(name, help, prometheus::MetricType::Counter, std::move(metric));
  }

  void Gauge(std::string_view name, std::string_view help, const MetricLabels& labels,
             double value) override {
    prometheus::ClientMetric metric = Labelled(labels);
    metric.gauge.value = value;
    Add(name, help, prometheus::MetricType::Gauge, std::move(metric));
  }

  void Add(std::string_view name, std::string_view help, prometheus::MetricType type,
           prometheus::ClientMetric metric) {
    prometheus::MetricFamily& family = families_[std::string(name)];
    if (family.metric.empty()) {
      family.name = std::string(name);
      family.help = std::string(help);
      family.type = type;
    }
    family.metric.push_back(std::move(metric));
  }

  std::string Text() const {
    std::vector<prometheus::MetricFamily> families;
    families.reserve(families_.size());
    for (const auto& [name, family] : families_) families.push_back(family);
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  std::map<std::string, prometheus::MetricFamily> families_;
};

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<uint64_t>[bounds_.size() + 1]()) {}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Counter& Metrics::AddCounter(std::string name, std::string help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  counters_.push_back(
      {std::move(name), std::move(help), std::move(labels), std::make_unique<Counter>()});
  return *counters_.back().instrument;
}

Gauge& Metrics::AddGauge(std::string name, std::string help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  gauges_.push_back(
      {std::move(name), std::move(help), std::move(labels), std::make_unique<Gauge>()});
  return *gauges_.back().instrument;
}

Histogram& Metrics::AddHistogram(std::string name, std::string help, std::vector<double> bounds,
                                 MetricLabels labels) {
  std::lock_guard lock(mutex_);
  histograms_.push_back({std::move(name), std::move(help), std::move(labels),
                         std::make_unique<Histogram>(std::move(bounds))});
  return *histograms_.back().instrument;
}

void Metrics::AddSource(std::function<void(MetricSink&)> source) {
  std::lock_guard lock(mutex_);
  sources_.push_back(std::move(source));
}

std::string Metrics::Scrape() const {
  Families families;
  std::vector<std::function<void(MetricSink&)>> sources;
  {
    std::lock_guard lock(mutex_);
    for (const auto& series : counters_) {
      families.Counter(series.name, series.help, series.labels,
                       static_cast<double>(series.instrument->value()));
    }
    for (const auto& series : gauges_) {
      families.Gauge(series.name, series.help, series.labels,
                     static_cast<double>(series.instrument->value()));
    }
    for (const auto& series : histograms_) {
      families.Add(series.name, series.help, prometheus::MetricType::Histogram,
                   Collected(*series.instrument, series.labels));
    }
    sources = sources_;
  }
  // Outside the lock: a source may take its time, or add an instrument.
  for (const auto& source : sources) source(families);
  return families.Text();
}

}  // namespace garam
