// What holds for every group, on groups made of seeds.
#include <limits>
#include <optional>
#include <tuple>

#include "coordinator/groups/assignor.h"
#include "tests/unit/coordinator/groups/assignor_fixture.h"

namespace garam {
namespace {

enum class Subscriptions { kEqual, kAny };

struct Size {
  uint64_t members = 0;
  uint64_t topics = 0;
  uint64_t partitions = 0;  // Of a topic.
};
constexpr Size kTiny{.members = 4, .topics = 3, .partitions = 3};
constexpr Size kSmall{.members = 12, .topics = 8, .partitions = 15};

// At most `size`; members have some of what they may have, some of it too much, some of it gone.
Group RandomGroup(uint64_t seed, Size size, Subscriptions subscriptions) {
  Group group(seed);
  Random& random = group.random;
  std::vector<std::string> names;
  for (uint64_t i = 0; i <= random.Below(size.topics); ++i) {
    names.push_back("t" + std::to_string(i));
    group.Topic(names.back(), static_cast<int32_t>(random.Below(size.partitions + 1)));
  }
  const auto some = [&] {
    std::set<std::string> chosen;
    for (const std::string& name : names) {
      if (random.Below(2) == 0) chosen.insert(name);
    }
    return chosen;
  };
  const std::set<std::string> equal = some();
  for (uint64_t i = 0; i <= random.Below(size.members); ++i) {
    AssignorMember& member = group.Member("m" + std::to_string(i),
                                          subscriptions == Subscriptions::kEqual ? equal : some());
    if (random.Below(3) == 0) member.instance_id = "i" + std::to_string(random.Below(1'000'000));
  }
  const uint64_t owned_in_ten = random.Below(11);
  const uint64_t owners = random.Below(group.members.size()) + 1;
  for (const AssignorTopic& topic : group.topics) {
    for (int32_t partition = 0; partition < topic.partition_count + 2; ++partition) {
      if (random.Below(10) >= owned_in_ten) continue;
      group.members[random.Below(owners)].current[topic.id].push_back(partition);
    }
  }
  return group;
}

template <class T>
void Shuffle(std::vector<T>& values, Random& random) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.Below(i)]);
}

bool IsSubscribed(const AssignorMember& member, const AssignorTopic& topic) {
  return std::count(member.topics.begin(), member.topics.end(), topic.id) != 0;
}

// What each member may keep: in its subscriptions, existing.
Assigned Keepable(Group group) {
  for (AssignorMember& member : group.members) {
    for (const AssignorTopic& topic : group.topics) {
      std::vector<int32_t>& partitions = member.current[topic.id];
      std::erase_if(partitions, [&](int32_t p) { return p >= topic.partition_count; });
      if (!IsSubscribed(member, topic)) partitions.clear();
      if (partitions.empty()) member.current.erase(topic.id);
    }
  }
  return group.Current();
}

// Every partition that somebody is subscribed to, once, sorted, with a subscriber.
void ExpectValid(const Group& group, const Assigned& assigned) {
  ASSERT_EQ(assigned.size(), group.members.size());
  for (const AssignorTopic& topic : group.topics) {
    std::vector<int32_t> seen;
    bool wanted = false;
    for (const AssignorMember& member : group.members) {
      wanted |= IsSubscribed(member, topic);
      const Partitions& partitions = assigned.at(member.member_id);
      const auto found = partitions.find(topic.name);
      if (found == partitions.end()) continue;
      EXPECT_TRUE(IsSubscribed(member, topic)) << member.member_id << ' ' << topic.name;
      EXPECT_FALSE(found->second.empty());
      EXPECT_TRUE(std::is_sorted(found->second.begin(), found->second.end()));
      seen.insert(seen.end(), found->second.begin(), found->second.end());
    }
    std::sort(seen.begin(), seen.end());
    std::vector<int32_t> all;
    for (int32_t p = 0; wanted && p < topic.partition_count; ++p) all.push_back(p);
    EXPECT_EQ(seen, all) << topic.name;
  }
}

