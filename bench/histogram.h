// A log-linear histogram: exact below 256 units, within 1/128 (0.8 %) above. The unit is the
// caller's; the load generator records microseconds.
//
// Threads:   one.
// Errors:    none: values below 0 count as 0, values above kMax as kMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace garam::bench {

class Histogram {
 public:
  static constexpr int64_t kMax = (int64_t{1} << 40) - 1;

  Histogram();

  void Record(int64_t value);
  void Merge(const Histogram& other);

  int64_t count() const { return count_; }
  int64_t min() const { return count_ == 0 ? 0 : min_; }
  int64_t max() const { return max_; }
  double Mean() const;
  // The smallest recorded-value bound that at least `percent` of the values do not exceed; the true
  // maximum for 100. 0 when empty.
  int64_t Percentile(double percent) const;

 private:
  static size_t BucketOf(int64_t value);
  // The largest value that falls into `bucket`.
  static int64_t UpperBound(size_t bucket);

  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  int64_t min_ = kMax;
  int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace garam::bench
