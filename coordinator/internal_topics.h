// Internal topics follow the number of brokers (design decision D4): what was made while there were
// few gets replicas on those that come later. Pure; the moves are ordinary ones
// (coordinator/reassignment.h).
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "common/ids.h"
#include "common/random.h"
#include "coordinator/metadata_image.h"
#include "coordinator/reassignment.h"

namespace garam {

// Partitions of internal topics that move at once: each has newcomers that read all of it.
inline constexpr size_t kRaisedAtOnceMax = 10;

// The moves that give partitions of internal topics more replicas, up to `wanted` each, on live
// brokers, spread as those of a new topic. Only where a majority survives more brokers than before:
// a second replica is one more that must not die. Nothing for partitions that are on their way.
std::vector<MoveSpec> PlanRaise(const MetadataImage& image, const std::set<NodeId>& live,
                                int32_t wanted, Random& random);

}  // namespace garam
