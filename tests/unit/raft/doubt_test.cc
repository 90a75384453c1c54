// A replica whose machine lost power while the end of its log was only in memory (D3).
#include "tests/unit/raft/core_fixture.h"

namespace garam::raft {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class DoubtTest : public CoreTest {
 protected:
  static ClusterOptions WrittenCounts() {
    ClusterOptions options;
    options.stage = Stage::kWritten;
    return options;
  }
  // A leads; "x" is committed by A and B, which has it in memory only; C lacks it.
  void CommitInMemory(ClusterOptions options = WrittenCounts()) {
    MakeLed(std::move(options));
    cluster().Isolate(kC);
    cluster().HoldDisk(kB, true);
    ASSERT_TRUE(cluster().Propose(kA, "x").ok());
    cluster().Run();
    cluster().FinishWritten(kB);
    cluster().Run();
    ASSERT_EQ(core(kA).commit_index(), LogIndex(2));
  }
  void LosePower(NodeId node) {
    cluster().Crash(node, Cluster::Loss::kPower);
    cluster().AnnounceDown(node);
  }
  void Restart(NodeId node) {
    cluster().Restart(node);
    cluster().AnnounceRestarted(node);
  }
  // C is back, A is not yet.
  void ExpectThatNobodyLeadsWithoutA() {
    cluster().Rejoin(kC);
    cluster().AnnounceUp(kC);
    cluster().AnnounceDown(kA);
    cluster().RunFor(Millis(5000));
    EXPECT_EQ(cluster().Leader(), kNoNode) << "B and C are a majority, and neither has x";
    Restart(kA);
    cluster().RunFor(Millis(3000));
    EXPECT_EQ(cluster().Leader(), kA);
    EXPECT_THAT(cluster().Payloads(kB), Contains("x"));
    EXPECT_THAT(cluster().Payloads(kC), Contains("x"));
  }
};

TEST_F(DoubtTest, AReplicaInDoubtNeitherVotesNorStands) {
  CommitInMemory();
  LosePower(kB);
  cluster().Crash(kA, Cluster::Loss::kProcess);
  Restart(kB);
  ExpectThatNobodyLeadsWithoutA();
}

TEST_F(DoubtTest, EndsWhenTheLogHasAgainWhatTheLeaderHas) {
  CommitInMemory();
  LosePower(kB);
  cluster().Restart(kB);
  EXPECT_TRUE(core(kB).in_doubt());
  cluster().HoldDisk(kB, true);
  cluster().AnnounceRestarted(kB);
  cluster().Run();
  EXPECT_TRUE(core(kB).in_doubt()) << "x has come, but is not written yet";
  cluster().FinishWritten(kB);
  EXPECT_FALSE(core(kB).in_doubt());
  cluster().HoldDisk(kB, false);
  // B is as good as any again: with C it elects a leader that has x.
  cluster().Rejoin(kC);
  cluster().AnnounceUp(kC);
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(1500));
  EXPECT_EQ(cluster().Leader(), kB);
}

TEST_F(DoubtTest, OutlivesAnotherProcess) {
  CommitInMemory();
  cluster().Isolate(kB);
  LosePower(kB);
  cluster().Restart(kB);
  cluster().Crash(kB, Cluster::Loss::kProcess);
  cluster().Restart(kB);
  EXPECT_TRUE(core(kB).in_doubt());
}

TEST_F(DoubtTest, WhenAllAreInDoubtTheBestLogIsElectedByAll) {
  MakeLed(WrittenCounts());
  cluster().Isolate(kA);
  ASSERT_TRUE(cluster().Propose(kA, "only on A").ok());
  cluster().Run();
  for (NodeId node : {kA, kB, kC}) LosePower(node);
  cluster().Rejoin(kA);
  for (NodeId node : {kB, kC}) Restart(node);
  cluster().RunFor(Millis(5000));
  EXPECT_EQ(cluster().Leader(), kNoNode) << "A may have more than B and C";
  Restart(kA);
  cluster().RunFor(Millis(3000));
  EXPECT_EQ(cluster().Leader(), kA);
  for (NodeId node : {kA, kB, kC}) {
    EXPECT_FALSE(core(node).in_doubt()) << node.value();
    EXPECT_THAT(cluster().Payloads(node), Contains("only on A"));
  }
}

