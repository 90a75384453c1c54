// What a core does with configuration entries: Raft thesis chapter 4, pitfalls 11-14.
#include "tests/unit/raft/core_fixture.h"

namespace garam::raft {
namespace {

using ::testing::SizeIs;

class MembershipTest : public CoreTest {
 protected:
  // Five nodes run; A, B and C are the voters.
  void MakeThreeOfFive() {
    ClusterOptions options;
    options.nodes = 5;
    options.configuration = Voters(3);
    MakeLed(options);
  }
  absl::StatusOr<LogIndex> Change(NodeId node, const Configuration& configuration) {
    LogEntry entry;
    entry.kind = EntryKind::kConfiguration;
    entry.bytes = Bytes::Copy(configuration.Encode());
    auto index = core(node).Propose(core(node).term(), {entry}, now());
    cluster().Drain(node);
    return index;
  }
  static Configuration Joint() {
    Configuration joint = Voters(5);
    joint.outgoing = Voters(3).voters;
    joint.voters.erase(joint.voters.begin() + 1, joint.voters.begin() + 3);  // A, D, E.
    return joint;
  }
};

TEST_F(MembershipTest, AConfigurationIsInForceFromTheMomentItIsInTheLog) {
  MakeThreeOfFive();
  cluster().Isolate(kA);
  ASSERT_TRUE(Change(kA, Joint()).ok());
  EXPECT_EQ(core(kA).configuration(), Joint());
  EXPECT_THAT(core(kA).progress(), SizeIs(4));
}

TEST_F(MembershipTest, AJointConfigurationCommitsWithBothMajorities) {
  MakeThreeOfFive();
  cluster().Isolate(kD);
  cluster().Isolate(kE);
  const auto index = Change(kA, Joint());
  cluster().Run();
  EXPECT_LT(core(kA).commit_index(), *index) << "A alone is no majority of A, D, E";
  cluster().Rejoin(kD);
  cluster().RunFor(Millis(1100));
  EXPECT_GE(core(kA).commit_index(), *index);
}

TEST_F(MembershipTest, Pitfall11NoChangeBeforeAnEntryOfTheOwnTermIsCommitted) {
  ClusterOptions options;
  Make(options);
  cluster().filter = [](const Envelope& envelope) { return !Is<Append>(envelope); };
  cluster().Do(kA, [&](Core& a) { a.Campaign(now()); });
  cluster().Run();
  ASSERT_TRUE(core(kA).is_leader());
  EXPECT_EQ(ErrcOf(Change(kA, Voters(3)).status()), Errc::kInvalidRequest);
}

TEST_F(MembershipTest, Pitfall11NoChangeWhileAnotherIsNotCommitted) {
  MakeThreeOfFive();
  cluster().Isolate(kA);
  ASSERT_TRUE(Change(kA, Joint()).ok());
  EXPECT_EQ(ErrcOf(Change(kA, Voters(3)).status()), Errc::kInvalidRequest);
}

TEST_F(MembershipTest, AnUnreadableConfigurationIsRefused) {
  MakeThreeOfFive();
  LogEntry entry;
  entry.kind = EntryKind::kConfiguration;
  entry.bytes = Bytes::Copy("\x09junk");
  EXPECT_EQ(ErrcOf(core(kA).Propose(Term(1), {entry}, now()).status()), Errc::kUnsupportedVersion);
}

TEST_F(MembershipTest, Pitfall12ATruncatedConfigurationIsNoLongerInForce) {
  MakeThreeOfFive();
  cluster().Isolate(kA);
  ASSERT_TRUE(Change(kA, Joint()).ok());
  cluster().Run();
  ASSERT_EQ(core(kA).configuration(), Joint());
  cluster().Step(kA, kB,
                 Append{Term(2),
                        1,
                        LogIndex(1),
                        Term(1),
                        LogIndex(1),
                        {{LogIndex(2), Term(2), EntryKind::kNoop, Bytes()}}});
  EXPECT_EQ(core(kA).configuration(), Voters(3));
}

TEST_F(MembershipTest, ARestartedReplicaFindsItsConfigurationInItsLog) {
  MakeThreeOfFive();
  ASSERT_TRUE(Change(kA, Joint()).ok());
  cluster().RunFor(Millis(100));
  cluster().Crash(kB, Cluster::Loss::kPower);
  cluster().Restart(kB);
  EXPECT_EQ(core(kB).configuration(), Joint());
}

TEST_F(MembershipTest, Pitfall13AReplicaThatDoesNotKnowOfItsPromotionVotes) {
  MakeThreeOfFive();
  cluster().Step(kD, kA,
                 VoteRequest{Term(2), false, false, Incarnation(101), LogIndex(9), Term(1)});
  cluster().Run();
  ASSERT_THAT(Sent<VoteReply>(kD, kA), SizeIs(1));
  EXPECT_TRUE(Sent<VoteReply>(kD, kA)[0].granted);
}

TEST_F(MembershipTest, Pitfall14ARemovedLeaderLeadsUntilItsRemovalIsCommitted) {
  MakeThreeOfFive();
  Configuration without_a = Voters(4);
  without_a.voters.erase(without_a.voters.begin());
  cluster().Isolate(kA);
  ASSERT_TRUE(Change(kA, without_a).ok());
  cluster().Run();
  EXPECT_TRUE(core(kA).is_leader());
  cluster().Rejoin(kA);
  cluster().RunFor(Millis(2500));
  EXPECT_FALSE(core(kA).is_leader());
  ASSERT_NE(cluster().Leader(), kNoNode);
  EXPECT_TRUE(core(cluster().Leader()).confirmed());
  EXPECT_EQ(core(cluster().Leader()).configuration(), without_a);
}

TEST_F(MembershipTest, ALeaderThatAppendedItsOwnRemovalAndStoppedStandsAgain) {
  ClusterOptions options;
  const std::vector<Member> three = Voters(3).voters;
  options.configuration = Configuration{};
  options.configuration->voters = {three[1], three[2]};    // B, C.
  options.configuration->outgoing = {three[0], three[2]};  // A, C.
  MakeLed(options);
  // Out of the joint step, on A's disk only: the others need A's vote, and their logs are shorter.
  cluster().Isolate(kA);
  Configuration after = core(kA).configuration();
  after.outgoing.clear();
  ASSERT_TRUE(Change(kA, after).ok());
  cluster().Run();
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().Rejoin(kA);
  cluster().RunFor(Millis(1000));
  cluster().Restart(kA);
  cluster().AnnounceRestarted(kA);
  cluster().RunFor(Millis(5000));
  ASSERT_NE(cluster().Leader(), kNoNode);
  EXPECT_EQ(core(kB).configuration(), after);
  EXPECT_TRUE(core(cluster().Leader()).confirmed());
}

TEST_F(MembershipTest, ALearnerIsSentEverythingAndCountsForNothing) {
  ClusterOptions options;
  options.nodes = 4;
  options.configuration = Voters(3);
  options.configuration->learners.push_back({kD, Incarnation(104), MemberRole::kLearner});
  MakeLed(options);
  cluster().Isolate(kB);
  cluster().Isolate(kC);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  EXPECT_EQ(core(kA).MatchOf(kD), LogIndex(2));
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1));
  EXPECT_EQ(core(kD).NextDeadline(), std::nullopt) << "it never stands";
}

