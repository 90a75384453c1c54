// A token bucket, as Kafka counts changes of topics (KIP-599): tokens come at a rate until there
// are as many as the bucket holds. Who takes more than there are owes the rest. Pure; time is
// passed in and never goes back.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "common/clock.h"

namespace garam {

class TokenBucket {
 public:
  struct Shape {
    double per_second = 0;  // Above 0.
    double most = 0;        // What it holds, and has at first.
  };

  // Below 0: so many are owed. `shape` may have changed since the last call.
  double Tokens(const Shape& shape, MonoTime now) {
    if (!filled_at_) tokens_ = shape.most;
    const double seconds = std::chrono::duration<double>(now - filled_at_.value_or(now)).count();
    tokens_ = std::min(shape.most, tokens_ + seconds * shape.per_second);
    filled_at_ = now;
    return tokens_;
  }
  void Take(const Shape& shape, double count, MonoTime now) {
    tokens_ = Tokens(shape, now) - count;
    full_at_ = now + After(shape, shape.most - tokens_);
  }
  // How long until nothing is owed.
  Duration Owed(const Shape& shape, MonoTime now) {
    return After(shape, std::max(0.0, -Tokens(shape, now)));
  }
  // It is as good as a new one.
  bool IsFull(MonoTime now) const { return now >= full_at_; }

 private:
  static Duration After(const Shape& shape, double tokens) {
    constexpr double kSecondsMax = 1e6;
    const std::chrono::duration<double> wait(std::min(tokens / shape.per_second, kSecondsMax));
    return std::chrono::duration_cast<Duration>(wait);
  }

  double tokens_ = 0;
  std::optional<MonoTime> filled_at_;
  MonoTime full_at_;
};

}  // namespace garam
