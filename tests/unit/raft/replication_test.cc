// How a log spreads: Raft thesis 3.5 and 3.6, design D3 and D16, and pitfalls 1, 4-10, 17-19, 27,
// 36-38.
#include "tests/unit/raft/core_fixture.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using ReplicationTest = CoreTest;

ClusterOptions WrittenCounts() {
  ClusterOptions options;
  options.stage = Stage::kWritten;
  return options;
}

TEST_F(ReplicationTest, WhatTheLeaderTakesIsCommittedOnAll) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "one").ok());
  ASSERT_TRUE(cluster().Propose(kA, "two").ok());
  cluster().RunFor(Millis(50));
  for (NodeId node : cluster().ids()) {
    EXPECT_THAT(cluster().Payloads(node), ElementsAre("one", "two"));
    EXPECT_EQ(core(node).commit_index(), LogIndex(3));
  }
}

TEST_F(ReplicationTest, PayloadsAreSharedNotCopied) {
  MakeLed();
  LogEntry entry = Entry(0, 0, "shared");
  const char* at = entry.bytes.data();
  ASSERT_TRUE(core(kA).Propose(Term(1), {entry}, now()).ok());
  cluster().Drain(kA);
  EXPECT_EQ(Sent<Append>(kA, kB).back().entries.at(0).bytes.data(), at);
}

TEST_F(ReplicationTest, EntriesLeaveBesideTheLeadersOwnWrite) {
  MakeLed();
  cluster().HoldDisk(kA, true);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  EXPECT_EQ(core(kA).durable_index(), LogIndex(1));
  EXPECT_EQ(core(kA).commit_index(), LogIndex(2)) << "a majority without the leader has it";
}

TEST_F(ReplicationTest, TheLeaderCountsItselfOnlyAfterItsOwnFlush) {
  MakeLed();
  cluster().Isolate(kC);
  cluster().HoldDisk(kA, true);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1));
  cluster().FinishWritten(kA);
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1)) << "written is not durable";
  cluster().FinishDurable(kA);
  EXPECT_EQ(core(kA).commit_index(), LogIndex(2));
}

TEST_F(ReplicationTest, WhereWrittenCountsCommitWaitsForNoFlush) {
  MakeLed(WrittenCounts());
  for (NodeId node : cluster().ids()) cluster().HoldDisk(node, true);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().FinishWritten(kA);
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1));
  cluster().FinishWritten(kB);
  cluster().Run();
  EXPECT_EQ(core(kA).commit_index(), LogIndex(2));
  EXPECT_EQ(core(kA).progress().at(kB).durable, LogIndex(1));
  cluster().FinishDurable(kB);
  cluster().Run();
  EXPECT_EQ(core(kA).progress().at(kB).durable, LogIndex(2)) << "told again when it is durable";
}

TEST_F(ReplicationTest, WhereDurableCountsAWrittenEntryIsNotAcknowledged) {
  MakeLed();
  cluster().HoldDisk(kB, true);
  cluster().ClearSent();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().FinishWritten(kB);
  cluster().Run();
  EXPECT_THAT(Sent<AppendReply>(kB, kA), IsEmpty());
  cluster().FinishDurable(kB);
  EXPECT_THAT(Sent<AppendReply>(kB, kA), SizeIs(1));
}

// The leader may have been told already that written counts; nothing on B's disk says that it may
// lose what it acknowledges.
TEST_F(ReplicationTest, WhereDurableCountsALeaderOfAnotherStageHearsOfNothingElse) {
  MakeLed();
  core(kA).SetStage(Stage::kWritten, now());
  cluster().HoldDisk(kB, true);
  cluster().Isolate(kC);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().FinishWritten(kB);
  cluster().ClearSent();
  cluster().Step(kB, kA, Append{Term(1), 1, LogIndex(2), Term(1), LogIndex(1), {}});
  cluster().Run();
  ASSERT_THAT(Sent<AppendReply>(kB, kA), SizeIs(1));
  EXPECT_EQ(Sent<AppendReply>(kB, kA)[0].written, LogIndex(1));
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1));
  cluster().FinishDurable(kB);
  cluster().Run();
  EXPECT_EQ(core(kA).commit_index(), LogIndex(2));
}

