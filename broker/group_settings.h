// How groups are coordinated, as the configuration says.
#pragma once

#include <cstdint>
#include <optional>

#include "coordinator/groups/group_types.h"

namespace garam {

struct GroupSettings {
  GroupLimits limits{};
  Duration commit_timeout = Millis(5000);  // offsets.commit.timeout.ms
  Duration expiry_check_every = std::chrono::minutes(10);
  // Of __consumer_offsets, when it is made; no replication factor: as any topic's.
  int32_t partitions = 50;
  std::optional<int32_t> replication_factor{};
};

}  // namespace garam
