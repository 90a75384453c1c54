#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/groups/group_fixture.h"

namespace garam {
namespace {

using ::testing::SizeIs;

class ClassicGroupTest : public GroupTest {};

TEST_F(ClassicGroupTest, TheFirstRebalanceWaitsForThoseThatStartTogether) {
  const Joined one = Join(Request());
  Pass(Millis(2900));
  const Joined two = Join(Request());
  Pass(Millis(200));
  EXPECT_FALSE(one->there());  // Somebody came: it is drawn out.
  Pass(Millis(3000));
  ASSERT_TRUE(one->there() && two->there());
  EXPECT_EQ(one->answer->generation, 1);
  EXPECT_EQ(two->answer->generation, 1);
  EXPECT_EQ(one->answer->leader, one->answer->member_id);
  EXPECT_THAT(one->answer->members, SizeIs(2));  // The leader alone is told who there is.
  EXPECT_THAT(two->answer->members, SizeIs(0));
  EXPECT_EQ(one->answer->protocol, "range");
}

TEST_F(ClassicGroupTest, ANewMemberLearnsItsIdBeforeItJoins) {
  JoinRequest request = Request();
  request.needs_known_id = true;
  const Joined told = Join(request);
  ASSERT_TRUE(told->there());
  EXPECT_EQ(told->error(), Errc::kMemberIdRequired);
  EXPECT_THAT(told->answer->member_id, ::testing::StartsWith("client-"));
  const Joined joined = Join(Request(told->answer->member_id));
  Pass(Millis(3000));
  EXPECT_EQ(joined->answer->member_id, told->answer->member_id);
}

TEST_F(ClassicGroupTest, AMemberThatNobodyKnowsIsTurnedAway) {
  EXPECT_EQ(Join(Request("who"))->error(), Errc::kUnknownMemberId);
  Form(1);
  EXPECT_EQ(Join(Request("who"))->error(), Errc::kUnknownMemberId);
  EXPECT_EQ(Beat("who", generation_), Errc::kUnknownMemberId);
  EXPECT_EQ(Sync("who", generation_)->error(), Errc::kUnknownMemberId);
}

TEST_F(ClassicGroupTest, EverybodyGetsWhatTheLeaderGave) {
  const Joined one = Join(Request());
  const Joined two = Join(Request());
  Pass(Millis(6000));
  const std::string leader = one->answer->member_id, other = two->answer->member_id;
  const Synced waits = Sync(other, 1);
  EXPECT_FALSE(waits->there());
  const Synced leads = Sync(leader, 1, {{leader, Bytes::Copy("a")}, {other, Bytes::Copy("b")}});
  EXPECT_FALSE(leads->there());  // It is not committed yet.
  EXPECT_EQ(Beat(other, 1), Errc::kUnknown);
  Commit();
  EXPECT_EQ(waits->answer->assignment.view(), "b");
  EXPECT_EQ(leads->answer->assignment.view(), "a");
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Sync(other, 1)->answer->assignment.view(), "b");  // An answer that was lost.
}

TEST_F(ClassicGroupTest, AnAssignmentThatCannotBeStoredIsTriedAgainFromTheStart) {
  const Joined one = Join(Request());
  Pass(Millis(3000));
  const Synced synced = Sync(one->answer->member_id, 1, {});
  FailAppends(Errc::kTimedOut);
  EXPECT_EQ(synced->error(), Errc::kTimedOut);
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicGroupTest, AMemberThatComesMakesTheOthersJoinAgain) {
  const auto members = Form(2);
  const Joined third = Join(Request());
  EXPECT_EQ(Beat(members[0], generation_), Errc::kRebalanceInProgress);
  const Joined first = Join(Request(members[0]));
  EXPECT_FALSE(first->there());
  const Joined second = Join(Request(members[1]));
  ASSERT_TRUE(first->there() && second->there() && third->there());
  EXPECT_EQ(third->answer->generation, generation_ + 1);
  EXPECT_EQ(first->answer->leader, members[0]);
}

TEST_F(ClassicGroupTest, AMemberThatDoesNotJoinAgainInTimeIsLeftOut) {
  const auto members = Form(2);
  const Joined third = Join(Request());
  const Joined second = Join(Request(members[1]));
  for (int beat = 0; beat < 12; ++beat) {
    Pass(Millis(5000));
    if (beat < 11) {
      EXPECT_EQ(Beat(members[0], generation_), Errc::kRebalanceInProgress);
    }
  }
  ASSERT_TRUE(second->there() && third->there());
  EXPECT_EQ(Beat(members[0], generation_ + 1), Errc::kUnknownMemberId);
  EXPECT_NE(second->answer->leader, members[0]);
}

TEST_F(ClassicGroupTest, AMemberThatIsNotHeardOfIsLeftOut) {
  const auto members = Form(2);
  Pass(Millis(9000));
  EXPECT_EQ(Beat(members[0], generation_), Errc::kUnknown);
  Pass(Millis(9000));
  EXPECT_EQ(Beat(members[0], generation_), Errc::kRebalanceInProgress);
  const Joined alone = Join(Request(members[0]));
  ASSERT_TRUE(alone->there());
  EXPECT_THAT(alone->answer->members, SizeIs(1));
}

TEST_F(ClassicGroupTest, ALeaderThatJoinedAndNeverSyncsIsLeftOut) {
  const Joined one = Join(Request());
  const Joined two = Join(Request());
  Pass(Millis(6000));
  const std::string leader = one->answer->member_id, other = two->answer->member_id;
  const Synced waits = Sync(other, 1);
  for (int beat = 0; beat < 12; ++beat) {
    EXPECT_EQ(Beat(leader, 1), Errc::kUnknown);
    Pass(Millis(5000));
  }
  ASSERT_TRUE(waits->there());
  EXPECT_EQ(waits->error(), Errc::kRebalanceInProgress);
  EXPECT_EQ(Beat(leader, 1), Errc::kUnknownMemberId);
  EXPECT_EQ(Join(Request(other))->answer->leader, other);
}

TEST_F(ClassicGroupTest, TheLastMemberThatLeavesEmptiesTheGroup) {
  const auto members = Form(1);
  const auto left = coordinator_->Leave("g", {{members[0], {}}, {"who", {}}});
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE((*left)[0].ok());
  EXPECT_EQ(ErrcOf((*left)[1]), Errc::kUnknownMemberId);
  EXPECT_EQ(State(), "Empty");
  Commit();
  Open();
  EXPECT_EQ(State(), "Empty");
  const Joined again = Join(Request());
  Pass(Millis(3000));
  EXPECT_EQ(again->answer->generation, generation_ + 2);
}

TEST_F(ClassicGroupTest, TheNextCoordinatorKnowsTheGroupAsItWas) {
  const auto members = Form(3);
  Open();
  EXPECT_EQ(State(), "Stable");
  for (const std::string& member : members) EXPECT_EQ(Beat(member, generation_), Errc::kUnknown);
  EXPECT_EQ(Sync(members[2], generation_)->answer->assignment.view(), "all of " + members[2]);
  Pass(Millis(9000));  // A whole session more for everybody.
  EXPECT_EQ(Beat(members[1], generation_), Errc::kUnknown);
}

TEST_F(ClassicGroupTest, WhoWaitsIsToldWhenTheCoordinatorGoes) {
  const Joined joined = Join(Request());
  coordinator_->Resign();
  ASSERT_TRUE(joined->there());
  EXPECT_EQ(joined->error(), Errc::kNotCoordinator);
  EXPECT_EQ(Join(Request())->error(), Errc::kNotCoordinator);
  EXPECT_EQ(Beat("m", 1), Errc::kNotCoordinator);
}

TEST_F(ClassicGroupTest, AnOldGenerationIsFenced) {
  const auto members = Form(1);
  EXPECT_EQ(Beat(members[0], generation_ - 1), Errc::kIllegalGeneration);
  EXPECT_EQ(Sync(members[0], generation_ + 1)->error(), Errc::kIllegalGeneration);
  EXPECT_EQ(ErrcOf(**CommitOffset(5, members[0], generation_ - 1)), Errc::kIllegalGeneration);
}

TEST_F(ClassicGroupTest, MembersNeedAProtocolInCommon) {
  Form(1);
  JoinRequest other = Request();
  other.protocols = {{"roundrobin", SubscriptionTo({"t"})}};
  EXPECT_EQ(Join(other)->error(), Errc::kInconsistentGroupProtocol);
  other = Request();
  other.protocol_type = "connect";
  EXPECT_EQ(Join(other)->error(), Errc::kInconsistentGroupProtocol);
  other = Request();
  other.protocols.clear();
  EXPECT_EQ(Join(other, "another")->error(), Errc::kInconsistentGroupProtocol);
}

TEST_F(ClassicGroupTest, TheProtocolIsTheOneThatMostPreferOfThoseThatAllHave) {
  JoinRequest a = Request(), b = Request(), c = Request();
  a.protocols = {{"x", Bytes()}, {"range", Bytes()}, {"sticky", Bytes()}};
  b.protocols = {{"sticky", Bytes()}, {"range", Bytes()}};
  c.protocols = {{"sticky", Bytes()}, {"range", Bytes()}};
  const Joined joined = Join(a);
  Join(b);
  Join(c);
  Pass(Millis(9000));
  EXPECT_EQ(joined->answer->protocol, "sticky");
}

TEST_F(ClassicGroupTest, AStaticMemberThatRestartsTakesItsPlaceWithoutARebalance) {
  const Joined one = Join(Static("a"));
  const Joined two = Join(Static("b"));
  Pass(Millis(6000));
  const std::string old_id = two->answer->member_id;
  Sync(one->answer->member_id, 1, {{old_id, Bytes::Copy("mine")}}, "a");
  Commit();
  const Joined back = Join(Static("b"));
  EXPECT_FALSE(back->there());  // Until the next coordinator would know it as well.
  Commit();
  ASSERT_TRUE(back->there());
  EXPECT_EQ(back->answer->generation, 1);
  EXPECT_NE(back->answer->member_id, old_id);
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Sync(back->answer->member_id, 1, {}, "b")->answer->assignment.view(), "mine");
  SyncRequest fenced;
  EXPECT_EQ(Sync(old_id, 1, {}, "b")->error(), Errc::kFencedInstanceId);
}

