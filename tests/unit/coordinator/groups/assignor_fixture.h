// A consumer group that tests change step by step; names stand for topic ids.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "coordinator/groups/assignor.h"

namespace garam {

using Partitions = std::map<std::string, std::vector<int32_t>>;  // By topic's name.
using Assigned = std::map<std::string, Partitions>;              // By member id.
using Assignor = absl::StatusOr<GroupAssignment> (*)(std::span<const AssignorMember>,
                                                     std::span<const AssignorTopic>);

struct Group {
  // The ids come from `seed`.
  explicit Group(uint64_t seed = 1) : random(seed) {}

  void Topic(const std::string& name, int32_t partitions,
             std::vector<std::vector<std::string>> racks = {}) {
    AssignorTopic* topic = FindTopic(name);
    if (topic == nullptr) {
      topics.push_back({.id = Uuid::Generate(random), .name = name});
      topic = &topics.back();
    }
    topic->partition_count = partitions;
    topic->racks = std::move(racks);
  }

  // Keeps what a member has if it is there already.
  AssignorMember& Member(const std::string& id, const std::set<std::string>& subscribed) {
    auto found = std::find_if(members.begin(), members.end(),
                              [&](const AssignorMember& m) { return m.member_id == id; });
    if (found == members.end()) {
      found = members.insert(members.end(), AssignorMember{.member_id = id});
    }
    found->topics.clear();
    for (const std::string& name : subscribed) found->topics.push_back(FindTopic(name)->id);
    std::sort(found->topics.begin(), found->topics.end());
    return *found;
  }

  void Leave(const std::string& id) {
    std::erase_if(members, [&](const AssignorMember& m) { return m.member_id == id; });
  }

  void Owns(AssignorMember& member, const Partitions& partitions) {
    for (const auto& [name, numbers] : partitions) member.current[FindTopic(name)->id] = numbers;
  }

  Assigned Named(const GroupAssignment& assignment) const {
    Assigned named;
    for (const auto& [member, partitions] : assignment) {
      named[member];
      for (const AssignorTopic& topic : topics) {
        const auto found = partitions.find(topic.id);
        if (found != partitions.end()) named[member][topic.name] = found->second;
      }
    }
    return named;
  }

  Assigned Current() const {
    GroupAssignment current;
    for (const AssignorMember& member : members) current[member.member_id] = member.current;
    return Named(current);
  }

  Assigned Assign(Assignor assignor) const {
    const absl::StatusOr<GroupAssignment> assignment = assignor(members, topics);
    EXPECT_TRUE(assignment.ok()) << assignment.status();
    return assignment.ok() ? Named(*assignment) : Assigned{};
  }

  // Assigns, and lets the members have it.
  Assigned Rebalance(Assignor assignor) {
    const absl::StatusOr<GroupAssignment> assignment = assignor(members, topics);
    EXPECT_TRUE(assignment.ok()) << assignment.status();
    for (AssignorMember& member : members) member.current = assignment->at(member.member_id);
    return Current();
  }

  AssignorTopic* FindTopic(const std::string& name) {
    const auto found = std::find_if(topics.begin(), topics.end(),
                                    [&](const AssignorTopic& t) { return t.name == name; });
    return found == topics.end() ? nullptr : &*found;
  }

  SeededRandom random;
  std::vector<AssignorMember> members{};
  std::vector<AssignorTopic> topics{};
};

inline int32_t LoadOf(const Partitions& partitions) {
  int32_t load = 0;
  for (const auto& [topic, numbers] : partitions) load += static_cast<int32_t>(numbers.size());
  return load;
}

inline std::vector<int32_t> LoadsOf(const Assigned& assigned) {
  std::vector<int32_t> loads;
  for (const auto& [member, partitions] : assigned) loads.push_back(LoadOf(partitions));
  return loads;
}

// How many partitions members had in `before` and have no more in `after`.
inline int32_t MovedBetween(const Assigned& before, const Assigned& after) {
  int32_t moved = 0;
  for (const auto& [member, partitions] : before) {
    for (const auto& [topic, numbers] : partitions) {
      for (int32_t number : numbers) {
        const auto there = after.find(member);
        if (there != after.end() && there->second.contains(topic) &&
            std::count(there->second.at(topic).begin(), there->second.at(topic).end(), number)) {
          continue;
        }
        ++moved;
      }
    }
  }
  return moved;
}

}  // namespace garam