TEST_F(ReplicationTest, TheStageThatCountsCanChangeWhileRunning) {
  MakeLed();
  for (NodeId node : cluster().ids()) cluster().HoldDisk(node, true);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  for (NodeId node : cluster().ids()) cluster().FinishWritten(node);
  cluster().Run();
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1));
  core(kB).SetStage(Stage::kWritten, now());
  core(kA).SetStage(Stage::kWritten, now());
  cluster().Drain(kB);
  cluster().Run();
  cluster().Drain(kA);
  EXPECT_EQ(core(kA).commit_index(), LogIndex(2));
}

TEST_F(ReplicationTest, NothingOfANewTermIsAcknowledgedBeforeTheTermIsDurableToo) {
  Make();
  cluster().HoldDisk(kB, true);
  cluster().Step(kB, kA, Append{Term(3), 1, {}, {}, {}, {Entry(1, 3)}});
  cluster().FinishDurable(kB);
  EXPECT_THAT(Sent<AppendReply>(kB, kA), IsEmpty());
  cluster().FinishHardState(kB);
  ASSERT_THAT(Sent<AppendReply>(kB, kA), SizeIs(1));
  EXPECT_EQ(Sent<AppendReply>(kB, kA)[0].durable, LogIndex(1));
}

// Figure 3.7 of the thesis: an entry of an older term on a majority may still be overwritten.
TEST_F(ReplicationTest, Pitfall1AnOlderTermsEntryOnAMajorityIsNotCommittedByCounting) {
  MakeLed();
  cluster().Isolate(kC);
  cluster().filter = [](const Envelope& envelope) { return !Is<AppendReply>(envelope); };
  ASSERT_TRUE(cluster().Propose(kA, "of term 1").ok());  // Index 2, on A and B.
  cluster().Run();
  cluster().Rejoin(kC);
  cluster().Step(kA, kB, VoteReply{Term(5), false, false});  // A falls to term 5, and wins term 6.
  cluster().filter = [&](const Envelope& envelope) {
    const auto* append = std::get_if<Append>(&envelope.message);
    return append == nullptr || append->term < Term(6);
  };
  cluster().Do(kA, [&](Core& a) { a.Step(kB, TimeoutNow{Term(5)}, now()); });
  cluster().Run();
  ASSERT_TRUE(core(kA).is_leader());
  const Term term = core(kA).term();
  const uint32_t session = core(kA).progress().at(kB).session;
  cluster().Step(kA, kB,
                 AppendReply{term, session, false, LogIndex(2), LogIndex(2), {}, {}, {}, {}});
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1)) << "on two of three, but of term 1";
  cluster().filter = nullptr;
  cluster().RunFor(Millis(1500));
  EXPECT_EQ(core(kA).commit_index(), LogIndex(3)) << "committed with the no-op of its own term";
}

TEST_F(ReplicationTest, Pitfall4AFollowerAcknowledgesWhatTheMessageShowedNotWhatItHas) {
  MakeLed();
  // B keeps entries of the old term that the new leader does not have.
  cluster().Isolate(kB);
  cluster().Step(
      kB, kA,
      Append{
          Term(1), 1, LogIndex(1), Term(1), LogIndex(1), {Entry(2, 1), Entry(3, 1), Entry(4, 1)}});
  cluster().Run();
  cluster().ClearSent();
  cluster().Step(kB, kC, Append{Term(2), 1, LogIndex(1), Term(1), LogIndex(1), {}});
  cluster().Run();
  ASSERT_THAT(Sent<AppendReply>(kB, kC), SizeIs(1));
  EXPECT_EQ(Sent<AppendReply>(kB, kC)[0].written, LogIndex(1));
  EXPECT_EQ(Sent<AppendReply>(kB, kC)[0].durable, LogIndex(1));
}

