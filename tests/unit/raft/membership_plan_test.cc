// NextConfiguration: the sentences of Raft thesis chapter 4, one step at a time.
#include "raft/membership_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace garam::raft {
namespace {

Member Of(int node, uint64_t incarnation = 0) {
  return {NodeId(node), Incarnation(incarnation == 0 ? static_cast<uint64_t>(node) : incarnation),
          MemberRole::kVoter};
}
Member Learner(int node, uint64_t incarnation = 0) {
  Member member = Of(node, incarnation);
  member.role = MemberRole::kLearner;
  return member;
}

std::optional<Configuration> Next(const Configuration& current, const std::vector<Member>& wanted,
                                  bool caught_up = true, bool committed = true,
                                  uint64_t version = 0) {
  return NextConfiguration(current, committed, {version, wanted},
                           [=](NodeId) { return caught_up; });
}

TEST(MembershipPlanTest, NothingIsToBeDoneWhenAllIsAsWanted) {
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}};
  EXPECT_EQ(Next(now, {Of(3), Of(1), Of(2)}), std::nullopt);
}

TEST(MembershipPlanTest, AStepIsTakenOnlyFromACommittedConfiguration) {
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}};
  EXPECT_EQ(Next(now, {Of(1), Of(2), Of(4)}, true, /*committed=*/false), std::nullopt);
}

TEST(MembershipPlanTest, NewcomersLearnThenAllSwapInOneJointStep) {
  const std::vector<Member> wanted{Of(2), Of(3), Of(4)};
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}};
  const Configuration learning{now.voters, {}, {Learner(4)}};
  EXPECT_EQ(Next(now, wanted), learning);
  EXPECT_EQ(Next(learning, wanted, /*caught_up=*/false), std::nullopt);
  const Configuration joint{wanted, now.voters, {}};
  EXPECT_EQ(Next(learning, wanted), joint);
  EXPECT_EQ(Next(joint, wanted), (Configuration{wanted, {}, {}}));
}

TEST(MembershipPlanTest, LeaversAloneNeedNobodyToCatchUp) {
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}};
  EXPECT_EQ(Next(now, {Of(1), Of(2)}, /*caught_up=*/false),
            (Configuration{{Of(1), Of(2)}, now.voters, {}}));
}

TEST(MembershipPlanTest, AChangeOfMindLetsLearnersGo) {
  const Configuration learning{{Of(1), Of(2), Of(3)}, {}, {Learner(4)}};
  EXPECT_EQ(Next(learning, {Of(1), Of(2), Of(3)}), (Configuration{{Of(1), Of(2), Of(3)}, {}, {}}));
  EXPECT_EQ(Next(learning, {Of(1), Of(2), Of(5)}),
            (Configuration{{Of(1), Of(2), Of(3)}, {}, {Learner(5)}}));
}

TEST(MembershipPlanTest, AJointStepIsEndedBeforeAnotherBegins) {
  const Configuration joint{{Of(2), Of(3), Of(4)}, {Of(1), Of(2), Of(3)}, {}};
  EXPECT_EQ(Next(joint, {Of(1), Of(2), Of(3)}), (Configuration{{Of(2), Of(3), Of(4)}, {}, {}}));
}

// A leader that has not heard of the latest wish must not undo what was done for it.
TEST(MembershipPlanTest, LearnersThatAreToStayComeAndGoAtOnce) {
  const WantedMembers wanted{7, {Of(1), Of(2), Of(3)}, {Learner(4), Learner(5)}};
  auto next = [&wanted](const Configuration& current) {
    return NextConfiguration(current, true, wanted, [](NodeId) { return true; });
  };
  const Configuration first{{Of(1), Of(2), Of(3)}, {}, {}};
  const Configuration all{first.voters, {}, {Learner(4), Learner(5)}, 7};
  EXPECT_EQ(next(first), all);
  EXPECT_EQ(next(all), std::nullopt);
  EXPECT_TRUE(HasMembers(all, wanted));
  EXPECT_FALSE(HasMembers(first, wanted));
}