TEST_F(DoubtTest, AVoteOfLastResortWantsEveryVote) {
  MakeLed(WrittenCounts());
  cluster().Isolate(kA);
  ASSERT_TRUE(cluster().Propose(kA, "only on A").ok());
  cluster().Run();
  for (NodeId node : {kA, kB, kC}) LosePower(node);
  cluster().Rejoin(kA);
  cluster().filter = [](const Envelope& envelope) {
    const auto* vote = std::get_if<VoteReply>(&envelope.message);
    return vote == nullptr || vote->pre || envelope.from != kC;
  };
  for (NodeId node : {kA, kB, kC}) Restart(node);
  cluster().RunFor(Millis(5000));
  EXPECT_EQ(cluster().Leader(), kNoNode) << "C has answered and not voted";
  cluster().filter = nullptr;
  cluster().RunFor(Millis(3000));
  EXPECT_EQ(cluster().Leader(), kA);
}

TEST_F(DoubtTest, AnIntactReplicaAmongThoseInDoubtLeadsWhenAllAreThere) {
  CommitInMemory();
  LosePower(kB);
  LosePower(kC);
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().Rejoin(kC);
  for (NodeId node : {kA, kB, kC}) Restart(node);
  cluster().RunFor(Millis(3000));
  EXPECT_EQ(cluster().Leader(), kA);
  EXPECT_THAT(cluster().Payloads(kC), Contains("x"));
}

TEST_F(DoubtTest, AnUncleanElectionDoesWithoutThoseThatAreDown) {
  ClusterOptions options = WrittenCounts();
  options.adjust = [](CoreOptions& core) { core.unclean_election = true; };
  MakeLed(options);
  for (NodeId node : {kA, kB, kC}) LosePower(node);
  for (NodeId node : {kB, kC}) Restart(node);
  cluster().AnnounceDown(kA);
  cluster().RunFor(Millis(3000));
  EXPECT_NE(cluster().Leader(), kNoNode);
}

TEST_F(DoubtTest, AGroupOfOneElectsItself) {
  ClusterOptions options = WrittenCounts();
  options.nodes = 1;
  Make(options);
  cluster().Run();
  ASSERT_EQ(cluster().Leader(), kA);
  LosePower(kA);
  cluster().Restart(kA);
  cluster().Run();
  EXPECT_EQ(cluster().Leader(), kA);
  EXPECT_FALSE(core(kA).in_doubt());
}

TEST_F(DoubtTest, NoLeadershipIsTakenOverInDoubt) {
  CommitInMemory();
  LosePower(kB);
  cluster().Restart(kB);
  cluster().HoldDisk(kB, true);
  cluster().AnnounceRestarted(kB);
  cluster().Run();
  cluster().ClearSent();
  cluster().Step(kB, kA, TimeoutNow{core(kA).term()});
  EXPECT_THAT(Sent<VoteRequest>(kB, kA), IsEmpty());
}

// Only a vote that wants everybody may count a voter in doubt.
TEST_F(DoubtTest, AVoteIsGivenInDoubtOnlyAsALastResort) {
  MakeLed(WrittenCounts());
  LosePower(kB);
  cluster().Isolate(kB);
  cluster().Restart(kB);
  const VoteRequest request{Term(5), false, false, Incarnation(103), LogIndex(9), Term(4)};
  cluster().Step(kB, kC, request);
  cluster().Run();
  EXPECT_EQ(Sent<VoteReply>(kB, kC).back(), (VoteReply{Term(5), false, false}));
  VoteRequest last_resort = request;
  last_resort.last_resort = true;
  cluster().Step(kB, kC, last_resort);
  cluster().Run();
  EXPECT_EQ(Sent<VoteReply>(kB, kC).back(), (VoteReply{Term(5), false, true}));
}

