#include "coordinator/drain.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/placement.h"

namespace garam {
namespace {

bool Has(const std::vector<ReplicaImage>& replicas, NodeId node) {
  return std::any_of(replicas.begin(), replicas.end(),
                     [node](const ReplicaImage& replica) { return replica.node == node; });
}

size_t OthersAlive(const MetadataImage& image, const std::set<NodeId>& live, NodeId node) {
  return static_cast<size_t>(std::count_if(
      image.brokers().begin(), image.brokers().end(),
      [&](const auto& broker) { return broker.first != node && live.contains(broker.first); }));
}

}  // namespace

absl::StatusOr<std::vector<MoveSpec>> PlanDrain(const MetadataImage& image,
                                                const std::set<NodeId>& live, NodeId node,
                                                Random& random) {
  if (image.FindBroker(node) == nullptr && LoadOf(image, node).partitions == 0) {
    return MakeError(Errc::kBrokerIdNotRegistered,
                     absl::StrCat("Broker ID ", node.value(), " is not currently registered"));
  }
  Placement placement(image, live, random);
  std::vector<MoveSpec> moves;
  absl::Status refused;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    placement.EnterTopic(*topic);
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const std::vector<ReplicaImage>& replicas = topic->partitions[i].destination();
      if (!Has(replicas, node) || !refused.ok()) continue;
      const std::vector<NodeId> nodes = NodesOf(replicas);
      if (TakersOf(image, live, nodes) == 0) {
        refused = MakeError(Errc::kInvalidReplicationFactor,
                            absl::StrCat("broker ", node.value(), " cannot be drained: partition ",
                                         topic->name, "-", i, " has ", replicas.size(),
                                         " replicas, and only ", OthersAlive(image, live, node),
                                         " other brokers are alive; start another "
                                         "broker, or lower the topic's replication factor"));
        continue;
      }
      moves.push_back({.topic = topic->name,
                       .partition = static_cast<int32_t>(i),
                       .replicas = placement.Replace(nodes, node)});
    }
  });
  if (!refused.ok()) return refused;
  return moves;
}

BrokerLoad LoadOf(const MetadataImage& image, NodeId node) {
  BrokerLoad load;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    for (const PartitionImage& partition : topic->partitions) {
      const bool stays = Has(partition.destination(), node);
      if (!stays && !Has(partition.replicas, node) && !Has(partition.leaving, node)) continue;
      ++load.partitions;
      if (!stays) ++load.leaving;
    }
  });
  return load;
}

}  // namespace garam
