#include "coordinator/new_partitions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/metadata_codec.h"
#include "coordinator/placement.h"

namespace garam {
namespace {

using Replicas = std::vector<std::vector<NodeId>>;  // Of each partition.

absl::Status CheckCount(const TopicImage& topic, int32_t count) {
  const auto has = static_cast<int32_t>(topic.partitions.size());
  if (count == has) {
    return MakeError(Errc::kInvalidPartitions,
                     absl::StrCat("Topic already has ", has, " partition(s)."));
  }
  if (count < has) {
    return MakeError(Errc::kInvalidPartitions,
                     absl::StrCat("The topic ", topic.name, " currently has ", has,
                                  " partition(s); ", count, " would not be an increase."));
  }
  // A group is found by the hash of its name over the partitions of this topic.
  if (topic.internal()) {
    return MakeError(Errc::kInvalidPartitions,
                     absl::StrCat("The number of partitions of ", topic.name,
                                  " cannot change: what is kept there is found by it."));
  }
  return absl::OkStatus();
}

absl::StatusOr<Replicas> CheckChosen(const MetadataImage& image, const std::set<NodeId>& live,
                                     const TopicImage& topic, size_t additional,
                                     const Replicas& assignments) {
  if (assignments.size() != additional) {
    return MakeError(Errc::kInvalidReplicaAssignment,
                     absl::StrCat("Attempted to add ", additional, " additional partition(s), but ",
                                  "only ", assignments.size(), " assignment(s) were specified."));
  }
  auto partition = static_cast<int32_t>(topic.partitions.size());
  for (const std::vector<NodeId>& replicas : assignments) {
    RETURN_IF_ERROR(CheckManualReplicas(image, live, partition++, replicas));
    RETURN_IF_ERROR(CheckSameFactor(replicas.size(), topic.partitions.front().replicas.size()));
  }
  return assignments;
}

absl::StatusOr<Replicas> Place(const MetadataImage& image, const std::set<NodeId>& live,
                               const TopicImage& topic, size_t additional, Random& random) {
  Placement placement(image, live, random);
  const size_t replicas = topic.partitions.front().replicas.size();
  if (replicas > placement.broker_count()) {
    return MakeError(Errc::kInvalidReplicationFactor,
                     absl::StrCat("Unable to replicate the partition ", replicas,
                                  " time(s): The target replication factor of ", replicas,
                                  " cannot be reached because only ", placement.broker_count(),
                                  " broker(s) are registered."));
  }
  return placement.PlaceMore(topic, static_cast<int32_t>(additional),
                             static_cast<int32_t>(replicas));
}

std::string Command(const MetadataImage& image, const TopicImage& topic, const Replicas& replicas) {
  std::vector<PartitionImage> added;
  GroupId group = image.next_group();
  for (const std::vector<NodeId>& nodes : replicas) {
    PartitionImage& partition = added.emplace_back();
    partition.group = group;
    ++group;
    for (NodeId node : nodes) {
      partition.replicas.push_back(
          {.node = node, .incarnation = image.FindBroker(node)->incarnation});
    }
  }
  metadata::Command command = NewCommand();
  command.mutable_add_partitions()->set_id(std::string(topic.id.raw()));
  *command.mutable_add_partitions()->mutable_partitions() = ToProto(added);
  return command.SerializeAsString();
}

}  // namespace

absl::StatusOr<std::string> PlanMorePartitions(const MetadataImage& image,
                                               const std::set<NodeId>& live,
                                               const ControllerDefaults& defaults,
                                               const MorePartitionsSpec& spec, Random& random) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(spec.topic);
  if (topic == nullptr) {
    return MakeError(Errc::kUnknownTopic,
                     absl::StrCat("The topic '", spec.topic, "' does not exist."));
  }
  RETURN_IF_ERROR(CheckCount(*topic, spec.count));
  const size_t additional = static_cast<size_t>(spec.count) - topic->partitions.size();
  RETURN_IF_ERROR(
      CheckPartitionLimits(image, defaults, /*planned=*/0, static_cast<int64_t>(additional)));
  absl::StatusOr<Replicas> replicas =
      spec.assignments.has_value() ? CheckChosen(image, live, *topic, additional, *spec.assignments)
                                   : Place(image, live, *topic, additional, random);
  RETURN_IF_ERROR(replicas.status());
  return Command(image, *topic, *replicas);
}

absl::Status CheckManualReplicas(const MetadataImage& image, const std::set<NodeId>& live,
                                 int32_t partition, const std::vector<NodeId>& replicas) {
  if (replicas.empty()) {
    return MakeError(Errc::kInvalidReplicaAssignment,
                     "The manual partition assignment includes an empty replica list.");
  }
  std::set<NodeId> seen;
  for (NodeId node : replicas) {
    if (image.FindBroker(node) == nullptr) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       absl::StrCat("The manual partition assignment includes broker ",
                                    node.value(), ", but no such broker is registered."));
    }
    if (!seen.insert(node).second) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       absl::StrCat("The manual partition assignment includes the broker ",
                                    node.value(), " more than once."));
    }
  }
  if (std::none_of(replicas.begin(), replicas.end(),
                   [&](NodeId node) { return live.contains(node); })) {
    return MakeError(Errc::kInvalidReplicaAssignment,
                     absl::StrCat("All brokers specified in the manual partition assignment for "
                                  "partition ",
                                  partition, " are fenced or in controlled shutdown."));
  }
  return absl::OkStatus();
}

absl::Status CheckSameFactor(size_t replicas, size_t before) {
  if (replicas == before) return absl::OkStatus();
  return MakeError(
      Errc::kInvalidReplicaAssignment,
      absl::StrCat("The manual partition assignment includes a partition with ", replicas,
                   " replica(s), but this is not consistent with previous partitions, which have ",
                   before, " replica(s)."));
}

absl::Status CheckPartitionLimits(const MetadataImage& image, const ControllerDefaults& defaults,
                                  int64_t planned, int64_t partitions) {
  if (planned + partitions > defaults.partitions_per_request_max) {
    return MakeError(Errc::kInvalidPartitions,
                     absl::StrCat("Excessively large number of partitions per request: the limit "
                                  "is ",
                                  defaults.partitions_per_request_max));
  }
  const auto existing = static_cast<int64_t>(image.partition_count());
  if (existing + partitions > defaults.partitions_per_cluster_max) {
    return MakeError(Errc::kInvalidPartitions,
                     absl::StrCat("The cluster has ", existing, " partitions and takes at most ",
                                  defaults.partitions_per_cluster_max));
  }
  return absl::OkStatus();
}

}  // namespace garam
