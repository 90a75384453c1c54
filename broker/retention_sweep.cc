#include "broker/retention_sweep.h"

#include <algorithm>
#include <utility>

namespace garam {
namespace {

constexpr Duration kStart = Millis(30'000);

}  // namespace

void RetentionSweep::Start() { Arm(options_.clock.Mono() + std::min(kStart, options_.every)); }

void RetentionSweep::Stop() { options_.home.Cancel(std::exchange(timer_, kNoTimer)); }

void RetentionSweep::Arm(MonoTime when) {
  timer_ = options_.home.PostAt(when, [this] {
    timer_ = kNoTimer;
    Step();
  });
}

void RetentionSweep::Step() {
  if (next_ == sweep_.size()) {
    const std::vector<std::shared_ptr<DataPartition>> partitions = options_.partitions();
    sweep_.assign(partitions.begin(), partitions.end());
    next_ = 0;
    began_ = options_.clock.Mono();
  }
  if (sweep_.empty()) return Arm(began_ + options_.every);
  Visit(sweep_[next_++]);
  Arm(began_ + options_.every / static_cast<Duration::rep>(sweep_.size()) *
                   static_cast<Duration::rep>(next_));
}

void RetentionSweep::Visit(const std::weak_ptr<DataPartition>& partition) const {
  std::shared_ptr<DataPartition> here = partition.lock();
  if (here == nullptr) return;
  options_.executor(here->shard()).Post([here] { here->ApplyRetention(); });
}

}  // namespace garam