TEST_F(ReplicationTest, Pitfall4AnAppendOfKnownEntriesIsNotAcknowledgedBeforeTheyAreDurable) {
  MakeLed();
  cluster().HoldDisk(kB, true);
  const Append append{Term(1), 1, LogIndex(1), Term(1), LogIndex(1), {Entry(2, 1)}};
  cluster().ClearSent();
  cluster().Step(kB, kA, append);
  cluster().Step(kB, kA, append);
  cluster().Step(kB, kA, Append{Term(1), 1, LogIndex(2), Term(1), LogIndex(1), {}});
  for (const AppendReply& reply : Sent<AppendReply>(kB, kA)) {
    EXPECT_LE(reply.durable, LogIndex(1));
    EXPECT_LE(reply.written, LogIndex(1));
  }
}

TEST_F(ReplicationTest, Pitfall5AFollowersCommitStaysWithinTheMessage) {
  MakeLed();
  cluster().Isolate(kB);
  cluster().Step(kB, kA,
                 Append{Term(1), 1, LogIndex(1), Term(1), LogIndex(1), {Entry(2, 1), Entry(3, 1)}});
  cluster().Step(kB, kC, Append{Term(2), 1, LogIndex(1), Term(1), LogIndex(3), {}});
  EXPECT_EQ(core(kB).commit_index(), LogIndex(1)) << "2 and 3 may not be what the leader has";
}

TEST_F(ReplicationTest, Pitfall6AProbeNeverCommitsWhatTheFollowerHasNotMatched) {
  MakeLed();
  cluster().Isolate(kC);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().Rejoin(kC);
  cluster().filter = [](const Envelope& envelope) {
    const auto* append = std::get_if<Append>(&envelope.message);
    return append == nullptr || append->entries.empty();
  };
  cluster().RunFor(Millis(3000));
  EXPECT_EQ(core(kC).commit_index(), LogIndex(1));
}

TEST_F(ReplicationTest, Pitfall7AStaleAppendDoesNotTruncateWhatAgrees) {
  MakeLed();
  cluster().Isolate(kB);
  cluster().Step(
      kB, kA,
      Append{
          Term(1), 1, LogIndex(1), Term(1), LogIndex(1), {Entry(2, 1), Entry(3, 1), Entry(4, 1)}});
  cluster().Run();
  cluster().Step(kB, kA, Append{Term(1), 1, LogIndex(1), Term(1), LogIndex(1), {Entry(2, 1)}});
  cluster().Step(kB, kA,
                 Append{Term(1),
                        1,
                        LogIndex(0),
                        Term(0),
                        LogIndex(0),
                        {{LogIndex(1), Term(1), EntryKind::kNoop, Bytes()}}});
  EXPECT_EQ(core(kB).last_index(), LogIndex(4));
}

TEST_F(ReplicationTest, Pitfall7OnlyTheConflictAndWhatFollowsItIsReplaced) {
  Make();
  cluster().Step(kB, kA, Append{Term(1), 1, {}, {}, {}, {Entry(1, 1), Entry(2, 1), Entry(3, 1)}});
  cluster().Run();
  cluster().Step(
      kB, kC,
      Append{Term(2), 1, LogIndex(0), Term(0), LogIndex(0), {Entry(1, 1), Entry(2, 2, "new")}});
  cluster().Run();
  EXPECT_THAT(cluster().Payloads(kB), ElementsAre("x", "new"));
}

TEST_F(ReplicationTest, Pitfall8AFlushThatTruncationOvertookIsNotAcknowledged) {
  Make();
  cluster().HoldDisk(kB, true);
  cluster().Step(kB, kA, Append{Term(1), 1, {}, {}, {}, {Entry(1, 1), Entry(2, 1), Entry(3, 1)}});
  // The disk finishes the first write only after the second is under way.
  const uint64_t first = 1;
  cluster().Step(kB, kC, Append{Term(2), 1, {}, {}, {}, {Entry(1, 2), Entry(2, 2)}});
  cluster().FinishHardState(kB);
  cluster().ClearSent();
  core(kB).OnDurable(first, now());
  EXPECT_EQ(core(kB).durable_index(), LogIndex(0));
  cluster().Drain(kB);
  EXPECT_THAT(Sent<AppendReply>(kB, kC), IsEmpty());
}

