// Pairs when a record was produced with when a consumer saw it. Either may be heard of first: the
// consumer's fetch is often answered before the producer's request.
//
// Threads: one. Times are nanoseconds of any one monotonic clock.
#pragma once

#include <cstdint>
#include <map>

#include "bench/histogram.h"

namespace garam::bench {

class ArrivalMatcher {
 public:
  // The record at `offset` was meant to be sent at `intended_ns`.
  void OnProduced(int64_t offset, int64_t intended_ns) {
    const auto seen = seen_.find(offset);
    if (seen == seen_.end()) {
      produced_[offset] = intended_ns;
      return;
    }
    latency_us_.Record((seen->second - intended_ns) / 1000);
    seen_.erase(seen);
  }

  // The consumer got the records [first, end).
  void OnSeen(int64_t first, int64_t end, int64_t now_ns) {
    for (int64_t offset = first; offset < end; ++offset) {
      const auto produced = produced_.find(offset);
      if (produced == produced_.end()) {
        seen_[offset] = now_ns;
        continue;
      }
      latency_us_.Record((now_ns - produced->second) / 1000);
      produced_.erase(produced);
    }
  }

  const Histogram& latency_us() const { return latency_us_; }
  // Produced and not seen so far.
  size_t missing() const { return produced_.size(); }

 private:
  std::map<int64_t, int64_t> produced_;
  std::map<int64_t, int64_t> seen_;
  Histogram latency_us_;
};

}  // namespace garam::bench
