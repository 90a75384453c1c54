#include "coordinator/internal_topics.h"

#include <algorithm>
#include <optional>

#include "coordinator/placement.h"

namespace garam {
namespace {

// How many brokers a majority of so many replicas survives.
size_t Survives(size_t replicas) { return (replicas - 1) / 2; }

// How many replicas a partition is to have that has `replicas`.
size_t SizeFor(const std::vector<NodeId>& replicas, size_t takers, int32_t wanted) {
  const size_t reach = std::min(static_cast<size_t>(wanted), replicas.size() + takers);
  const bool better = reach > replicas.size() && Survives(reach) > Survives(replicas.size());
  return better ? reach : replicas.size();
}

}  // namespace

std::vector<MoveSpec> PlanRaise(const MetadataImage& image, const std::set<NodeId>& live,
                                int32_t wanted, Random& random) {
  size_t under_way = 0;
  std::vector<MoveSpec> moves;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    if (!topic->internal()) return;
    std::optional<Placement> placement;
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const PartitionImage& partition = topic->partitions[i];
      under_way += partition.target.empty() ? 0 : 1;
      if (!partition.target.empty() || under_way + moves.size() >= kRaisedAtOnceMax) continue;
      const std::vector<NodeId> replicas = NodesOf(partition.replicas);
      const size_t size = SizeFor(replicas, TakersOf(image, live, replicas), wanted);
      if (size == replicas.size()) continue;
      if (!placement) placement.emplace(image, live, random).EnterTopic(*topic);
      moves.push_back({.topic = topic->name,
                       .partition = static_cast<int32_t>(i),
                       .replicas = placement->Grow(replicas, size)});
    }
  });
  return moves;
}

}  // namespace garam