TEST_F(ReplicationTest, Pitfall10AMatchNeverGoesBackWithinATerm) {
  MakeLed();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().RunFor(Millis(50));
  const Progress before = core(kA).progress().at(kB);
  AppendReply late{Term(1), before.session, false, LogIndex(1), LogIndex(1), {}, {}, {}, {}};
  cluster().Step(kA, kB, late);
  late.rejected = true;
  late.prev_index = LogIndex(2);
  cluster().Step(kA, kB, late);
  EXPECT_EQ(core(kA).progress().at(kB).written, before.written);
  EXPECT_EQ(core(kA).progress().at(kB).next, before.next);
  EXPECT_EQ(core(kA).progress().at(kB).state, PeerState::kReplicate);
}

TEST_F(ReplicationTest, AResetPeerIsAskedAgainAndItsOldAnswersCountNoLonger) {
  MakeLed(WrittenCounts());
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().RunFor(Millis(50));
  EXPECT_EQ(core(kA).NextDeadline(), std::nullopt);
  const AppendReply old = Sent<AppendReply>(kB, kA).back();
  cluster().ClearSent();
  core(kA).PeerReset(kB, now());
  EXPECT_EQ(core(kA).MatchOf(kB), LogIndex(0));
  core(kA).Step(kB, old, now());
  EXPECT_EQ(core(kA).MatchOf(kB), LogIndex(0));
  cluster().Drain(kA);
  cluster().Run();
  EXPECT_THAT(Sent<Append>(kA, kB), SizeIs(1)) << "one empty probe, for B lost nothing";
  EXPECT_EQ(core(kA).MatchOf(kB), LogIndex(2));
}

TEST_F(ReplicationTest, AFollowerThatLostItsUnflushedTailIsFilledUpAgain) {
  MakeLed(WrittenCounts());
  cluster().HoldDisk(kB, true);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().FinishWritten(kB);
  cluster().Run();
  EXPECT_EQ(core(kA).MatchOf(kB), LogIndex(4));
  cluster().Crash(kB, Cluster::Loss::kPower);
  cluster().Restart(kB);
  ASSERT_EQ(core(kB).last_index(), LogIndex(1));
  cluster().AnnounceRestarted(kB);
  cluster().RunFor(Millis(100));
  EXPECT_EQ(core(kA).MatchOf(kB), LogIndex(4));
  EXPECT_EQ(core(kB).commit_index(), LogIndex(4));
}

TEST_F(ReplicationTest, Pitfall17AnElectedLeaderIsConfirmedByAnEntryOfItsOwnTerm) {
  Make();
  cluster().filter = [](const Envelope& envelope) { return !Is<Append>(envelope); };
  cluster().Do(kA, [&](Core& a) { a.Campaign(now()); });
  cluster().Run();
  ASSERT_TRUE(core(kA).is_leader());
  EXPECT_FALSE(core(kA).confirmed());
  cluster().filter = nullptr;
  cluster().RunFor(Millis(1100));
  EXPECT_TRUE(core(kA).confirmed());
}

TEST_F(ReplicationTest, Pitfall18ADeposedLeaderCommitsNothing) {
  MakeLed();
  cluster().Isolate(kA);
  cluster().Do(kB, [&](Core& b) { b.NodeDown(kA, now()); });
  cluster().Do(kC, [&](Core& c) { c.NodeDown(kA, now()); });
  cluster().RunFor(Millis(300));
  ASSERT_NE(cluster().Leader(), kA);
  ASSERT_TRUE(core(kA).is_leader()) << "it does not know yet";
  ASSERT_TRUE(cluster().Propose(kA, "lost").ok());
  cluster().RunFor(Millis(300));
  EXPECT_EQ(core(kA).commit_index(), LogIndex(1));
  cluster().Rejoin(kA);
  cluster().AnnounceUp(kA);
  ASSERT_TRUE(cluster().Propose(cluster().Leader(), "kept").ok());
  cluster().RunFor(Millis(2000));
  EXPECT_THAT(cluster().Payloads(kA), ElementsAre("kept"));
}

