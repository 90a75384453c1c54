#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace garam::bench {
namespace {

// Values below 2^kLinearBits have a bucket each; every further power of two is cut into
// 2^(kLinearBits - 1) equal buckets.
constexpr int kLinearBits = 8;
constexpr int64_t kLinear = int64_t{1} << kLinearBits;
constexpr int64_t kHalf = kLinear / 2;
constexpr int kValueBits = 40;

}  // namespace

Histogram::Histogram()
    : buckets_(static_cast<size_t>(kLinear + (kValueBits - kLinearBits) * kHalf)) {}

size_t Histogram::BucketOf(int64_t value) {
  if (value < kLinear) return static_cast<size_t>(value);
  const int width = std::bit_width(static_cast<uint64_t>(value));
  const int shift = width - kLinearBits;
  // After the shift the value lies in [kHalf, kLinear).
  return static_cast<size_t>(kLinear + (shift - 1) * kHalf + ((value >> shift) - kHalf));
}

int64_t Histogram::UpperBound(size_t bucket) {
  const int64_t index = static_cast<int64_t>(bucket);
  if (index < kLinear) return index;
  const int64_t shift = (index - kLinear) / kHalf + 1;
  const int64_t slot = (index - kLinear) % kHalf + kHalf;
  return ((slot + 1) << shift) - 1;
}

void Histogram::Record(int64_t value) {
  value = std::clamp<int64_t>(value, 0, kMax);
  ++buckets_[BucketOf(value)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

int64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<int64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
  int64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= std::max<int64_t>(wanted, 1)) return std::clamp(UpperBound(i), min_, max_);
  }
  return max_;
}

}  // namespace garam::bench
