// Who reads what in a consumer group (KIP-848): the two assignors that a broker offers, `range` and
// `uniform`, with the guarantees of Apache Kafka 4.3's assignors of these names.
//
// Both give every partition of every topic that somebody is subscribed to, to exactly one member
// that is subscribed to it.
//
// Pure: the same members and topics in any order give the same assignment, and nothing hangs on
// topic ids, which are random. Where two answers are equally good, topics count in the order of
// their names and members in the order of their ids.
//
// Threads:   none of its own; callable from any.
// Ownership: the arguments are read during the call only.
// Errors:    kUnknownTopicId when a member is subscribed to a topic that is not among `topics`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/uuid.h"

namespace garam {

// Partitions by topic: ascending, each once, no topic without any.
using TopicPartitions = std::map<TopicId, std::vector<int32_t>>;

// By member id: every member, also one that gets nothing.
using GroupAssignment = std::map<std::string, TopicPartitions>;

struct AssignorMember {
  std::string member_id{};  // Unique in the group, as `instance_id` is.
  std::optional<std::string> instance_id{};
  std::optional<std::string> rack{};
  std::vector<TopicId> topics{};  // What it is subscribed to: ascending, each once.
  // Its target until now. What is not there anymore (topics, partitions, a subscription) is passed
  // over; of two members that claim one partition the first in the order of member ids has it.
  TopicPartitions current{};
};

struct AssignorTopic {
  TopicId id{};
  std::string name{};           // Unique, as `id` is.
  int32_t partition_count = 0;  // At least 0.
  // By partition, the racks of its replicas. May be shorter: nothing is known of the rest.
  std::vector<std::vector<std::string>> racks{};
};

// Each topic by itself, in contiguous ranges: its subscribers in order, static members by instance
// id and then the others by member id; each gets the same number of partitions, the first ones one
// more where that does not come out even. So members with the same subscriptions get the same
// ranges of topics with equally many partitions (co-partitioning, for joins).
//
// Neither `current` nor racks count, as in Kafka 4.3: a range that stayed where it was, or went
// after racks, would no longer be one. Static members keep their ranges over restarts, for their
// order does not change.
absl::StatusOr<GroupAssignment> AssignRange(std::span<const AssignorMember> members,
                                            std::span<const AssignorTopic> topics);

// The group's partitions as evenly as its subscriptions allow: no other assignment has a smaller
// sum of squared counts. Equal subscriptions: any two members differ by one at most.
//
// Sticky: of all assignments that are as even, one that leaves the most partitions where they are.
// So one that is even already does not change, and with equal subscriptions a member keeps
// everything up to its even share. Among members with equal subscriptions new partitions are dealt
// topic by topic to whoever is short of the most, so that each topic spreads over them too.
//
// Racks decide last. Which partitions a member gives up, and which of the free ones it gets, goes
// by whether a replica is in its rack; nothing moves for a rack's sake, and the best matching is
// not searched for. (Kafka 4.3's assignor of this name has no eye for racks.)
absl::StatusOr<GroupAssignment> AssignUniform(std::span<const AssignorMember> members,
                                              std::span<const AssignorTopic> topics);

}  // namespace garam