TEST_F(ClassicGroupTest, AStaticLeaderThatRestartsIsNotAskedToAssign) {
  const Joined one = Join(Static("a"));
  Pass(Millis(3000));
  const std::string old_id = one->answer->member_id;
  Sync(old_id, 1, {}, "a");
  Commit();
  const Joined back = Join(Static("a"));
  Commit();
  EXPECT_EQ(back->answer->leader, old_id);
  JoinRequest newer = Static("a");
  newer.may_skip_assignment = true;
  const Joined again = Join(newer);
  Commit();
  EXPECT_TRUE(again->answer->skip_assignment);
  EXPECT_EQ(again->answer->leader, again->answer->member_id);
  EXPECT_THAT(again->answer->members, SizeIs(1));
}

TEST_F(ClassicGroupTest, AStaticMemberKeepsItsPlaceUntilItsSessionEnds) {
  const Joined one = Join(Static("a"));
  const Joined two = Join(Static("b"));
  Pass(Millis(6000));
  Sync(one->answer->member_id, 1, {}, "a");
  Sync(two->answer->member_id, 1, {}, "b");
  Commit();
  Pass(Millis(9000));
  EXPECT_TRUE(coordinator_->Heartbeat("g", {one->answer->member_id, "a"}, 1).ok());
  Pass(Millis(2000));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(ClassicGroupTest, AnAdministratorRemovesAStaticMemberByItsInstance) {
  const Joined one = Join(Static("a"));
  Pass(Millis(3000));
  Sync(one->answer->member_id, 1, {}, "a");
  Commit();
  const auto left = coordinator_->Leave("g", {{"", "nobody"}, {"", "a"}});
  EXPECT_EQ(ErrcOf((*left)[0]), Errc::kUnknownMemberId);
  EXPECT_TRUE((*left)[1].ok());
  EXPECT_EQ(State(), "Empty");
}

class SmallGroupTest : public GroupTest {
 protected:
  static GroupLimits Small() {
    GroupLimits limits;
    limits.group_size_max = 2;
    limits.initial_rebalance_delay = Duration(0);
    return limits;
  }
  SmallGroupTest() : GroupTest(Small()) {}
};

TEST_F(SmallGroupTest, AFullGroupTakesNobodyElse) {
  const Joined one = Join(Request());
  ASSERT_TRUE(one->there());  // No delay: at once, alone.
  const Joined two = Join(Request());
  EXPECT_FALSE(two->there());
  const Joined again = Join(Request(one->answer->member_id));
  ASSERT_TRUE(again->there() && two->there());
  EXPECT_EQ(Join(Request())->error(), Errc::kGroupFull);
}

TEST_F(ClassicGroupTest, SessionsHaveBounds) {
  JoinRequest request = Request();
  request.session_timeout = Millis(5999);
  EXPECT_EQ(Join(request)->error(), Errc::kInvalidSessionTimeout);
  request.session_timeout = Millis(1'800'001);
  EXPECT_EQ(Join(request)->error(), Errc::kInvalidSessionTimeout);
  EXPECT_EQ(Join(Request(), "")->error(), Errc::kInvalidGroupId);
}

}  // namespace
}  // namespace garam
