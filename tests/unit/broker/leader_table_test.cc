#include "broker/leader_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

LeaderState State(uint64_t group, int32_t term, int32_t leader, uint64_t isr_version,
                  std::vector<NodeId> isr = {NodeId(1), NodeId(2)}) {
  return {GroupId(group), Term(term), NodeId(leader), isr_version, std::move(isr)};
}

TEST(LeaderTableTest, ANewerTermOrIsrVersionWins) {
  LeaderTable table;
  EXPECT_TRUE(table.Merge(State(7, 3, 1, 1)));
  EXPECT_FALSE(table.Merge(State(7, 2, 2, 9)));
  EXPECT_FALSE(table.Merge(State(7, 3, 1, 1)));
  EXPECT_TRUE(table.Merge(State(7, 3, 1, 2, {NodeId(1)})));
  EXPECT_THAT(table.Get(GroupId(7)).isr, ElementsAre(NodeId(1)));
  EXPECT_TRUE(table.Merge(State(7, 4, 2, 0)));
  EXPECT_EQ(table.Get(GroupId(7)).leader, NodeId(2));
}

TEST(LeaderTableTest, ALeaderlessTermKeepsTheIsrOnRecord) {
  LeaderTable table;
  table.Merge(State(7, 3, 1, 1));
  EXPECT_TRUE(table.Merge(State(7, 4, -1, 0, {})));
  EXPECT_EQ(table.Get(GroupId(7)).leader, kNoNode);
  EXPECT_THAT(table.Get(GroupId(7)).isr, ElementsAre(NodeId(1), NodeId(2)));
}

// A member that is out of its group may be in a term that the group never comes to.
TEST(LeaderTableTest, ATermWithoutALeaderIsNoMoreThanADoubt) {
  LeaderTable table;
  table.Merge(State(7, 3, 1, 1));
  table.Merge(State(7, 5, -1, 0, {}));
  EXPECT_EQ(table.Get(GroupId(7)).term, Term(3)) << "no leader has told clients of another";
  EXPECT_FALSE(table.Merge(State(7, 3, 1, 2))) << "it was under way before";
  EXPECT_FALSE(table.Merge(State(7, 4, 2, 0)));
  EXPECT_EQ(table.Get(GroupId(7)).leader, kNoNode);
  EXPECT_THAT(table.Replace(NodeId(1), {{State(7, 3, 1, 2)}, {}}), ElementsAre(GroupId(7)));
  EXPECT_EQ(table.Get(GroupId(7)).leader, NodeId(1));
  EXPECT_FALSE(table.Merge(State(7, 3, -1, 0, {})));
  EXPECT_TRUE(table.Merge(State(7, 5, -1, 0, {})));
  EXPECT_TRUE(table.Merge(State(7, 5, 2, 0)));
  EXPECT_EQ(table.Get(GroupId(7)).leader, NodeId(2));
}

TEST(LeaderTableTest, TwoTablesThatAgreeHaveEqualDigests) {
  LeaderTable mine;
  LeaderTable theirs;
  mine.Merge(State(7, 3, 1, 1));
  mine.Merge(State(8, 5, 1, 4));
  theirs.Merge(State(8, 4, 1, 2));
  theirs.Merge(State(8, 5, 1, 4));
  theirs.Merge(State(7, 3, 1, 1));
  EXPECT_EQ(mine.DigestsOf(NodeId(1)), theirs.DigestsOf(NodeId(1)));
  theirs.Merge(State(7, 3, 1, 2));
  EXPECT_NE(mine.DigestsOf(NodeId(1)), theirs.DigestsOf(NodeId(1)));
}

TEST(LeaderTableTest, AFullExchangeRepairsLostPushesBothWays) {
  LeaderTable leader;
  leader.Merge(State(8, 5, 1, 4));
  LeaderTable follower;
  follower.Merge(State(7, 3, 1, 1));  // No longer led by node 1: that push was lost.
  FullState full{leader.LedBy(NodeId(1)), {GroupId(9)}};
  leader.SetFailed(NodeId(1), GroupId(9), true);
  EXPECT_THAT(follower.Replace(NodeId(1), full), ElementsAre(GroupId(8), GroupId(7)));
  EXPECT_EQ(follower.Get(GroupId(7)).leader, kNoNode);
  EXPECT_EQ(follower.DigestsOf(NodeId(1)), leader.DigestsOf(NodeId(1)));
  EXPECT_THAT(follower.FailedOf(NodeId(1)), ElementsAre(GroupId(9)));
  EXPECT_THAT(follower.Replace(NodeId(1), full), IsEmpty());
}

TEST(LeaderTableTest, ALeaderMayResignWithinItsTerm) {
  LeaderTable table;
  table.Merge(State(7, 3, 1, 2));
  EXPECT_FALSE(table.Resign(NodeId(2), GroupId(7), Term(3)));
  EXPECT_FALSE(table.Resign(NodeId(1), GroupId(7), Term(2)));
  EXPECT_TRUE(table.Resign(NodeId(1), GroupId(7), Term(3)));
  EXPECT_EQ(table.Get(GroupId(7)).leader, kNoNode);
  EXPECT_EQ(table.DigestsOf(NodeId(1)), LeaderTable().DigestsOf(NodeId(1)));
  EXPECT_THAT(table.Get(GroupId(7)).isr, ElementsAre(NodeId(1), NodeId(2)));
}

TEST(LeaderTableTest, ForgettingAGroupTakesItOutOfTheDigest) {
  LeaderTable table;
  HeartbeatDigests before = table.DigestsOf(NodeId(1));
  table.Merge(State(7, 3, 1, 1));
  table.Forget(GroupId(7));
  EXPECT_EQ(table.DigestsOf(NodeId(1)), before);
}

}  // namespace
}  // namespace garam