int64_t SquaresOf(const Assigned& assigned) {
  int64_t sum = 0;
  for (int32_t load : LoadsOf(assigned)) sum += int64_t{load} * load;
  return sum;
}

// {sum of squared loads, partitions moved}.
using Score = std::pair<int64_t, int32_t>;

// The best score of all assignments there are, each of which is looked at.
class Exhaustive {
 public:
  explicit Exhaustive(const Group& group) : loads_(group.members.size(), 0) {
    const Assigned keepable = Keepable(group);
    for (const AssignorTopic& topic : group.topics) {
      for (int32_t p = 0; p < topic.partition_count; ++p) {
        Choice choice;
        for (size_t m = 0; m < group.members.size(); ++m) {
          if (!IsSubscribed(group.members[m], topic)) continue;
          choice.takers.push_back(m);
          const Partitions& kept = keepable.at(group.members[m].member_id);
          if (kept.contains(topic.name) &&
              std::count(kept.at(topic.name).begin(), kept.at(topic.name).end(), p) != 0) {
            choice.owner = m;
          }
        }
        if (!choice.takers.empty()) choices_.push_back(choice);
      }
    }
    Try(0, 0);
  }

  Score best() const { return best_; }

 private:
  struct Choice {
    std::vector<size_t> takers{};
    std::optional<size_t> owner{};
  };

  void Try(size_t next, int32_t moved) {
    if (next == choices_.size()) {
      int64_t squares = 0;
      for (int64_t load : loads_) squares += load * load;
      best_ = std::min(best_, Score(squares, moved));
      return;
    }
    for (size_t taker : choices_[next].takers) {
      ++loads_[taker];
      Try(next + 1, moved + (choices_[next].owner.value_or(taker) != taker ? 1 : 0));
      --loads_[taker];
    }
  }

  std::vector<Choice> choices_;
  std::vector<int64_t> loads_;
  Score best_{std::numeric_limits<int64_t>::max(), 0};
};

// Whether no exchange of partitions improves on `assigned`: exchanges are the cycles of a graph of
// members, topics and a node through which load passes from one member to another, and a cycle with
// a negative sum is an improvement. A flow without one is optimal.
bool IsBest(const Group& group, const Assigned& assigned) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max() / 4;
  constexpr int64_t kLoad = 1'000'000;  // Any difference in load counts more than all movement.
  const Assigned had = Keepable(group);
  const size_t topics = group.topics.size();
  const size_t pass = topics + group.members.size();
  std::vector<std::vector<int64_t>> cost(pass + 1, std::vector<int64_t>(pass + 1, kNone));
  for (size_t m = 0; m < group.members.size(); ++m) {
    const std::string& id = group.members[m].member_id;
    const int64_t load = LoadOf(assigned.at(id));
    cost[topics + m][pass] = kLoad * (2 * load + 1);                 // It ends up with one more,
    if (load > 0) cost[pass][topics + m] = -kLoad * (2 * load - 1);  // or with one less.
    for (size_t t = 0; t < topics; ++t) {
      if (!IsSubscribed(group.members[m], group.topics[t])) continue;
      const auto count = [&](const Assigned& of) {
        const auto found = of.at(id).find(group.topics[t].name);
        return found == of.at(id).end() ? size_t{0} : found->second.size();
      };
      cost[t][topics + m] = count(assigned) < count(had) ? -1 : 0;  // Takes one of the topic,
      if (count(assigned) == 0) continue;
      cost[topics + m][t] = count(assigned) <= count(had) ? 1 : 0;  // or gives one up.
    }
  }
  for (size_t k = 0; k <= pass; ++k) {
    for (size_t i = 0; i <= pass; ++i) {
      for (size_t j = 0; j <= pass; ++j) {
        if (cost[i][k] >= kNone || cost[k][j] >= kNone) continue;
        cost[i][j] = std::min(cost[i][j], cost[i][k] + cost[k][j]);
        if (i == j && cost[i][j] < 0) return false;
      }
    }
  }
  return true;
}