TEST_F(ReplicationTest, Pitfall19WhatWasPreparedForAnotherTermIsRefused) {
  MakeLed();
  const LogIndex before = core(kA).last_index();
  EXPECT_EQ(ErrcOf(core(kA).Propose(Term(0), {Entry(0, 0)}, now()).status()), Errc::kNotLeader);
  EXPECT_EQ(ErrcOf(core(kA).Propose(Term(2), {Entry(0, 0)}, now()).status()), Errc::kNotLeader);
  EXPECT_EQ(ErrcOf(core(kB).Propose(Term(1), {Entry(0, 0)}, now()).status()), Errc::kNotLeader);
  EXPECT_EQ(ErrcOf(core(kA).Propose(Term(1), {}, now()).status()), Errc::kInvalidRequest);
  EXPECT_EQ(core(kA).last_index(), before);
}

TEST_F(ReplicationTest, Pitfall36AConflictIsFoundInARoundTripPerTermNotPerEntry) {
  MakeLed();
  // C followed a leader of term 2 through 200 entries that nobody else has.
  cluster().Isolate(kC);
  std::vector<LogEntry> stray;
  for (int i = 2; i <= 201; ++i) stray.push_back(Entry(i, 2, "stray"));
  cluster().Step(kC, kB, Append{Term(2), 1, LogIndex(1), Term(1), LogIndex(1), stray});
  cluster().Run();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(cluster().Propose(kA, "kept").ok());
  cluster().Run();
  cluster().Do(kA, [&](Core& a) { a.Step(kB, TimeoutNow{Term(2)}, now()); });
  cluster().Run();
  ASSERT_EQ(cluster().Leader(), kA);
  cluster().ClearSent();
  cluster().Rejoin(kC);
  cluster().AnnounceRestarted(kC);
  cluster().RunFor(Millis(50));
  EXPECT_EQ(core(kC).commit_index(), core(kA).commit_index());
  EXPECT_LT(Sent<Append>(kA, kC).size(), 12u);
}

TEST_F(ReplicationTest, Pitfall37AFullWindowWhoseAnswersWereLostIsProbed) {
  ClusterOptions options;
  options.adjust = [](CoreOptions& core) { core.inflight_bytes_max = 1; };
  MakeLed(options);
  cluster().filter = [](const Envelope& envelope) { return envelope.to != NodeId(2); };
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().filter = nullptr;
  cluster().RunFor(Millis(1050));
  EXPECT_EQ(core(kB).commit_index(), core(kA).last_index());
}

TEST_F(ReplicationTest, TheWindowBoundsWhatIsOnItsWayToAFollower) {
  ClusterOptions options;
  options.adjust = [](CoreOptions& core) {
    core.inflight_bytes_max = 3000;
    core.append_bytes_max = 1000;
  };
  MakeLed(options);
  cluster().HoldDisk(kB, true);
  cluster().ClearSent();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(cluster().Propose(kA, std::string(1000, 'x')).ok());
  cluster().Run();
  EXPECT_THAT(Sent<Append>(kA, kB), SizeIs(3));
  EXPECT_EQ(core(kC).last_index(), LogIndex(21)) << "the slow one blocks nobody else";
  cluster().HoldDisk(kB, false);
  cluster().RunFor(Millis(50));
  EXPECT_EQ(core(kB).commit_index(), LogIndex(21));
}

TEST_F(ReplicationTest, Pitfall38WithoutAQuorumProposalsAreSoonRefused) {
  ClusterOptions options;
  options.adjust = [](CoreOptions& core) { core.uncommitted_bytes_max = 250; };
  MakeLed(options);
  cluster().Isolate(kA);
  EXPECT_TRUE(cluster().Propose(kA, std::string(200, 'x')).ok());
  EXPECT_EQ(ErrcOf(cluster().Propose(kA, std::string(200, 'x')).status()), Errc::kThrottled);
  cluster().Rejoin(kA);
  cluster().RunFor(Millis(1100));
  EXPECT_EQ(core(kA).uncommitted_bytes(), 0u);
  EXPECT_TRUE(cluster().Propose(kA, std::string(900, 'x')).ok()) << "one may always be on its way";
}

