// Who leads: Raft thesis 3.4 and 9.6, design D17, and pitfalls 2, 3, 16, 30-34.
#include <set>

#include "tests/unit/raft/core_fixture.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using ElectionTest = CoreTest;

TEST_F(ElectionTest, AGroupWithoutALeaderElectsOneWithinTwoElectionTimeouts) {
  Make();
  cluster().RunFor(Millis(1200));
  ASSERT_NE(cluster().Leader(), kNoNode);
  for (NodeId node : cluster().ids()) EXPECT_EQ(core(node).leader(), cluster().Leader());
}

TEST_F(ElectionTest, ASoleVoterLeadsAtOnceButNotBeforeItsVoteIsDurable) {
  ClusterOptions options;
  options.nodes = 1;
  Make(options);
  cluster().HoldDisk(kA, true);
  cluster().Run();
  EXPECT_EQ(core(kA).role(), Role::kCandidate);
  cluster().HoldDisk(kA, false);
  cluster().Run();
  EXPECT_TRUE(core(kA).confirmed());
}

TEST_F(ElectionTest, ThePreferredReplicaOfANewGroupStandsAtOnce) {
  Make();
  const MonoTime start = now();
  cluster().Elect(kB);
  EXPECT_EQ(now(), start);
}

TEST_F(ElectionTest, APreVoteChangesNobodysTerm) {
  Make();
  cluster().filter = [](const Envelope& envelope) { return !Is<VoteReply>(envelope); };
  cluster().Do(kA, [&](Core& a) { a.Campaign(now()); });
  cluster().Run();
  EXPECT_EQ(core(kA).term(), Term(0));
  EXPECT_EQ(core(kB).term(), Term(0));
}

TEST_F(ElectionTest, AVoterVotesForOneCandidateATerm) {
  Make();
  cluster().Step(kA, kB, VoteRequest{Term(1), false, false, Incarnation(102), {}, {}});
  cluster().Step(kA, kC, VoteRequest{Term(1), false, false, Incarnation(103), {}, {}});
  cluster().Run();
  EXPECT_THAT(Sent<VoteReply>(kA, kB), ElementsAre(VoteReply{Term(1), false, true}));
  EXPECT_THAT(Sent<VoteReply>(kA, kC), ElementsAre(VoteReply{Term(1), false, false}));
}

TEST_F(ElectionTest, AVoteCountsOnlyFromTheMemberThatTheConfigurationHas) {
  Make();
  cluster().filter = [](const Envelope& envelope) { return !Is<VoteReply>(envelope); };
  cluster().Do(kA, [&](Core& a) { a.Step(kB, TimeoutNow{Term(0)}, now()); });
  cluster().Run();
  ASSERT_EQ(core(kA).role(), Role::kCandidate);
  const Term term = core(kA).term();
  // B has lost its disk, and does not know what it voted.
  cluster().Step(kA, kB, VoteReply{term, false, true, false, Incarnation(999)});
  EXPECT_FALSE(core(kA).is_leader());
  const Incarnation b = core(kA).configuration().LatestOf(kB);
  cluster().Step(kA, kB, VoteReply{term, false, true, false, b});
  EXPECT_TRUE(core(kA).is_leader());
}

TEST_F(ElectionTest, AVoterGivesItsVoteAgainToTheSameCandidateOnly) {
  Make();
  const VoteRequest request{Term(1), false, false, Incarnation(102), {}, {}};
  VoteRequest reborn = request;
  reborn.incarnation = Incarnation(999);
  for (const VoteRequest& each : {request, request, reborn}) {
    cluster().Step(kA, kB, each);
    cluster().Run();
  }
  EXPECT_THAT(Sent<VoteReply>(kA, kB),
              ElementsAre(VoteReply{Term(1), false, true}, VoteReply{Term(1), false, true},
                          VoteReply{Term(1), false, false}));
}

TEST_F(ElectionTest, Pitfall2AVoteLeavesOnlyWhenItIsDurableAndSurvivesARestart) {
  Make();
  cluster().HoldDisk(kA, true);
  cluster().Step(kA, kB, VoteRequest{Term(1), false, false, Incarnation(102), {}, {}});
  cluster().Run();
  EXPECT_THAT(Sent<VoteReply>(kA, kB), IsEmpty());
  cluster().FinishHardState(kA);
  EXPECT_THAT(Sent<VoteReply>(kA, kB), SizeIs(1));
  cluster().Crash(kA, Cluster::Loss::kPower);
  cluster().Restart(kA);
  cluster().Step(kA, kC, VoteRequest{Term(1), false, false, Incarnation(103), {}, {}});
  cluster().Run();
  EXPECT_THAT(Sent<VoteReply>(kA, kC), ElementsAre(VoteReply{Term(1), false, false}));
}