TEST_F(MembershipTest, AMemberThatComesBackWithinALeadershipIsHeardAgain) {
  MakeLed();
  // Their conversation has been started over, as it is when a stream breaks.
  for (int i = 0; i < 2; ++i) {
    cluster().Do(kA, [&](Core& a) { a.PeerReset(kC, now()); });
    cluster().Run();
  }
  ASSERT_TRUE(Change(kA, Voters(2)).ok());
  cluster().Run();
  Configuration with_c = Voters(2);
  with_c.learners.push_back({kC, Voters(3).voters[2].incarnation, MemberRole::kLearner});
  ASSERT_TRUE(Change(kA, with_c).ok());
  cluster().RunFor(Millis(1000));
  EXPECT_EQ(core(kC).last_index(), core(kA).last_index());
  EXPECT_EQ(core(kA).MatchOf(kC), core(kA).last_index());
}

TEST_F(MembershipTest, WhatANodesFormerMemberHadIsNotWhatItsSuccessorHas) {
  MakeLed();
  ASSERT_EQ(core(kA).MatchOf(kC), LogIndex(1));
  Configuration another_c = Voters(3);
  another_c.voters[2].incarnation = Incarnation(999);
  ASSERT_TRUE(Change(kA, another_c).ok());
  EXPECT_EQ(core(kA).MatchOf(kC), LogIndex(0));
}

}  // namespace
}  // namespace garam::raft