TEST(MembershipPlanTest, AVoterAndALearnerChangePlaces) {
  const WantedMembers wanted{7, {Of(1), Of(2), Of(4)}, {Learner(3), Learner(5)}};
  Configuration now{{Of(1), Of(2), Of(3)}, {}, {Learner(4), Learner(5)}};
  std::vector<Configuration> steps;
  while (auto next = NextConfiguration(now, true, wanted, [](NodeId) { return true; })) {
    steps.push_back(now = *next);
    ASSERT_LT(steps.size(), 10U);
  }
  const Configuration joint{{Of(1), Of(2), Of(4)}, {Of(1), Of(2), Of(3)}, {Learner(5)}, 7};
  EXPECT_THAT(steps, ::testing::Contains(joint)) << "5 hears everything meanwhile";
  EXPECT_TRUE(HasMembers(now, wanted));
}

TEST(MembershipPlanTest, AnOlderWishLeavesTheConfigurationOfALaterOneAlone) {
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}, 7};
  EXPECT_EQ(Next(now, {Of(1), Of(2)}, true, true, 6), std::nullopt);
  EXPECT_NE(Next(now, {Of(1), Of(2)}, true, true, 8), std::nullopt);
}

// Before the same members count as wanted, no leader with an older wish may act on them any more.
TEST(MembershipPlanTest, ANewWishForTheSameMembersIsWrittenDown) {
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}, 7};
  EXPECT_FALSE(IsAsWanted(now, {8, now.voters}));
  Configuration next = now;
  next.version = 8;
  EXPECT_EQ(Next(now, now.voters, true, true, 8), next);
  EXPECT_TRUE(IsAsWanted(next, {8, now.voters}));
}

// D18: a wiped disk is another incarnation of its node.
TEST(MembershipPlanTest, ANewIncarnationTakesTheOldOnesPlace) {
  const std::vector<Member> wanted{Of(1), Of(2), Of(3, 33)};
  const Configuration now{{Of(1), Of(2), Of(3)}, {}, {}};
  const Configuration learning{now.voters, {}, {Learner(3, 33)}};
  EXPECT_EQ(Next(now, wanted), learning);
  const Configuration joint{wanted, now.voters, {}};
  EXPECT_EQ(Next(learning, wanted), joint);
}

TEST(ReplacedVoterTest, WhatItsSuccessorSaysDoesNotCountForIt) {
  const Configuration learning{{Of(1), Of(2), Of(3)}, {}, {Learner(3, 33)}};
  EXPECT_TRUE(learning.IsReplaced(Of(3)));
  EXPECT_FALSE(learning.IsReplaced(Of(2)));
  EXPECT_EQ(learning.Count({NodeId(1), NodeId(3)}, {}), VoteResult::kPending);
  EXPECT_EQ(learning.Count({NodeId(1), NodeId(2)}, {}), VoteResult::kWon);
  EXPECT_EQ(learning.Count({NodeId(1)}, {NodeId(2)}), VoteResult::kLost);
  auto match = [](NodeId node) { return LogIndex(node == NodeId(2) ? 5 : 9); };
  EXPECT_EQ(learning.QuorumIndex(match), LogIndex(5));
}

TEST(ReplacedVoterTest, InAJointStepTheSuccessorCountsWhereItIsAVoterItself) {
  const Configuration joint{{Of(1), Of(2), Of(3, 33)}, {Of(1), Of(2), Of(3)}, {}};
  EXPECT_TRUE(joint.IsReplaced(Of(3)));
  EXPECT_FALSE(joint.IsReplaced(Of(3, 33)));
  EXPECT_FALSE(joint.IsReplaced(Of(1)));
  EXPECT_EQ(joint.Count({NodeId(1), NodeId(3)}, {}), VoteResult::kPending);
  EXPECT_EQ(joint.Count({NodeId(1), NodeId(2)}, {}), VoteResult::kWon);
}

}  // namespace
}  // namespace garam::raft