TEST_F(ReplicationTest, AGroupSleepsOnlyAfterAllWereToldTheFinalCommit) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  EXPECT_EQ(core(kB).commit_index(), LogIndex(1));
  ASSERT_TRUE(core(kA).NextDeadline().has_value());
  EXPECT_LE(*core(kA).NextDeadline() - now(), Millis(10));
  cluster().RunFor(Millis(10));
  EXPECT_EQ(core(kB).commit_index(), LogIndex(2));
  EXPECT_EQ(core(kC).commit_index(), LogIndex(2));
  for (NodeId node : cluster().ids()) EXPECT_EQ(core(node).NextDeadline(), std::nullopt);
}

TEST_F(ReplicationTest, ALostNoticeOfTheFinalCommitIsSentAgain) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().filter = [](const Envelope& envelope) { return !Is<Append>(envelope); };
  cluster().RunFor(Millis(100));
  cluster().filter = nullptr;
  EXPECT_TRUE(core(kA).NextDeadline().has_value());
  cluster().RunFor(Millis(1000));
  EXPECT_EQ(core(kB).commit_index(), LogIndex(2));
  EXPECT_EQ(core(kA).NextDeadline(), std::nullopt);
}

TEST_F(ReplicationTest, Pitfall40ASleepingGroupSendsNothingForHours) {
  MakeLed();
  cluster().ClearSent();
  cluster().RunFor(std::chrono::hours(3));
  EXPECT_THAT(cluster().sent(), IsEmpty());
  EXPECT_TRUE(core(kA).is_leader());
}

TEST_F(ReplicationTest, ADownFollowerKeepsNoGroupAwake) {
  MakeLed();
  cluster().Crash(kC, Cluster::Loss::kProcess);
  cluster().AnnounceDown(kC);
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().RunFor(Millis(100));
  EXPECT_EQ(core(kA).NextDeadline(), std::nullopt);
  cluster().Restart(kC);
  cluster().AnnounceRestarted(kC);
  cluster().RunFor(Millis(100));
  EXPECT_EQ(core(kC).commit_index(), LogIndex(2));
}

TEST_F(ReplicationTest, AMessageThatCouldNotBeQueuedIsTriedAgainABitLater) {
  MakeLed();
  cluster().filter = [](const Envelope& envelope) { return envelope.to != NodeId(2); };
  ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Do(kA, [&](Core& a) { a.SendFailed(kB, now()); });
  cluster().ClearSent();
  cluster().Run();
  EXPECT_THAT(Sent<Append>(kA, kB), IsEmpty());
  cluster().filter = nullptr;
  cluster().RunFor(Millis(60));
  EXPECT_EQ(core(kA).MatchOf(kB), LogIndex(2));
}

TEST_F(ReplicationTest, WhatMemoryHasDroppedIsReadFromTheDisk) {
  MakeLed();
  cluster().Isolate(kC);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  core(kA).TrimTail(0);
  EXPECT_EQ(core(kA).tail().bytes(), 0u);
  cluster().Rejoin(kC);
  cluster().AnnounceRestarted(kC);
  cluster().RunFor(Millis(100));
  EXPECT_EQ(core(kC).commit_index(), LogIndex(11));
}

