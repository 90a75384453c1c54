#include "common/status.h"
#include "coordinator/groups/assignor.h"
#include "tests/unit/coordinator/groups/assignor_fixture.h"

namespace garam {
namespace {

TEST(RangeAssignorTest, EachTopicIsDividedIntoContiguousRangesAndTheFirstGetOneMore) {
  Group group;
  group.Topic("t", 8);
  for (const char* id : {"c", "a", "b"}) group.Member(id, {"t"});
  EXPECT_EQ(
      group.Assign(AssignRange),
      (Assigned{{"a", {{"t", {0, 1, 2}}}}, {"b", {{"t", {3, 4, 5}}}}, {"c", {{"t", {6, 7}}}}}));
}

TEST(RangeAssignorTest, TopicsWithEquallyManyPartitionsAreAligned) {
  Group group;
  group.Topic("orders", 5);
  group.Topic("payments", 5);
  for (const char* id : {"a", "b", "c"}) group.Member(id, {"orders", "payments"});
  for (const auto& [member, partitions] : group.Assign(AssignRange)) {
    EXPECT_EQ(partitions.at("orders"), partitions.at("payments")) << member;
  }
}

TEST(RangeAssignorTest, ATopicIsDividedAmongItsSubscribersOnly) {
  Group group;
  group.Topic("t", 4);
  group.Topic("u", 4);
  group.Member("a", {"t"});
  group.Member("b", {"t", "u"});
  group.Member("c", {"u"});
  EXPECT_EQ(group.Assign(AssignRange), (Assigned{{"a", {{"t", {0, 1}}}},
                                                 {"b", {{"t", {2, 3}}, {"u", {0, 1}}}},
                                                 {"c", {{"u", {2, 3}}}}}));
}

TEST(RangeAssignorTest, StaticMembersComeFirstByInstanceIdAndTheOthersByMemberId) {
  Group group;
  group.Topic("t", 5);
  group.Member("a", {"t"}).instance_id = "i2";
  group.Member("b", {"t"});
  group.Member("z", {"t"}).instance_id = "i1";
  EXPECT_EQ(group.Assign(AssignRange),
            (Assigned{{"z", {{"t", {0, 1}}}}, {"a", {{"t", {2, 3}}}}, {"b", {{"t", {4}}}}}));
}

TEST(RangeAssignorTest, AStaticMemberKeepsItsRangeOverARestart) {
  Group group;
  group.Topic("t", 4);
  group.Member("x", {"t"}).instance_id = "i1";
  group.Member("y", {"t"}).instance_id = "i2";
  const Assigned before = group.Rebalance(AssignRange);
  group.Leave("x");
  group.Member("z", {"t"}).instance_id = "i1";
  const Assigned after = group.Rebalance(AssignRange);
  EXPECT_EQ(after.at("z"), before.at("x"));
  EXPECT_EQ(after.at("y"), before.at("y"));
}

TEST(RangeAssignorTest, RangesDoNotHangOnWhatMembersHad) {
  Group group;
  group.Topic("t", 3);
  group.Member("a", {"t"});
  group.Member("b", {"t"});
  group.Rebalance(AssignRange);
  group.Member("c", {"t"});
  EXPECT_EQ(group.Rebalance(AssignRange),
            (Assigned{{"a", {{"t", {0}}}}, {"b", {{"t", {1}}}}, {"c", {{"t", {2}}}}}));
}

TEST(RangeAssignorTest, MembersBeyondThePartitionsAndWithoutTopicsAreListedWithNothing) {
  Group group;
  group.Topic("t", 1);
  group.Topic("empty", 0);
  group.Member("a", {"t", "empty"});
  group.Member("b", {"t"});
  group.Member("c", {});
  EXPECT_EQ(group.Assign(AssignRange), (Assigned{{"a", {{"t", {0}}}}, {"b", {}}, {"c", {}}}));
}

TEST(RangeAssignorTest, AGroupWithoutMembersGetsNothing) {
  Group group;
  group.Topic("t", 3);
  EXPECT_EQ(group.Assign(AssignRange), Assigned{});
}

TEST(RangeAssignorTest, ATopicThatDoesNotExistIsAnError) {
  Group group;
  group.Topic("t", 3);
  group.Member("a", {"t"});
  group.topics.clear();
  const auto assignment = AssignRange(group.members, group.topics);
  ASSERT_FALSE(assignment.ok());
  EXPECT_EQ(ErrcOf(assignment.status()), Errc::kUnknownTopicId);
}

}  // namespace
}  // namespace garam
