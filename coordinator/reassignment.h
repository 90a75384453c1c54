// Where the replicas of a partition are to be: what the controller makes of a request to move them,
// and of a leader's word that they are there. Pure.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "coordinator/metadata_image.h"

namespace garam {

// One partition that somebody wants moved; without `replicas`, a move that is to be undone, or
// nothing to be moved at all but the leadership, to the first replica.
struct MoveSpec {
  std::string topic{};
  int32_t partition = 0;
  std::optional<std::vector<NodeId>> replicas{};
  bool leadership_only = false;
  friend bool operator==(const MoveSpec&, const MoveSpec&) = default;
};

// The command for group 0's log; empty when all is so already. kUnknownTopic,
// kInvalidReplicaAssignment, kNoReassignment.
absl::StatusOr<std::string> PlanMove(const MetadataImage& image, const MoveSpec& spec);

// The leader of `group` says that what `wish` wanted is so. The command that ends the move; empty
// when another one has been made since, or none is under way.
std::string PlanMembersReached(const MetadataImage& image, GroupId group, LogIndex wish);

}  // namespace garam
