// Emptying a broker: which moves take every partition off it, so that it can be unregistered with
// nothing lost, and how far that is. Pure; the moves are ordinary ones
// (coordinator/reassignment.h).
//
// Threads: any. Errors: Errc in Status, in a sentence that says what to do.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/random.h"
#include "coordinator/metadata_image.h"
#include "coordinator/reassignment.h"

namespace garam {

// The moves that give each partition of `node` to another broker, spread over the live ones and
// over racks, on top of what each has already; where `node` was the preferred leader, the one of
// the others that leads least is. Nothing for partitions that are on their way off it already, so
// asking again goes on where an earlier answer was lost.
// kBrokerIdNotRegistered: no such broker, and no replica of it; kInvalidReplicationFactor: a
// partition has as many replicas as there are brokers to take them.
absl::StatusOr<std::vector<MoveSpec>> PlanDrain(const MetadataImage& image,
                                                const std::set<NodeId>& live, NodeId node,
                                                Random& random);

// What a broker has left.
struct BrokerLoad {
  size_t partitions = 0;  // That have a replica on it, or are on their way to it or off it.
  size_t leaving = 0;     // Of those: on their way off it.

  friend bool operator==(const BrokerLoad&, const BrokerLoad&) = default;
};
BrokerLoad LoadOf(const MetadataImage& image, NodeId node);

}  // namespace garam
