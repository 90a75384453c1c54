// Partitions that are to come to a topic: what is checked of them, and what the controller makes of
// a request for more. Pure.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/random.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_image.h"

namespace garam {

// A topic that is to have more partitions.
struct MorePartitionsSpec {
  std::string topic{};
  int32_t count = 0;  // With those it has.
  // The replicas of each new one, where the client chose them itself.
  std::optional<std::vector<std::vector<NodeId>>> assignments{};
  friend bool operator==(const MorePartitionsSpec&, const MorePartitionsSpec&) = default;
};

// The command for group 0's log. kUnknownTopic, kInvalidPartitions when it would not be an increase
// or too much of one, kInvalidReplicaAssignment, kInvalidReplicationFactor.
absl::StatusOr<std::string> PlanMorePartitions(const MetadataImage& image,
                                               const std::set<NodeId>& live,
                                               const ControllerDefaults& defaults,
                                               const MorePartitionsSpec& spec, Random& random);

// Replicas that a client chose for a new partition: registered, each once, one of them alive.
absl::Status CheckManualReplicas(const MetadataImage& image, const std::set<NodeId>& live,
                                 int32_t partition, const std::vector<NodeId>& replicas);
// All partitions of a topic have as many replicas.
absl::Status CheckSameFactor(size_t replicas, size_t before);
// Whether there may be `partitions` more; `planned`: those of the same request before them.
absl::Status CheckPartitionLimits(const MetadataImage& image, const ControllerDefaults& defaults,
                                  int64_t planned, int64_t partitions);

}  // namespace garam