TEST_F(ElectionTest, Pitfall3NoRequestForVotesLeavesBeforeItsTermIsDurable) {
  Make();
  cluster().HoldDisk(kA, true);
  cluster().Do(kA, [&](Core& a) { a.Campaign(now()); });
  cluster().Run();
  EXPECT_EQ(core(kA).role(), Role::kCandidate);
  EXPECT_THAT(Sent<VoteRequest>(kA, kB), SizeIs(1));  // The pre-vote.
  cluster().FinishHardState(kA);
  EXPECT_THAT(Sent<VoteRequest>(kA, kB), SizeIs(2));
  EXPECT_EQ(cluster().disk_hard_state(kA).term, Term(1));
}

// Notes 3.5: won with a term that the disk has forgotten, a candidate could win it twice.
TEST_F(ElectionTest, ACandidateThatCrashesBeforeItsTermIsDurableNeverSpokeInIt) {
  Make();
  cluster().HoldDisk(kA, true);
  cluster().Do(kA, [&](Core& a) { a.Campaign(now()); });
  cluster().Run();
  cluster().Crash(kA, Cluster::Loss::kPower);
  cluster().Restart(kA);
  EXPECT_EQ(core(kA).term(), Term(0));
  cluster().Elect(kA);
  EXPECT_EQ(core(kA).term(), Term(1));
  EXPECT_EQ(cluster().oracle().committed(), 1u);
}

TEST_F(ElectionTest, AVoterRefusesACandidateWhoseLogIsBehindItsOwn) {
  MakeLed();
  cluster().Isolate(kC);
  ASSERT_TRUE(cluster().Propose(kA, "c lacks this").ok());
  cluster().Run();
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().Rejoin(kC);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(1000));
  EXPECT_EQ(cluster().Leader(), kB);
}

TEST_F(ElectionTest, Pitfall31AVoterWhoseLeaderIsAliveRefusesAndKeepsItsTerm) {
  MakeLed();
  cluster().Isolate(kC);
  cluster().Do(kC, [&](Core& c) { c.NodeSuspect(kA, now()); });
  cluster().RunFor(Millis(5000));
  EXPECT_EQ(core(kC).term(), Term(1)) << "without a majority of pre-votes it stays in its term";
  cluster().Rejoin(kC);
  cluster().RunFor(Millis(1000));
  EXPECT_EQ(core(kC).leader(), kA);
  EXPECT_EQ(core(kA).term(), Term(1));
}

TEST_F(ElectionTest, Pitfall31AVoteOfAHigherTermDoesNotDeposeALeaderThatIsAlive) {
  MakeLed();
  cluster().Step(kB, kC,
                 VoteRequest{Term(9), false, false, Incarnation(103), LogIndex(99), Term(9)});
  cluster().Run();
  EXPECT_EQ(core(kB).term(), Term(1));
  EXPECT_EQ(core(kB).leader(), kA);
}

TEST_F(ElectionTest, Pitfall31AnAnswerFromAHigherTermMakesTheLeaderStepDown) {
  MakeLed();
  cluster().Step(kC, kB, TimeoutNow{Term(4)});  // C stands in term 5, and nobody hears it.
  cluster().filter = [](const Envelope& envelope) { return !Is<VoteRequest>(envelope); };
  cluster().Run();
  ASSERT_EQ(core(kC).term(), Term(5));
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  EXPECT_FALSE(core(kA).is_leader());
  cluster().filter = nullptr;
  cluster().RunFor(Millis(2000));
  ASSERT_NE(cluster().Leader(), kNoNode);
  EXPECT_GE(core(cluster().Leader()).term(), Term(6));
}

TEST_F(ElectionTest, ADownLeaderIsReplacedAtOnceByOneCandidateAfterTheOther) {
  MakeLed();
  cluster().ClearSent();
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(30));
  ASSERT_NE(cluster().Leader(), kNoNode);
  const NodeId other = cluster().Leader() == kB ? kC : kB;
  EXPECT_THAT(Sent<VoteRequest>(other, cluster().Leader()), IsEmpty())
      << "pitfall 33: the second in rank waits for its turn";
}

