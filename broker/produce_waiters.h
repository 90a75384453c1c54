// The produces of one partition whose answer is not known yet.
//
// Pure but for the completions it calls: time, positions and the leader's fate are passed in.
// Threads: the partition's shard. Completions may call back into the partition; every waiter is
// taken out of the lists before its completion runs.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "broker/partition.h"
#include "common/clock.h"
#include "common/ids.h"

namespace garam {

class ProduceWaiters {
 public:
  struct Waiter {
    LogIndex index;
    MonoTime deadline;
    ProduceResult result;
    ProduceDone done;
  };

  void AddLeader(Waiter waiter) { leader_.push_back(std::move(waiter)); }
  void AddAll(Waiter waiter) { all_.push_back(std::move(waiter)); }

  // acks=1: the leader itself has everything up to `own`.
  void LeaderHas(LogIndex own);
  // acks=all: committed up to `commit`, and `enough(index)` says whether the minimum of the ISR has
  // an index; it is monotonic: what does not hold for an index does not hold for a later one.
  void Committed(LogIndex commit, const std::function<bool(LogIndex)>& enough);

  // Ends every waiter, or every acks=all waiter, with `reason`.
  void FailEverything(const absl::Status& reason);
  void FailAll(const absl::Status& reason);
  // Ends those whose deadline has passed: the record may still commit.
  void Expire(MonoTime now);

  std::optional<MonoTime> NextDeadline() const;
  bool empty() const { return leader_.empty() && all_.empty(); }

 private:
  std::deque<Waiter> leader_;  // Both in log order.
  std::deque<Waiter> all_;
};

}  // namespace garam
