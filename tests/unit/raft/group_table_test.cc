#include "raft/group_table.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "raft/digest.h"
#include "tests/unit/raft/cluster.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class GroupTableTest : public ::testing::Test {
 protected:
  // A follower of node 2, asleep, whose members are nodes 1 to `voters`.
  Core& Follower(uint64_t group, int voters) {
    CoreOptions options;
    options.group = GroupId(group);
    options.self = NodeId(1);
    options.incarnation = Incarnation(101);
    InitialState state;
    state.configurations.push_back({LogIndex(0), Voters(voters)});
    cores_.push_back(std::make_unique<Core>(options, state, random_, now_));
    cores_.back()->Step(NodeId(2), Append{Term(1), 1, {}, {}, {}, {}}, now_);
    return *cores_.back();
  }

  MonoTime now_{};
  SeededRandom random_{1};
  std::vector<std::unique_ptr<Core>> cores_;
  GroupTable table_;
};

TEST_F(GroupTableTest, Pitfall40SleepingGroupsHaveNoTimer) {
  for (uint64_t group = 1; group <= 1000; ++group) table_.Add(Follower(group, 3), now_);
  EXPECT_EQ(table_.size(), 1000u);
  EXPECT_EQ(table_.awake(), 0u);
  EXPECT_EQ(table_.NextDeadline(), std::nullopt);
}

TEST_F(GroupTableTest, ANodeThatIsDownWakesTheGroupsItLed) {
  table_.Add(Follower(1, 3), now_);
  table_.Add(Follower(2, 3), now_);
  EXPECT_THAT(table_.NodeDown(NodeId(2), now_), ElementsAre(GroupId(1), GroupId(2)));
  EXPECT_EQ(table_.awake(), 2u);
  EXPECT_EQ(table_.Find(GroupId(1))->leader(), kNoNode);
  EXPECT_LE(*table_.NextDeadline(), now_ + Millis(80));
}

TEST_F(GroupTableTest, OnlyGroupsWithThatMemberAreReported) {
  table_.Add(Follower(1, 3), now_);
  table_.Add(Follower(2, 5), now_);
  EXPECT_THAT(table_.NodeDown(NodeId(5), now_), ElementsAre(GroupId(2)));
  EXPECT_EQ(table_.awake(), 0u) << "it led neither";
}

TEST_F(GroupTableTest, TicksTheGroupsThatAreDueAndOnlyThose) {
  table_.Add(Follower(1, 3), now_);
  Core& asleep = Follower(2, 3);
  table_.Add(asleep, now_);
  table_.Find(GroupId(1))->NodeDown(NodeId(2), now_);
  table_.Touch(GroupId(1));
  const MonoTime due = *table_.NextDeadline();
  EXPECT_THAT(table_.Tick(due - Micros(1)), IsEmpty());
  EXPECT_THAT(table_.Tick(due), ElementsAre(GroupId(1)));
  EXPECT_EQ(table_.Find(GroupId(1))->role(), Role::kPreCandidate);
  EXPECT_EQ(asleep.role(), Role::kFollower);
}

TEST_F(GroupTableTest, AGroupAddedLaterIsToldWhoIsNotUp) {
  table_.NodeDown(NodeId(2), now_);
  table_.NodeSuspect(NodeId(3), now_);
  Core& core = Follower(1, 3);
  table_.Add(core, now_);
  EXPECT_EQ(core.StateOf(NodeId(2)), NodeState::kDown);
  EXPECT_EQ(core.StateOf(NodeId(3)), NodeState::kSuspect);
  EXPECT_EQ(table_.awake(), 1u);
}

TEST_F(GroupTableTest, ARestartedNodeIsNoLongerTheLeaderItWasAndStaysUp) {
  Core& core = Follower(1, 3);
  table_.Add(core, now_);
  EXPECT_THAT(table_.NodeRestarted(NodeId(2), now_), SizeIs(1));
  EXPECT_EQ(core.leader(), kNoNode);
  EXPECT_EQ(core.StateOf(NodeId(2)), NodeState::kUp);
  EXPECT_EQ(table_.awake(), 1u);
}

TEST_F(GroupTableTest, ARemovedGroupIsTickedNoMore) {
  table_.Add(Follower(1, 3), now_);
  table_.NodeDown(NodeId(2), now_);
  table_.Remove(GroupId(1));
  EXPECT_EQ(table_.NextDeadline(), std::nullopt);
  EXPECT_EQ(table_.Find(GroupId(1)), nullptr);
}

TEST(Digest, DependsOnTheSetAndNotOnTheWayThere) {
  Digest one;
  one.AddLed(GroupId(1), Term(3), 7);
  one.AddLed(GroupId(2), Term(1), 1);
  Digest other;
  other.AddLed(GroupId(2), Term(1), 1);
  other.AddLed(GroupId(9), Term(9), 9);
  other.AddLed(GroupId(1), Term(3), 7);
  EXPECT_NE(one, other);
  other.RemoveLed(GroupId(9), Term(9), 9);
  EXPECT_EQ(one, other);
}

TEST(Digest, SeesATermAndAnIsrVersion) {
  Digest one;
  one.AddLed(GroupId(1), Term(3), 7);
  Digest term;
  term.AddLed(GroupId(1), Term(4), 7);
  Digest isr;
  isr.AddLed(GroupId(1), Term(3), 8);
  EXPECT_NE(one, term);
  EXPECT_NE(one, isr);
  EXPECT_NE(term, isr);
}

}  // namespace
}  // namespace garam::raft