TEST_F(ElectionTest, Pitfall33TheGroupsOfADeadLeaderSpreadOverTheSurvivors) {
  std::map<NodeId, int> led;
  for (uint64_t group = 1; group <= 40; ++group) {
    ClusterOptions options;
    options.seed = group;
    options.adjust = [group](CoreOptions& core) { core.group = GroupId(group); };
    MakeLed(options);
    cluster().Crash(kA, Cluster::Loss::kProcess);
    cluster().AnnounceDown(kA);
    cluster().RunFor(Millis(200));
    ++led[cluster().Leader()];
  }
  EXPECT_GT(led[kB], 8);
  EXPECT_GT(led[kC], 8);
}

TEST_F(ElectionTest, ThePreferredReplicaIsFirstInRank) {
  ClusterOptions options;
  options.adjust = [](CoreOptions& core) { core.preferred = kC; };
  MakeLed(options);
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(30));
  EXPECT_EQ(cluster().Leader(), kC);
}

TEST_F(ElectionTest, Pitfall34AnElectionWaitsForNobodyWhoIsDown) {
  MakeWith(5);
  cluster().Elect(kA);
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().Crash(kE, Cluster::Loss::kProcess);
  cluster().ClearSent();
  cluster().AnnounceDown(kE);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(100));
  ASSERT_NE(cluster().Leader(), kNoNode);
  EXPECT_THAT(Sent<VoteRequest>(cluster().Leader(), kE), IsEmpty());
}

TEST_F(ElectionTest, ASuspectLeaderGetsANormalElectionTimeout) {
  MakeLed();
  cluster().Isolate(kA);
  cluster().AnnounceSuspect(kA);
  cluster().RunFor(Millis(390));
  EXPECT_EQ(core(kB).role(), Role::kFollower);
  EXPECT_EQ(core(kC).role(), Role::kFollower);
  cluster().RunFor(Millis(300));
  EXPECT_NE(cluster().Leader(), kA);
}

TEST_F(ElectionTest, ASuspectLeaderThatIsHeardAgainIsKept) {
  MakeLed();
  cluster().AnnounceSuspect(kA);
  cluster().RunFor(Millis(200));
  cluster().AnnounceUp(kA);
  cluster().RunFor(Millis(5000));
  EXPECT_EQ(core(kA).term(), Term(1));
  EXPECT_TRUE(core(kA).is_leader());
}

TEST_F(ElectionTest, Pitfall30ATickThatComesLateIsOurOwnPauseAndNobodysSilence) {
  MakeLed();
  core(kB).NodeSuspect(kA, now());
  ASSERT_TRUE(core(kB).NextDeadline().has_value());
  const MonoTime resumed = *core(kB).NextDeadline() + Millis(900);
  core(kB).Tick(resumed);
  EXPECT_EQ(core(kB).role(), Role::kFollower);
  ASSERT_TRUE(core(kB).NextDeadline().has_value());
  EXPECT_GE(*core(kB).NextDeadline(), resumed + Millis(400));
  core(kB).Tick(*core(kB).NextDeadline());
  EXPECT_EQ(core(kB).role(), Role::kPreCandidate) << "the next one, in time, counts";
}

TEST_F(ElectionTest, APausedLeaderDoesNotTakeItsOwnPauseForALostQuorum) {
  MakeLed();
  for (NodeId node : {kB, kC}) core(kA).NodeSuspect(node, now());
  const MonoTime resumed = *core(kA).NextDeadline() + Millis(3000);
  core(kA).Tick(resumed);
  EXPECT_TRUE(core(kA).is_leader());
  core(kA).NodeUp(kB, resumed);
  core(kA).NodeUp(kC, resumed);
  core(kA).Tick(resumed + Millis(1000));
  EXPECT_TRUE(core(kA).is_leader());
}

