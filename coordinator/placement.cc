#include "coordinator/placement.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace garam {

std::vector<NodeId> NodesOf(const std::vector<ReplicaImage>& replicas) {
  std::vector<NodeId> nodes;
  for (const ReplicaImage& replica : replicas) nodes.push_back(replica.node);
  return nodes;
}

size_t TakersOf(const MetadataImage& image, const std::set<NodeId>& live,
                const std::vector<NodeId>& replicas) {
  return static_cast<size_t>(
      std::count_if(image.brokers().begin(), image.brokers().end(), [&](const auto& broker) {
        return live.contains(broker.first) &&
               std::find(replicas.begin(), replicas.end(), broker.first) == replicas.end();
      }));
}

Placement::Placement(const MetadataImage& image, const std::set<NodeId>& live, Random& random) {
  for (const auto& [node, broker] : image.brokers()) {
    brokers_.push_back(
        {.node = node, .rack = broker->rack, .alive = live.contains(node), .tie = random.Next()});
  }
  std::map<NodeId, Candidate*> by_node;
  for (Candidate& candidate : brokers_) by_node[candidate.node] = &candidate;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    for (const PartitionImage& partition : topic->partitions) {
      const std::vector<ReplicaImage>& replicas = partition.destination();
      for (size_t i = 0; i < replicas.size(); ++i) {
        const auto found = by_node.find(replicas[i].node);
        if (found == by_node.end()) continue;  // Unregistered since.
        ++found->second->replicas;
        if (i == 0) ++found->second->leaders;
      }
    }
  });
}

std::vector<std::vector<NodeId>> Placement::Place(int32_t partitions, int32_t replicas) {
  for (Candidate& candidate : brokers_) candidate.topic_leaders = candidate.topic_replicas = 0;
  return PlaceInTopic(partitions, replicas);
}

std::vector<std::vector<NodeId>> Placement::PlaceMore(const TopicImage& topic, int32_t partitions,
                                                      int32_t replicas) {
  EnterTopic(topic);
  return PlaceInTopic(partitions, replicas);
}

std::vector<std::vector<NodeId>> Placement::PlaceInTopic(int32_t partitions, int32_t replicas) {
  std::vector<std::vector<NodeId>> placed;
  placed.reserve(partitions);
  for (int32_t partition = 0; partition < partitions; ++partition) {
    std::vector<NodeId>& chosen = placed.emplace_back();
    std::vector<std::string> racks;
    for (int32_t replica = 0; replica < replicas; ++replica) {
      Candidate& candidate = replica == 0 ? Leader() : Follower(chosen, racks);
      if (replica == 0) {
        ++candidate.leaders;
        ++candidate.topic_leaders;
      }
      ++candidate.replicas;
      ++candidate.topic_replicas;
      chosen.push_back(candidate.node);
      racks.push_back(RackOf(candidate));
    }
  }
  return placed;
}

void Placement::Count(const std::vector<std::vector<NodeId>>& partitions) {
  for (const std::vector<NodeId>& replicas : partitions) {
    for (Candidate& candidate : brokers_) {
      if (std::count(replicas.begin(), replicas.end(), candidate.node) == 0) continue;
      ++candidate.replicas;
      if (replicas.front() == candidate.node) ++candidate.leaders;
    }
  }
}

void Placement::EnterTopic(const TopicImage& topic) {
  for (Candidate& candidate : brokers_) candidate.topic_leaders = candidate.topic_replicas = 0;
  for (const PartitionImage& partition : topic.partitions) {
    const std::vector<ReplicaImage>& replicas = partition.destination();
    for (size_t i = 0; i < replicas.size(); ++i) {
      Candidate* candidate = Find(replicas[i].node);
      if (candidate == nullptr) continue;
      ++candidate->topic_replicas;
      if (i == 0) ++candidate->topic_leaders;
    }
  }
}

// Who takes one more replica of the partition, in whose way `leaving` stands no more.
NodeId Placement::Take(const std::vector<NodeId>& replicas, NodeId leaving) {
  std::vector<std::string> racks;
  for (NodeId node : replicas) {
    const Candidate* candidate = Find(node);
    if (node != leaving && candidate != nullptr) racks.push_back(RackOf(*candidate));
  }
  Candidate& taker = Follower(replicas, racks);
  ++taker.replicas;
  ++taker.topic_replicas;
  return taker.node;
}

// With the one of them that leads least before the others.
std::vector<NodeId> Placement::WithLeader(std::vector<NodeId> replicas) {
  const auto leads = [this](NodeId node) {
    const Candidate* candidate = Find(node);
    if (candidate == nullptr) return std::tuple(true, int64_t{0}, int64_t{0});  // Unregistered.
    return std::tuple(!candidate->alive, candidate->topic_leaders, candidate->leaders);
  };
  const auto first = std::min_element(replicas.begin(), replicas.end(),
                                      [&leads](NodeId a, NodeId b) { return leads(a) < leads(b); });
  std::rotate(replicas.begin(), first, first + 1);
  if (Candidate* leader = Find(replicas.front())) {
    ++leader->leaders;
    ++leader->topic_leaders;
  }
  return replicas;
}

std::vector<NodeId> Placement::Replace(std::vector<NodeId> replicas, NodeId leaving) {
  const NodeId taker = Take(replicas, leaving);
  const bool led = replicas.front() == leaving;
  std::replace(replicas.begin(), replicas.end(), leaving, taker);
  return led ? WithLeader(std::move(replicas)) : replicas;
}

std::vector<NodeId> Placement::Grow(std::vector<NodeId> replicas, size_t count) {
  while (replicas.size() < count) replicas.push_back(Take(replicas, kNoNode));
  if (Candidate* leader = Find(replicas.front())) {
    --leader->leaders;
    --leader->topic_leaders;
  }
  return WithLeader(std::move(replicas));
}

Placement::Candidate* Placement::Find(NodeId node) {
  const auto found = std::find_if(brokers_.begin(), brokers_.end(),
                                  [node](const Candidate& c) { return c.node == node; });
  return found == brokers_.end() ? nullptr : &*found;
}

Placement::Candidate& Placement::Leader() {
  return *std::min_element(
      brokers_.begin(), brokers_.end(), [](const Candidate& a, const Candidate& b) {
        return std::tuple(!a.alive, a.topic_leaders, a.leaders, a.topic_replicas, a.replicas,
                          a.tie) < std::tuple(!b.alive, b.topic_leaders, b.leaders,
                                              b.topic_replicas, b.replicas, b.tie);
      });
}

Placement::Candidate& Placement::Follower(const std::vector<NodeId>& chosen,
                                          const std::vector<std::string>& racks) {
  const auto used = [](const auto& values, const auto& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
  };
  const auto rank = [&](const Candidate& c) {
    return std::tuple(used(chosen, c.node), !c.alive, used(racks, RackOf(c)), c.topic_replicas,
                      c.replicas, c.tie);
  };
  return *std::min_element(
      brokers_.begin(), brokers_.end(),
      [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
}

// A broker without a rack stands in one of its own.
std::string Placement::RackOf(const Candidate& candidate) {
  if (candidate.rack.has_value()) return absl::StrCat("rack ", *candidate.rack);
  return absl::StrCat("node ", candidate.node.value());
}

}  // namespace garam
