// Reads what nobody reads: all logs of this broker, slowly, so that a replica whose disk
// has rotted is found while others still have what it lost. The replicas themselves see to the rest
// (storage::LogObserver::OnDamaged).
//
// Threads:   `home`, where it is made, started and stopped.
// Ownership: what Options refers to outlives it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/data_partition.h"
#include "broker/scrub_schedule.h"
#include "common/clock.h"
#include "common/executor.h"
#include "storage/log.h"

namespace garam {

class Scrubber {
 public:
  struct Options {
    Executor& home;
    const Clock& clock;
    ScrubSchedule::Options schedule;
    std::function<Executor&(size_t shard)> executor;
    // Those that are open here, by group.
    std::function<std::vector<std::shared_ptr<DataPartition>>()> partitions;
  };

  explicit Scrubber(Options options);

  void Start() { Arm(); }
  // Nothing more is read; a step that is under way ends unheard.
  void Stop();

 private:
  void Arm();
  void Step();
  void Check(const std::shared_ptr<DataPartition>& partition, const ScrubSchedule::Step& step);
  void OnChecked(const absl::StatusOr<storage::LogCheck>& check);

  const Options options_;
  ScrubSchedule schedule_;
  TimerId timer_ = kNoTimer;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