TEST_F(ReplicationTest, AFailedOrStaleReadIsTriedAgainLaterAndNeverSent) {
  MakeLed();
  cluster().Isolate(kC);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  core(kA).TrimTail(0);
  core(kA).PeerReset(kC, now());
  const uint32_t session = core(kA).progress().at(kC).session;
  core(kA).Step(kC,
                AppendReply{Term(1), session, true, {}, {}, {}, LogIndex(4), LogIndex(1), Term(1)},
                now());
  (void)core(kA).TakeReady();
  core(kA).Step(kC, AppendReply{Term(1), session, false, LogIndex(1), LogIndex(1), {}, {}, {}, {}},
                now());
  Ready ready = core(kA).TakeReady();
  ASSERT_THAT(ready.reads, SizeIs(1));
  EXPECT_EQ(ready.reads[0].from, LogIndex(2));
  core(kA).OnEntriesRead(kC, LogIndex(2), std::vector<LogEntry>{Entry(2, 9, "not ours")}, now());
  EXPECT_FALSE(core(kA).has_ready());
  cluster().Rejoin(kC);
  cluster().RunFor(Millis(1100));
  EXPECT_EQ(core(kC).commit_index(), LogIndex(4));
}

TEST_F(ReplicationTest, AReadOfWhatTheFollowerHasByNowHoldsNothingUp) {
  MakeLed();
  cluster().Isolate(kC);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  core(kA).TrimTail(0);
  core(kA).PeerReset(kC, now());
  const uint32_t session = core(kA).progress().at(kC).session;
  core(kA).Step(kC,
                AppendReply{Term(1), session, true, {}, {}, {}, LogIndex(4), LogIndex(1), Term(1)},
                now());
  const auto has = [&](int64_t index) {
    AppendReply reply;
    reply.term = Term(1);
    reply.session = session;
    reply.written = reply.durable = LogIndex(index);
    core(kA).Step(kC, reply, now());
    return core(kA).TakeReady().reads;
  };
  EXPECT_THAT(has(1), SizeIs(1));
  // It has copied them meanwhile, or an earlier answer was late.
  EXPECT_THAT(has(3), IsEmpty()) << "one read at a time";
  core(kA).OnEntriesRead(kC, LogIndex(2), std::vector<LogEntry>{Entry(2, 1), Entry(3, 1)}, now());
  const Ready ready = core(kA).TakeReady();
  ASSERT_THAT(ready.reads, SizeIs(1));
  EXPECT_EQ(ready.reads[0].from, LogIndex(4));
}

TEST_F(ReplicationTest, Pitfall27AFollowerBelowTheLogStartIsLeftAloneNotAskedForEver) {
  MakeLed();
  cluster().Isolate(kC);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().Do(kA, [&](Core& a) { a.DropPrefix(LogIndex(6)); });
  cluster().Rejoin(kC);
  cluster().ClearSent();
  cluster().AnnounceRestarted(kC);
  cluster().RunFor(Millis(5000));
  EXPECT_EQ(core(kA).progress().at(kC).state, PeerState::kTooFarBehind);
  EXPECT_LE(Sent<Append>(kA, kC).size(), 7u) << "once a second";
}

TEST_F(ReplicationTest, Pitfall27AFollowerJustAboveTheLogStartIsServed) {
  MakeLed();
  cluster().Run();
  cluster().Isolate(kC);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster().Propose(kA, "x").ok());
  cluster().Run();
  cluster().Do(kA, [&](Core& a) { a.DropPrefix(LogIndex(2)); });
  cluster().Rejoin(kC);
  cluster().AnnounceRestarted(kC);
  cluster().RunFor(Millis(100));
  EXPECT_EQ(core(kC).commit_index(), LogIndex(11));
}

TEST_F(ReplicationTest, AnAppendThatNoCorrectLeaderSendsIsDropped) {
  MakeLed();
  cluster().ClearSent();
  cluster().Step(kB, kA, Append{Term(1), 1, LogIndex(1), Term(1), {}, {Entry(3, 1)}});
  cluster().Step(kB, kA, Append{Term(1), 1, LogIndex(1), Term(1), {}, {Entry(2, 2)}});
  cluster().Step(kB, kC, Append{Term(1), 1, LogIndex(1), Term(1), {}, {Entry(2, 1)}});
  EXPECT_EQ(core(kB).last_index(), LogIndex(1));
  EXPECT_THAT(cluster().sent(), IsEmpty());
}

}  // namespace
}  // namespace garam::raft
