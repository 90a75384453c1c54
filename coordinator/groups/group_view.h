// What an assignor looks at first: a group's members and topics in an order that does not hang on
// the caller's, with numbers for names.
//
// Ownership: points into the members and topics that it was made of; they must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "coordinator/groups/assignor.h"

namespace garam {

struct GroupView {
  std::vector<const AssignorMember*> members{};  // By member id.
  std::vector<const AssignorTopic*> topics{};    // By name, then by id.
  // Members with the same subscriptions share one: numbers of topics, ascending.
  std::vector<std::vector<int32_t>> subscriptions{};
  std::vector<int32_t> subscription_of_member{};
  std::unordered_map<TopicId, int32_t, absl::Hash<TopicId>> topic_numbers{};

  // kUnknownTopicId when a member is subscribed to a topic that is not among `topics`.
  static absl::StatusOr<GroupView> Of(std::span<const AssignorMember> members,
                                      std::span<const AssignorTopic> topics);

  const std::vector<int32_t>& TopicsOf(size_t member) const {
    return subscriptions[subscription_of_member[member]];
  }
  // The racks of a partition's replicas; empty if nothing is known of them.
  std::span<const std::string> RacksOf(int32_t topic, int32_t partition) const;
};

}  // namespace garam