TEST_F(ElectionTest, Pitfall32ALeaderThatReachesNoQuorumStepsDownThoughABridgeHearsIt) {
  MakeWith(5);
  cluster().Elect(kA);
  // A reaches only B; B reaches all.
  for (NodeId node : {kC, kD, kE}) {
    cluster().Cut(kA, node);
    cluster().Do(kA, [&](Core& core) { core.NodeSuspect(node, now()); });
    cluster().Do(node, [&](Core& core) { core.NodeSuspect(kA, now()); });
  }
  cluster().RunFor(Millis(450));
  EXPECT_FALSE(core(kA).is_leader());
  cluster().Do(kB, [&](Core& b) { b.LeaderLost(kA, Term(1), now()); });
  cluster().RunFor(Millis(1000));
  ASSERT_NE(cluster().Leader(), kNoNode);
  EXPECT_TRUE(core(cluster().Leader()).confirmed());
}

TEST_F(ElectionTest, Pitfall35ARestartedFollowerDoesNotWinAnElectionThatIsNotNeeded) {
  MakeLed();
  cluster().Crash(kC, Cluster::Loss::kProcess);
  cluster().Restart(kC);  // Nobody noticed: no reset, no event.
  cluster().RunFor(Millis(3000));
  EXPECT_EQ(core(kA).term(), Term(1));
  EXPECT_EQ(core(kC).leader(), kA) << "its pre-vote told the leader that it is lost";
}

TEST_F(ElectionTest, AVoteRequestOfAPoorLogDoesNotPutOffOurOwnTurn) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  core(kB).NodeDown(kA, now());
  const MonoTime own_turn = *core(kB).NextDeadline();
  core(kB).Step(kC, VoteRequest{Term(2), false, false, Incarnation(103), LogIndex(1), Term(1)},
                now());
  EXPECT_EQ(*core(kB).NextDeadline(), own_turn);
}

TEST_F(ElectionTest, Pitfall16ABlankReplicaAndAnotherIncarnationDoNotVote) {
  SeededRandom random(1);
  CoreOptions options;
  options.self = kA;
  options.incarnation = Incarnation(101);
  const VoteRequest request{Term(1), false, false, Incarnation(102), LogIndex(9), Term(1)};
  auto granted = [&](Core& core) {
    core.Step(kB, request, MonoTime{});
    Ready ready = core.TakeReady();
    core.OnHardStateDurable(ready.seq, MonoTime{});
    ready = core.TakeReady();
    return std::get<VoteReply>(ready.messages.at(0).message).granted;
  };
  Core blank(options, {}, random, MonoTime{});
  EXPECT_FALSE(granted(blank));
  EXPECT_EQ(blank.NextDeadline(), std::nullopt);

  InitialState named;
  named.configurations.push_back({LogIndex(0), Voters(3)});
  options.incarnation = Incarnation(555);
  Core wiped(options, named, random, MonoTime{});
  EXPECT_FALSE(granted(wiped));
  EXPECT_EQ(wiped.NextDeadline(), std::nullopt);

  options.incarnation = Incarnation(101);
  Core voter(options, named, random, MonoTime{});
  EXPECT_TRUE(granted(voter));
}

TEST_F(ElectionTest, AReplicaInDoubtNeitherVotesNorStandsButFollows) {
  MakeLed();
  cluster().Do(kB, [&](Core& b) { b.SetStanding(Standing::kNone, now()); });
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  EXPECT_EQ(core(kB).commit_index(), core(kB).last_index() - 1);
  EXPECT_EQ(core(kA).MatchOf(kB), core(kA).last_index());
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(3000));
  EXPECT_EQ(cluster().Leader(), kNoNode) << "C alone is no majority of those not in doubt";
  cluster().Do(kB, [&](Core& b) { b.SetStanding(Standing::kFull, now()); });
  cluster().RunFor(Millis(1500));
  EXPECT_NE(cluster().Leader(), kNoNode);
}

TEST_F(ElectionTest, ADrainingReplicaVotesAndDoesNotStand) {
  MakeLed();
  cluster().Do(kB, [&](Core& b) { b.SetStanding(Standing::kVoteOnly, now()); });
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(1000));
  EXPECT_EQ(cluster().Leader(), kC);
}

TEST_F(ElectionTest, ALogThatOutranTheHardStateRaisesTheTerm) {
  SeededRandom random(1);
  CoreOptions options;
  options.self = kA;
  options.incarnation = Incarnation(101);
  InitialState state;
  state.hard_state = {Term(3), kB, Incarnation(102)};
  state.terms.Append(Term(5), LogIndex(1), Offset(0));
  state.last_index = LogIndex(1);
  state.configurations.push_back({LogIndex(0), Voters(3)});
  Core core(options, state, random, MonoTime{});
  const Ready ready = core.TakeReady();
  EXPECT_EQ(ready.hard_state, (HardState{Term(5), kNoNode, Incarnation(0)}));
}

