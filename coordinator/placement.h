// Where the replicas of new partitions go: spread evenly over brokers and racks, with the first
// replicas (the preferred leaders) even over the brokers too, on top of what each has already. A
// partition that is being moved counts where it will be.
//
// Brokers that are not alive get replicas only when there are not enough others, and never a first
// one while another is alive. Pure; the same input and randomness give the same result.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/random.h"
#include "coordinator/metadata_image.h"

namespace garam {

std::vector<NodeId> NodesOf(const std::vector<ReplicaImage>& replicas);
// Live brokers that are none of `replicas`.
size_t TakersOf(const MetadataImage& image, const std::set<NodeId>& live,
                const std::vector<NodeId>& replicas);

class Placement {
 public:
  // Counts what `image` has given to each of its brokers.
  Placement(const MetadataImage& image, const std::set<NodeId>& live, Random& random);

  size_t broker_count() const { return brokers_.size(); }

  // Replicas of `partitions` new partitions, `replicas` each; 1 <= replicas <= broker_count().
  // Counts them, so that the next topic goes elsewhere.
  std::vector<std::vector<NodeId>> Place(int32_t partitions, int32_t replicas);
  // The same for partitions that come to those which `topic` has: even over all of them.
  std::vector<std::vector<NodeId>> PlaceMore(const TopicImage& topic, int32_t partitions,
                                             int32_t replicas);
  // Counts partitions that somebody else has placed.
  void Count(const std::vector<std::vector<NodeId>>& partitions);

  // Replace and Grow speak of this topic from now on.
  void EnterTopic(const TopicImage& topic);
  // The replicas of a partition with somebody else in the place of `leaving`, who is one of them;
  // there must be a broker that is not. When `leaving` was the first, the one of the others that
  // leads least comes first. Counts the change.
  std::vector<NodeId> Replace(std::vector<NodeId> replicas, NodeId leaving);
  // The replicas of a partition with others, so that there are `count`; there must be so many
  // brokers. The one that leads least comes first. Counts the change.
  std::vector<NodeId> Grow(std::vector<NodeId> replicas, size_t count);

 private:
  struct Candidate {
    NodeId node{};
    std::optional<std::string> rack{};
    bool alive = false;
    uint64_t tie = 0;  // Random: decides between brokers that are equal in everything else.
    int64_t leaders = 0;
    int64_t replicas = 0;
    int64_t topic_leaders = 0;  // Of the topic being placed.
    int64_t topic_replicas = 0;
  };

  std::vector<std::vector<NodeId>> PlaceInTopic(int32_t partitions, int32_t replicas);
  NodeId Take(const std::vector<NodeId>& replicas, NodeId leaving);
  std::vector<NodeId> WithLeader(std::vector<NodeId> replicas);
  Candidate* Find(NodeId node);
  Candidate& Leader();
  Candidate& Follower(const std::vector<NodeId>& chosen, const std::vector<std::string>& racks);
  static std::string RackOf(const Candidate& candidate);

  std::vector<Candidate> brokers_;
};

}  // namespace garam