class AssignorPropertyTest : public testing::TestWithParam<std::tuple<Assignor, Subscriptions>> {
 protected:
  // Calls `check` with many groups.
  template <class Check>
  void ForGroups(Check check) {
    for (uint64_t seed = 1; seed <= 250; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      check(RandomGroup(seed, kSmall, std::get<Subscriptions>(GetParam())));
      if (HasFailure()) return;
    }
  }
  Assignor assignor() const { return std::get<Assignor>(GetParam()); }
};

TEST_P(AssignorPropertyTest, EveryPartitionIsWithOneSubscriber) {
  ForGroups([&](Group group) { ExpectValid(group, group.Assign(assignor())); });
}

TEST_P(AssignorPropertyTest, TheOrderOfTheInputDoesNotCount) {
  ForGroups([&](Group group) {
    const Assigned assigned = group.Assign(assignor());
    Shuffle(group.members, group.random);
    Shuffle(group.topics, group.random);
    EXPECT_EQ(group.Assign(assignor()), assigned);
  });
}

TEST_P(AssignorPropertyTest, TopicIdsDoNotCount) {
  ForGroups([&](Group group) {
    const Assigned assigned = group.Assign(assignor());
    std::map<TopicId, TopicId> renamed;
    for (AssignorTopic& topic : group.topics) {
      topic.id = renamed[topic.id] = Uuid::Generate(group.random);
    }
    for (AssignorMember& member : group.members) {
      for (TopicId& id : member.topics) id = renamed.at(id);
      std::sort(member.topics.begin(), member.topics.end());
      TopicPartitions current;
      for (auto& [id, partitions] : member.current) current[renamed.at(id)] = partitions;
      member.current = current;
    }
    EXPECT_EQ(group.Assign(assignor()), assigned);
  });
}

TEST_P(AssignorPropertyTest, AssignedAgainNothingMoves) {
  ForGroups([&](Group group) {
    const Assigned assigned = group.Rebalance(assignor());
    EXPECT_EQ(group.Assign(assignor()), assigned);
  });
}

INSTANTIATE_TEST_SUITE_P(All, AssignorPropertyTest,
                         testing::Combine(testing::Values(AssignRange, AssignUniform),
                                          testing::Values(Subscriptions::kEqual,
                                                          Subscriptions::kAny)));

class RangePropertyTest : public AssignorPropertyTest {};

TEST_P(RangePropertyTest, RangesAreContiguousAndDifferByOneAtMost) {
  ForGroups([&](Group group) {
    const Assigned assigned = group.Assign(assignor());
    for (const AssignorTopic& topic : group.topics) {
      for (const AssignorMember& member : group.members) {
        if (!IsSubscribed(member, topic)) continue;
        const auto subscribers =
            std::count_if(group.members.begin(), group.members.end(),
                          [&](const AssignorMember& m) { return IsSubscribed(m, topic); });
        const auto share = static_cast<size_t>(topic.partition_count / subscribers);
        const Partitions& partitions = assigned.at(member.member_id);
        const auto found = partitions.find(topic.name);
        const std::vector<int32_t> range =
            found == partitions.end() ? std::vector<int32_t>{} : found->second;
        EXPECT_THAT(range.size(), testing::AnyOf(share, share + 1));
        if (range.empty()) continue;
        EXPECT_EQ(range.back() - range.front() + 1, static_cast<int32_t>(range.size()));
      }
    }
  });
}

