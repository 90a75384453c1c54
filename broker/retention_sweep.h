// Has every partition of this broker look, once in an interval, at what it need not keep; one after
// the other, so that many partitions do not all do so at once.
//
// Threads:   `home`, where it is made, started and stopped.
// Ownership: what Options refers to outlives it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "broker/data_partition.h"
#include "common/clock.h"
#include "common/executor.h"

namespace garam {

class RetentionSweep {
 public:
  struct Options {
    Executor& home;
    const Clock& clock;
    Duration every;
    std::function<Executor&(size_t shard)> executor;
    // Those that are open here.
    std::function<std::vector<std::shared_ptr<DataPartition>>()> partitions;
  };

  explicit RetentionSweep(Options options) : options_(std::move(options)) {}

  // Who starts has better things to do: the first sweep begins half a minute later, or sooner where
  // they follow each other sooner.
  void Start();
  void Stop();

 private:
  void Arm(MonoTime when);
  void Step();
  void Visit(const std::weak_ptr<DataPartition>& partition) const;

  const Options options_;
  std::vector<std::weak_ptr<DataPartition>> sweep_;
  size_t next_ = 0;  // Into sweep_; its end: another sweep begins.
  MonoTime began_;
  TimerId timer_ = kNoTimer;
};

}  // namespace garam
