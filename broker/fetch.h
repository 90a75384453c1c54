// One fetch over many partitions, which may live on several shards (design.md D8).
//
// Each shard gets one sub-wait: it counts what its partitions have, watches them, and posts to the
// fetch's own shard at most one message at a time: how many bytes there are, and whether
// something is urgent (an error, a lost leadership, a deletion). When `min_bytes` have come
// together, something is urgent, or the deadline has passed, everything is read once. Nothing
// polls.
//
// Threads:   Start and Cancel on the fetch's shard ("home"); each sub-wait on its own shard.
// Ownership: the caller keeps it until `done` or Cancel. The executors must outlive it.
// Errors:    per partition, in its result.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/partition.h"
#include "common/clock.h"
#include "common/executor.h"

namespace garam {

// One partition of a fetch. An error in `partition` is its result.
struct FetchItem {
  absl::StatusOr<std::shared_ptr<Partition>> partition;
  ReadSpec spec;  // `bytes_max` is the partition's own limit.
};

struct FetchPlan {
  std::vector<FetchItem> items;  // In the order in which they get their share of `bytes_max`.
  size_t bytes_min = 1;
  size_t bytes_max = 0;
  MonoTime deadline;
};

class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  using Results = std::vector<absl::StatusOr<ReadResult>>;  // As the plan's items, in order.
  using Done = absl::AnyInvocable<void(Results) &&>;
  using ExecutorOf = std::function<Executor&(size_t shard)>;

  // `done` runs once, on shard `home`, perhaps before Start returns.
  static std::shared_ptr<Fetch> Start(ExecutorOf executors, size_t home, const Clock& clock,
                                      FetchPlan plan, Done done);

  // Gives up: `done` is destroyed without being called.
  void Cancel();

  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

 private:
  class SubWait;
  struct Report {
    std::vector<size_t> bytes;  // As the sub-wait's items.
    bool urgent = false;
  };
  enum class Phase { kCounting, kWaiting, kReading, kOver };

  Fetch(ExecutorOf executors, size_t home, FetchPlan plan, Done done);

  void Begin(const Clock& clock);
  void OnReport(size_t sub_wait, Report report);
  void Collect();
  void OnRead(size_t item, absl::StatusOr<ReadResult> result);
  void Finish();
  void StartTimer();
  void CancelTimer();

  const ExecutorOf executors_;
  const size_t home_;
  FetchPlan plan_;
  Done done_;

  Phase phase_ = Phase::kCounting;
  std::vector<std::shared_ptr<SubWait>> sub_waits_;
  size_t reports_missing_ = 0;
  std::vector<size_t> available_;  // By item: bytes, as last reported.
  bool urgent_ = false;
  TimerId timer_ = kNoTimer;
  Results results_;
  size_t reads_missing_ = 0;
};

}  // namespace garam
