#include "coordinator/reassignment.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/metadata_codec.h"
#include "proto/metadata.pb.h"

namespace garam {
namespace {

bool SameSet(std::vector<ReplicaImage> a, std::vector<ReplicaImage> b) {
  auto less = [](const ReplicaImage& x, const ReplicaImage& y) {
    return std::pair(x.node, x.incarnation.value()) < std::pair(y.node, y.incarnation.value());
  };
  std::sort(a.begin(), a.end(), less);
  std::sort(b.begin(), b.end(), less);
  return a == b;
}

std::string ChangeCommand(GroupId group, const std::vector<ReplicaImage>& replicas,
                          const std::vector<ReplicaImage>& target,
                          const std::vector<ReplicaImage>& leaving = {}) {
  metadata::Command command = NewCommand();
  metadata::ChangeReplicas& change = *command.mutable_change_replicas();
  change.set_group(group.value());
  *change.mutable_replicas() = ToProto(replicas);
  *change.mutable_target() = ToProto(target);
  *change.mutable_leaving() = ToProto(leaving);
  return command.SerializeAsString();
}

// Towards `wanted`; whoever was a target before stays until its group is known not to have it.
std::string Redirect(const PartitionImage& partition, const std::vector<ReplicaImage>& wanted) {
  std::vector<ReplicaImage> leaving;
  for (const std::vector<ReplicaImage>* before : {&partition.target, &partition.leaving}) {
    for (const ReplicaImage& replica : *before) {
      const PartitionImage after{
          .replicas = partition.replicas, .target = wanted, .leaving = leaving};
      if (after.Find(replica.node, replica.incarnation) == nullptr) leaving.push_back(replica);
    }
  }
  return ChangeCommand(partition.group, partition.replicas, wanted, leaving);
}

absl::StatusOr<std::vector<ReplicaImage>> Resolve(const MetadataImage& image,
                                                  const PartitionImage& partition,
                                                  const std::vector<NodeId>& nodes) {
  if (nodes.empty()) {
    return MakeError(Errc::kInvalidReplicaAssignment,
                     "The manual partition assignment includes an empty replica list.");
  }
  std::vector<ReplicaImage> replicas;
  std::set<NodeId> seen;
  for (NodeId node : nodes) {
    if (!seen.insert(node).second) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       absl::StrCat("The manual partition assignment includes the broker ",
                                    node.value(), " more than once."));
    }
    const BrokerImage* broker = image.FindBroker(node);
    if (broker == nullptr) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       absl::StrCat("The manual partition assignment includes broker ",
                                    node.value(), ", but no such broker is registered."));
    }
    const ReplicaImage* known = partition.Find(node, broker->incarnation);
    replicas.push_back(known != nullptr ? *known : ReplicaImage{node, broker->incarnation});
  }
  return replicas;
}

}  // namespace

absl::StatusOr<std::string> PlanMove(const MetadataImage& image, const MoveSpec& spec) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(spec.topic);
  const PartitionImage* found = topic == nullptr ? nullptr : topic->Find(spec.partition);
  if (found == nullptr) {
    return MakeError(
        Errc::kUnknownTopic,
        topic == nullptr
            ? absl::StrCat("Unable to find a topic named ", spec.topic, ".")
            : absl::StrCat("Unable to find partition ", spec.topic, ":", spec.partition, "."));
  }
  const PartitionImage& partition = *found;
  if (spec.leadership_only) {  // A wish for what is wished already; see DataPartition::SetWanted.
    return ChangeCommand(partition.group, partition.replicas, partition.target, partition.leaving);
  }
  if (!spec.replicas) {
    if (partition.target.empty()) {
      return MakeError(Errc::kNoReassignment, "No partition reassignment is in progress.");
    }
    // Newcomers may be in the group by now: its leader has to let them go.
    return Redirect(partition, partition.replicas);
  }
  ASSIGN_OR_RETURN(const std::vector<ReplicaImage> wanted,
                   Resolve(image, partition, *spec.replicas));
  if (partition.target.empty()) {
    if (wanted == partition.replicas) return std::string();
    // Another order alone is another preferred leader, and moves nothing.
    if (SameSet(wanted, partition.replicas)) return ChangeCommand(partition.group, wanted, {});
  } else if (wanted == partition.target) {
    return std::string();
  }
  return Redirect(partition, wanted);
}

std::string PlanMembersReached(const MetadataImage& image, GroupId group, LogIndex wish) {
  const GroupPlace* place = image.FindGroup(group);
  if (place == nullptr) return "";
  const PartitionImage& partition = place->image();
  if (partition.target.empty() || partition.wish != wish) return "";
  return ChangeCommand(group, partition.target, {});
}

}  // namespace garam
