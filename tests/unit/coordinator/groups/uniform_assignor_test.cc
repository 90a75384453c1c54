#include "common/status.h"
#include "coordinator/groups/assignor.h"
#include "tests/unit/coordinator/groups/assignor_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

TEST(UniformAssignorTest, AllTopicsTogetherAreDividedEvenly) {
  Group group;
  for (const char* name : {"t", "u", "v"}) group.Topic(name, 4);
  for (const char* id : {"a", "b", "c", "d", "e"}) group.Member(id, {"t", "u", "v"});
  EXPECT_THAT(LoadsOf(group.Assign(AssignUniform)), UnorderedElementsAre(2, 2, 2, 3, 3));
}

TEST(UniformAssignorTest, EachTopicIsSpreadOverMembersWithTheSameSubscriptions) {
  Group group;
  group.Topic("hot", 4);
  group.Topic("cold", 4);
  group.Member("a", {"hot", "cold"});
  group.Member("b", {"hot", "cold"});
  for (const auto& [member, partitions] : group.Assign(AssignUniform)) {
    EXPECT_EQ(partitions.at("hot").size(), 2u) << member;
    EXPECT_EQ(partitions.at("cold").size(), 2u) << member;
  }
}

TEST(UniformAssignorTest, AMemberThatJoinsGetsItsShareAndNothingElseMoves) {
  Group group;
  group.Topic("t", 9);
  group.Member("a", {"t"});
  group.Member("b", {"t"});
  const Assigned before = group.Rebalance(AssignUniform);
  group.Member("c", {"t"});
  const Assigned after = group.Rebalance(AssignUniform);
  EXPECT_THAT(LoadsOf(after), ElementsAre(3, 3, 3));
  EXPECT_EQ(MovedBetween(before, after), 3);
}

TEST(UniformAssignorTest, WhatALeavingMemberHadIsDividedAndNothingElseMoves) {
  Group group;
  group.Topic("t", 9);
  for (const char* id : {"a", "b", "c"}) group.Member(id, {"t"});
  group.Rebalance(AssignUniform);
  group.Leave("b");
  const Assigned before = group.Current();
  const Assigned after = group.Rebalance(AssignUniform);
  EXPECT_THAT(LoadsOf(after), UnorderedElementsAre(4, 5));
  EXPECT_EQ(MovedBetween(before, after), 0);
}

TEST(UniformAssignorTest, WhoeverHasOneMoreKeepsIt) {
  Group group;
  group.Topic("t", 5);
  group.Owns(group.Member("a", {"t"}), {{"t", {0}}});
  group.Owns(group.Member("b", {"t"}), {{"t", {1, 2}}});
  group.Owns(group.Member("c", {"t"}), {{"t", {3, 4}}});
  EXPECT_EQ(group.Assign(AssignUniform), group.Current());
}

TEST(UniformAssignorTest, NewPartitionsOfATopicGoWhereTheLeastIs) {
  Group group;
  group.Topic("t", 4);
  group.Owns(group.Member("a", {"t"}), {{"t", {0, 1, 2}}});
  group.Owns(group.Member("b", {"t"}), {{"t", {3}}});
  group.Topic("t", 6);
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"a", {{"t", {0, 1, 2}}}}, {"b", {{"t", {3, 4, 5}}}}}));
}

TEST(UniformAssignorTest, ARevokedSubscriptionGoesToWhoeverStillHasIt) {
  Group group;
  group.Topic("t", 2);
  group.Topic("u", 2);
  group.Owns(group.Member("a", {"t", "u"}), {{"t", {0}}, {"u", {0}}});
  group.Owns(group.Member("b", {"t"}), {{"t", {1}}, {"u", {1}}});
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"a", {{"u", {0, 1}}}}, {"b", {{"t", {0, 1}}}}}));
}

TEST(UniformAssignorTest, WhatIsGoneIsPassedOver) {
  Group group;
  group.Topic("t", 4);
  group.Topic("gone", 4);
  group.Owns(group.Member("a", {"t"}), {{"t", {0, 4, -1}}, {"gone", {0, 1, 2}}});
  group.Member("b", {"t"});
  std::erase_if(group.topics, [](const AssignorTopic& topic) { return topic.name == "gone"; });
  const Assigned assigned = group.Assign(AssignUniform);
  EXPECT_THAT(LoadsOf(assigned), ElementsAre(2, 2));
  EXPECT_THAT(assigned.at("a").at("t"), testing::Contains(0));
}

TEST(UniformAssignorTest, OfTwoMembersThatClaimAPartitionTheFirstHasIt) {
  Group group;
  group.Topic("t", 4);
  group.Owns(group.Member("b", {"t"}), {{"t", {0, 1, 2}}});
  group.Owns(group.Member("a", {"t"}), {{"t", {0, 1}}});
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"a", {{"t", {0, 1}}}}, {"b", {{"t", {2, 3}}}}}));
}