TEST_F(DoubtTest, ALogThatBeginsAnewIsFilledAgainThoughItsProcessStays) {
  MakeLed();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(cluster().Propose(kA, "x").ok());
    cluster().Run();
  }
  for (NodeId node : {kB, kC, kB}) {
    cluster().LoseLog(node);
    EXPECT_TRUE(core(node).in_doubt());
    cluster().RunFor(Millis(3000));
    EXPECT_FALSE(core(node).in_doubt());
    EXPECT_EQ(cluster().Leader(), kA);
    EXPECT_EQ(cluster().Payloads(node).size(), 5u);
    EXPECT_EQ(core(kA).MatchOf(node), core(kA).last_index());
  }
}

// B had x, alone with A, and lost it. A message that left before x was written may not make B sure
// of itself: it would elect C, which never had x.
TEST_F(DoubtTest, AnEarlierMessageDoesNotMakeALogWholeThatBeganAnew) {
  MakeLed();
  cluster().Isolate(kC);
  ASSERT_TRUE(cluster().Propose(kA, "w").ok());
  cluster().Run();
  const Append earlier = Sent<Append>(kA, kB).back();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  ASSERT_EQ(core(kA).commit_index(), LogIndex(3));
  cluster().Crash(kA, Cluster::Loss::kProcess);
  cluster().LoseLog(kB);
  Append probe = earlier;
  probe.prev_index = LogIndex(0);
  probe.prev_term = Term(0);
  probe.commit = LogIndex(1);
  probe.entries = {};
  cluster().Step(kB, kA, probe);
  Append all = earlier;
  all.prev_index = LogIndex(0);
  all.prev_term = Term(0);
  all.entries = {};
  for (LogIndex at(1); at <= earlier.leader_last; at += 1) {
    all.entries.push_back(cluster().image(kA).written[static_cast<size_t>(at.value() - 1)]);
  }
  cluster().Step(kB, kA, all);
  cluster().Run();
  ASSERT_EQ(core(kB).last_index(), earlier.leader_last);
  EXPECT_TRUE(core(kB).in_doubt());
  ExpectThatNobodyLeadsWithoutA();
}

TEST_F(DoubtTest, NobodyIsElectedByLogsThatBeganAnew) {
  for (bool unclean : {false, true}) {
    ClusterOptions options;
    options.adjust = [unclean](CoreOptions& core) { core.unclean_election = unclean; };
    MakeLed(options);
    ASSERT_TRUE(cluster().Propose(kA, "x").ok());
    cluster().Run();
    cluster().Crash(kA, Cluster::Loss::kProcess);
    for (NodeId node : {kB, kC}) cluster().LoseLog(node);
    cluster().Restart(kA);
    cluster().LoseLog(kA);
    cluster().RunFor(Millis(5000));
    EXPECT_EQ(cluster().Leader(), kNoNode) << "all answer, and nobody has x";
  }
}

TEST_F(DoubtTest, TheLastWholeLogLeadsThoseThatBeganAnewOnlyWhereElectionsMayBeUnclean) {
  for (bool unclean : {false, true}) {
    ClusterOptions options;
    options.adjust = [unclean](CoreOptions& core) { core.unclean_election = unclean; };
    MakeLed(options);
    ASSERT_TRUE(cluster().Propose(kA, "x").ok());
    cluster().Run();
    cluster().Crash(kA, Cluster::Loss::kProcess);
    for (NodeId node : {kB, kC}) cluster().LoseLog(node);
    Restart(kA);
    cluster().RunFor(Millis(5000));
    EXPECT_EQ(cluster().Leader(), unclean ? kA : kNoNode) << "B and C together may have had more";
  }
}

TEST_F(DoubtTest, ALeaderWhoseLogIsGoneMakesRoomAndFollows) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().Do(kA, [this](Core& core) { core.SetStanding(Standing::kNone, cluster().now()); });
  cluster().LoseLog(kA);
  cluster().RunFor(Millis(3000));
  EXPECT_NE(cluster().Leader(), kNoNode);
  EXPECT_NE(cluster().Leader(), kA);
  EXPECT_FALSE(core(kA).in_doubt());
  EXPECT_THAT(cluster().Payloads(kA), Contains("x"));
}

}  // namespace
}  // namespace garam::raft
