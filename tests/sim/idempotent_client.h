// A client of the simulation that produces to one partition with sequences (KIP-98): a few batches
// under way at once, each sent again, in order, until it is acknowledged.
//
// Threads: the world's one. Ownership: what it is given outlives it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "absl/status/statusor.h"
#include "broker/partition.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

namespace garam::sim {

class IdempotentClient {
 public:
  struct Answer {
    GroupId group;
    absl::StatusOr<ProduceResult> result;
  };
  using Done = std::function<void(const Answer& answer)>;
  // To whoever is believed to lead; what is lost is not answered.
  using Send = std::function<void(Bytes batch, Done done)>;

  struct Options {
    int64_t producer_id = 0;
    Duration every = Millis(10);
    int min_isr = 1;
    // Then it sometimes rests for about so long, and has one batch under way at most; 0: never.
    Duration forgotten_after = Duration(0);
    std::function<uint64_t()> next_value;
    Send send;
  };

  IdempotentClient(World& world, Oracle& oracle, Options options)
      : world_(world), oracle_(oracle), options_(std::move(options)) {}

  void Start() { KeepSending(); }
  // Nothing new begins; what is under way is still sent again.
  void Stop() { stopped_ = true; }
  // Whether all that was begun is acknowledged.
  bool settled() const { return unacked_.empty(); }

 private:
  struct Unacked {
    int32_t sequence;
    uint64_t value;
    int64_t timestamp_ms;
  };

  void KeepSending();
  bool MayBegin();
  void SendOne(const Unacked& batch);
  void Take(const Unacked& batch, bool next, const Answer& answer);

  World& world_;
  Oracle& oracle_;
  const Options options_;
  bool stopped_ = false;
  MonoTime rests_until_;
  int32_t next_sequence_ = 0;
  std::deque<Unacked> unacked_;
  MonoTime send_again_at_;
};

}  // namespace garam::sim
