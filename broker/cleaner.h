// Sees to it that the partitions of this broker are compacted: asks all that want it how dirty they
// are, has the dirtiest ones cleaned, a few at a time, and rests while there is nothing to do. Each
// replica is compacted where it is (design decision D14); nobody waits for the others.
//
// Threads:   `home`, where it is made, started and stopped.
// Ownership: what Options refers to outlives it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/cleaner_settings.h"
#include "broker/data_partition.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/random.h"

namespace garam {

// What compaction has done since the start. Any thread.
struct CleanerCounts {
  std::atomic<uint64_t> passes{0};
  std::atomic<uint64_t> failures{0};
  std::atomic<uint64_t> bytes_read{0};
  std::atomic<uint64_t> bytes_written{0};
  std::atomic<uint64_t> records_dropped{0};
};

class Cleaner {
 public:
  struct Options {
    Executor& home;
    const Clock& clock;
    Random& random;  // Secrets that keys are hashed under.
    CleanerSettings settings;
    CleanerCounts& counts;
    std::function<Executor&(size_t shard)> executor;
    // Those that are open here.
    std::function<std::vector<std::shared_ptr<DataPartition>>()> partitions;
  };

  explicit Cleaner(Options options) : options_(std::move(options)) {}

  void Start() { Arm(options_.settings.backoff); }
  // Nothing more is begun; a pass that is under way ends with its partition.
  void Stop();

 private:
  using PartitionPtr = std::shared_ptr<DataPartition>;
  struct Offered {
    PartitionPtr partition;
    storage::CleaningChoice choice;
  };

  void Arm(Duration wait);
  void Look();
  void OnOffer(const PartitionPtr& partition, const std::optional<storage::CleaningChoice>& choice);
  void Choose();
  void Clean(const PartitionPtr& partition);
  void OnCleaned(GroupId group, const std::string& name,
                 const absl::StatusOr<CompactionDone>& done);

  const Options options_;
  TimerId timer_ = kNoTimer;
  size_t unheard_ = 0;  // Partitions that have been asked and did not answer yet.
  std::vector<Offered> offered_;
  std::set<GroupId> under_way_;
  std::map<GroupId, MonoTime> held_back_;  // After an error, until then.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