TEST_P(RangePropertyTest, TopicsWithTheSameSubscribersAndPartitionCountsAreAligned) {
  ForGroups([&](Group group) {
    for (AssignorTopic& topic : group.topics) topic.partition_count = 7;
    const Assigned assigned = group.Assign(assignor());
    for (const AssignorTopic& a : group.topics) {
      for (const AssignorTopic& b : group.topics) {
        const auto alike = [&](const AssignorMember& m) {
          return IsSubscribed(m, a) == IsSubscribed(m, b);
        };
        if (!std::all_of(group.members.begin(), group.members.end(), alike)) continue;
        for (const auto& [member, partitions] : assigned) {
          if (!partitions.contains(a.name)) continue;
          EXPECT_EQ(partitions.at(a.name), partitions.at(b.name)) << member;
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, RangePropertyTest,
                         testing::Combine(testing::Values(AssignRange),
                                          testing::Values(Subscriptions::kEqual,
                                                          Subscriptions::kAny)));

class UniformPropertyTest : public AssignorPropertyTest {};

TEST_P(UniformPropertyTest, NoAssignmentIsMoreEvenAndNoneAsEvenMovesLess) {
  ForGroups([&](Group group) { EXPECT_TRUE(IsBest(group, group.Assign(assignor()))); });
}

TEST_P(UniformPropertyTest, ATinyGroupScoresAsTheBestOfAllItsAssignments) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Group group = RandomGroup(seed, kTiny, std::get<Subscriptions>(GetParam()));
    const Assigned assigned = group.Assign(assignor());
    EXPECT_EQ(Score(SquaresOf(assigned), MovedBetween(Keepable(group), assigned)),
              Exhaustive(group).best());
  }
}

TEST_P(UniformPropertyTest, RacksCostNeitherBalanceNorMovement) {
  ForGroups([&](Group group) {
    const Assigned without = group.Assign(assignor());
    const auto rack = [&] { return "r" + std::to_string(group.random.Below(3)); };
    for (AssignorMember& member : group.members) {
      if (group.random.Below(4) != 0) member.rack = rack();
    }
    for (AssignorTopic& topic : group.topics) {
      for (uint64_t i = 0; i < group.random.Below(20); ++i) topic.racks.push_back({rack(), rack()});
    }
    const Assigned with = group.Assign(assignor());
    ExpectValid(group, with);
    EXPECT_EQ(LoadsOf(with), LoadsOf(without));
    EXPECT_EQ(MovedBetween(Keepable(group), with), MovedBetween(Keepable(group), without));
  });
}

TEST_P(UniformPropertyTest, AGroupThatKeepsChangingStaysAtItsBest) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Group group = RandomGroup(seed, kSmall, std::get<Subscriptions>(GetParam()));
    for (int step = 0; step < 10 && !HasFailure(); ++step) {
      AssignorMember& member = group.members[group.random.Below(group.members.size())];
      if (step % 3 == 0) {
        AssignorMember joining{.member_id = "j" + std::to_string(step), .topics = member.topics};
        group.members.push_back(joining);
      } else if (step % 3 == 1) {
        group.topics[group.random.Below(group.topics.size())].partition_count += 3;
      } else if (group.members.size() > 1) {
        group.Leave(std::string(member.member_id));
      }
      const Group before = group;
      const Assigned assigned = group.Rebalance(assignor());
      ExpectValid(before, assigned);
      EXPECT_TRUE(IsBest(before, assigned));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, UniformPropertyTest,
                         testing::Combine(testing::Values(AssignUniform),
                                          testing::Values(Subscriptions::kEqual,
                                                          Subscriptions::kAny)));

TEST(UniformAssignorQuotaTest, EqualSubscriptionsDifferByOneAndKeepAllOfTheirShare) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Group group = RandomGroup(seed, kSmall, Subscriptions::kEqual);
    const Assigned assigned = group.Assign(AssignUniform);
    const std::vector<int32_t> loads = LoadsOf(assigned);
    int32_t total = 0;
    for (int32_t load : loads) total += load;
    const auto members = static_cast<int32_t>(loads.size());
    const int32_t share = total / members;
    int32_t ones_more = total % members;
    for (int32_t load : loads) EXPECT_THAT(load, testing::AnyOf(share, share + 1));
    // More than its share has to go, except that as many members as there are ones more keep one.
    const Assigned keepable = Keepable(group);
    int32_t moves_needed = 0;
    for (int32_t had : LoadsOf(keepable)) {
      if (had <= share) continue;
      moves_needed += had - share - (ones_more-- > 0 ? 1 : 0);
    }
    EXPECT_EQ(MovedBetween(keepable, assigned), moves_needed);
  }
}

}  // namespace
}  // namespace garam