TEST_F(ElectionTest, LeadershipIsHandedToTheVoterThatIsAskedFor) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  const MonoTime start = now();
  cluster().Do(kA, [&](Core& a) { EXPECT_TRUE(a.Transfer(kC, now()).ok()); });
  cluster().Run();
  EXPECT_EQ(cluster().Leader(), kC);
  EXPECT_TRUE(core(kC).confirmed());
  EXPECT_EQ(now(), start) << "no timeout is waited for";
  EXPECT_THAT(cluster().Payloads(kC), ElementsAre("x"));
}

TEST_F(ElectionTest, DuringAHandOverNothingIsProposedAndItGivesUpAfterAnElectionTimeout) {
  MakeLed();
  cluster().Isolate(kC);
  ASSERT_TRUE(cluster().Propose(kA, "c lacks this").ok());
  cluster().Do(kA, [&](Core& a) { EXPECT_TRUE(a.Transfer(kC, now()).ok()); });
  EXPECT_EQ(ErrcOf(cluster().Propose(kA, "refused").status()), Errc::kNotLeader);
  cluster().RunFor(Millis(401));
  EXPECT_TRUE(cluster().Propose(kA, "taken").ok());
}

TEST_F(ElectionTest, GroupsAreHandedToDifferentSuccessors) {
  std::set<NodeId> successors;
  for (uint64_t group = 1; group <= 20; ++group) {
    ClusterOptions options;
    options.adjust = [group](CoreOptions& core) { core.group = GroupId(group); };
    MakeLed(options);
    cluster().Do(kA, [&](Core& a) { EXPECT_TRUE(a.Transfer(kNoNode, now()).ok()); });
    cluster().RunFor(Millis(50));
    successors.insert(cluster().Leader());
  }
  EXPECT_THAT(successors, UnorderedElementsAre(kB, kC));
}

TEST_F(ElectionTest, ASuccessorHasWhatIsCommitted) {
  for (uint64_t group = 1; group <= 20; ++group) {
    ClusterOptions options;
    options.adjust = [group](CoreOptions& core) { core.group = GroupId(group); };
    MakeLed(options);
    cluster().Cut(kA, kC);
    ASSERT_TRUE(cluster().Propose(kA, "c lacks this").ok());
    cluster().Run();
    cluster().Do(kA, [&](Core& a) { EXPECT_TRUE(a.Transfer(kNoNode, now()).ok()); });
    cluster().RunFor(Millis(50));
    EXPECT_EQ(cluster().Leader(), kB);
  }
}

TEST_F(ElectionTest, HandingOverToNobodyOrToAStrangerIsRefused) {
  MakeLed();
  EXPECT_EQ(ErrcOf(core(kA).Transfer(NodeId(77), now())), Errc::kInvalidRequest);
  EXPECT_EQ(ErrcOf(core(kB).Transfer(kC, now())), Errc::kNotLeader);
  cluster().AnnounceSuspect(kB);
  cluster().AnnounceSuspect(kC);
  EXPECT_EQ(ErrcOf(core(kA).Transfer(kNoNode, now())), Errc::kInvalidRequest);
}

TEST_F(ElectionTest, ALeaderWhoseStorageFailedMakesAnotherStandAtOnce) {
  MakeLed();
  const MonoTime start = now();
  cluster().Do(kA, [&](Core& a) { a.SetStanding(Standing::kNone, now()); });
  cluster().Run();
  EXPECT_THAT(cluster().Leader(), ::testing::AnyOf(kB, kC));
  EXPECT_EQ(now(), start);
  cluster().RunFor(Millis(3000));
  EXPECT_NE(cluster().Leader(), kA);
}

TEST_F(ElectionTest, AMajorityOfDeadVotersIsNotAskedAgainAndAgain) {
  MakeLed();
  for (NodeId node : {kA, kC}) cluster().Crash(node, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().AnnounceDown(kC);
  cluster().ClearSent();
  cluster().RunFor(Millis(5000));
  EXPECT_THAT(cluster().sent(), IsEmpty());
  cluster().Restart(kC);
  cluster().AnnounceRestarted(kC);
  cluster().RunFor(Millis(2000));
  EXPECT_EQ(cluster().Leader(), kB);
}

}  // namespace
}  // namespace garam::raft
