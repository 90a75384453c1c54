// What idempotence costs a leader: `producers-bench [BATCHES]` takes batches through everything
// that is kept of their producers (the check, the proposal, the log's own account of it, the
// commit), in turns with batches that have no producer, and says how many nanoseconds a batch the
// difference is; and how much memory the producers take.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "broker/producer_state.h"

namespace garam {
namespace {

constexpr int kRounds = 9;
constexpr int64_t kBatchesOfATurn = 8;  // That are proposed, and then written, together.

// Producers that take turns, a record each time.
class Load {
 public:
  explicit Load(int64_t producers) : producers_(producers) {}

  // Nanoseconds a batch.
  double Run(bool idempotent, int64_t batches) {
    const auto began = std::chrono::steady_clock::now();
    for (int64_t done = 0; done < batches; done += kBatchesOfATurn) Turn(idempotent);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    return took.count() / static_cast<double>(batches);
  }
  const ProducerState& state() const { return state_; }

 private:
  void Turn(bool idempotent) {
    std::array<ProducerBatch, kBatchesOfATurn> turn;
    const LogIndex first = next_;
    for (ProducerBatch& batch : turn) {
      if (idempotent) {
        batch.producer_id = sent_ % producers_;
        batch.epoch = 0;
        batch.base_sequence = static_cast<int32_t>(sent_ / producers_);
        ++sent_;
      }
      batch.base_offset = Offset(next_.value());
      batch.timestamp_ms = next_.value();
      const auto verdict = state_.Check(batch);
      if (!verdict.ok() || verdict->has_value()) Fail();
      state_.Apply(next_, batch);
      next_ = next_ + 1;
    }
    for (int64_t i = 0; i < kBatchesOfATurn; ++i) {
      if (!state_.Has(first + i, turn[i])) Fail();
    }
    state_.Committed(next_ - 1);
  }
  [[noreturn]] static void Fail() {
    std::fprintf(stderr, "a batch in order is refused\n");
    std::exit(1);
  }

  const int64_t producers_;
  ProducerState state_;
  LogIndex next_{1};
  int64_t sent_ = 0;
};

void Measure(int64_t producers, int64_t batches) {
  Load load(producers);
  load.Run(true, std::max(batches, producers));  // All of them are known.
  std::vector<double> costs;
  for (int round = 0; round < kRounds; ++round) {
    const double without = load.Run(false, batches);
    costs.push_back(load.Run(true, batches) - without);
  }
  std::sort(costs.begin(), costs.end());
  std::printf("%7lld producers: %4.0f ns a batch [%.0f..%.0f], %.1f MiB\n",
              static_cast<long long>(producers), costs[kRounds / 2], costs.front(), costs.back(),
              static_cast<double>(load.state().memory_bytes()) / (1 << 20));
}

}  // namespace
}  // namespace garam

int main(int argc, char** argv) {
  const int64_t batches = argc > 1 ? std::atoll(argv[1]) : 400'000;
  for (const int64_t producers : {1, 10, 1000, 100'000}) garam::Measure(producers, batches);
}