TEST(UniformAssignorTest, AMemberWithOtherTopicsLeavesSharedOnesToTheRest) {
  Group group;
  group.Topic("shared", 4);
  group.Topic("own", 4);
  group.Member("a", {"shared", "own"});
  group.Member("b", {"shared"});
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"a", {{"own", {0, 1, 2, 3}}}}, {"b", {{"shared", {0, 1, 2, 3}}}}}));
}

TEST(UniformAssignorTest, LoadIsHandedOnThroughAMemberThatIsBalancedItself) {
  // a has one too many and c one too few, but they share no topic: b takes one and gives one.
  Group group;
  group.Topic("t", 3);
  group.Topic("u", 3);
  group.Owns(group.Member("a", {"t"}), {{"t", {0, 1, 2}}});
  group.Owns(group.Member("b", {"t", "u"}), {{"u", {0, 1}}});
  group.Owns(group.Member("c", {"u"}), {{"u", {2}}});
  const Assigned assigned = group.Assign(AssignUniform);
  EXPECT_THAT(LoadsOf(assigned), ElementsAre(2, 2, 2));
  EXPECT_EQ(MovedBetween(group.Current(), assigned), 2);
}

TEST(UniformAssignorTest, FreePartitionsGoToMembersInARackOfTheirReplicas) {
  Group group;
  group.Topic("t", 6, {{"r1"}, {"r2"}, {"r3"}, {"r1"}, {"r2"}, {"r3"}});
  group.Member("a", {"t"}).rack = "r3";
  group.Member("b", {"t"}).rack = "r1";
  group.Member("c", {"t"}).rack = "r2";
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"a", {{"t", {2, 5}}}}, {"b", {{"t", {0, 3}}}}, {"c", {{"t", {1, 4}}}}}));
}

TEST(UniformAssignorTest, APartitionWithoutRacksDoesNotTakeThePlaceOfANearOne) {
  Group group;
  group.Topic("a", 2);  // Dealt before "b" if racks did not come first.
  group.Topic("b", 2, {{"r1"}, {"r1"}});
  group.Member("far", {"a", "b"});
  group.Member("near", {"a", "b"}).rack = "r1";
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"far", {{"a", {0, 1}}}}, {"near", {{"b", {0, 1}}}}}));
}

TEST(UniformAssignorTest, BalanceComesBeforeRacks) {
  Group group;
  group.Topic("t", 4, {{"r1"}, {"r1"}, {"r1"}, {"r1"}});
  group.Member("far", {"t"}).rack = "r2";
  group.Member("near", {"t"}).rack = "r1";
  EXPECT_THAT(LoadsOf(group.Assign(AssignUniform)), ElementsAre(2, 2));
}

TEST(UniformAssignorTest, NothingMovesForTheSakeOfARack) {
  Group group;
  group.Topic("t", 2, {{"r1"}, {"r2"}});
  AssignorMember& a = group.Member("a", {"t"});
  a.rack = "r1";
  group.Owns(a, {{"t", {1}}});
  AssignorMember& b = group.Member("b", {"t"});
  b.rack = "r2";
  group.Owns(b, {{"t", {0}}});
  EXPECT_EQ(group.Assign(AssignUniform), group.Current());
}

TEST(UniformAssignorTest, WhatIsFarIsGivenUpFirst) {
  Group group;
  group.Topic("t", 4, {{"r2"}, {"r1"}, {"r2"}, {"r1", "r2"}});
  AssignorMember& a = group.Member("a", {"t"});
  a.rack = "r1";
  group.Owns(a, {{"t", {0, 1, 2, 3}}});
  group.Member("b", {"t"});
  EXPECT_EQ(group.Assign(AssignUniform),
            (Assigned{{"a", {{"t", {1, 3}}}}, {"b", {{"t", {0, 2}}}}}));
}

TEST(UniformAssignorTest, MembersWithoutTopicsAreListedWithNothing) {
  Group group;
  group.Topic("t", 2);
  group.Topic("empty", 0);
  group.Member("a", {});
  group.Member("b", {"t", "empty"});
  EXPECT_EQ(group.Assign(AssignUniform), (Assigned{{"a", {}}, {"b", {{"t", {0, 1}}}}}));
}

TEST(UniformAssignorTest, AGroupWithoutMembersGetsNothing) {
  Group group;
  group.Topic("t", 3);
  EXPECT_EQ(group.Assign(AssignUniform), Assigned{});
}

TEST(UniformAssignorTest, ATopicThatDoesNotExistIsAnError) {
  Group group;
  group.Topic("t", 3);
  group.Member("a", {"t"});
  group.topics.clear();
  const auto assignment = AssignUniform(group.members, group.topics);
  ASSERT_FALSE(assignment.ok());
  EXPECT_EQ(ErrcOf(assignment.status()), Errc::kUnknownTopicId);
}

}  // namespace
}  // namespace garam
