// Members that need what their leader's log no longer has (D15), and whether a leader still leads
// (Raft thesis 6.4).
#include "tests/unit/raft/core_fixture.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CopyTest : public CoreTest {
 protected:
  // A and B went on without C, and A's log begins above what C has.
  void LeaveCBehind() {
    MakeLed();
    ASSERT_TRUE(cluster().Propose(kA, "one").ok());
    cluster().Run();
    cluster().Isolate(kC);
    for (const char* payload : {"two", "three", "four"}) {
      ASSERT_TRUE(cluster().Propose(kA, payload).ok());
      cluster().Run();
    }
    cluster().DropPrefix(kA, core(kA).commit_index());
    cluster().Rejoin(kC);
  }
  void Rejoined() {
    for (NodeId node : {kA, kB}) {
      cluster().Do(node, [this](Core& core) { core.PeerReset(kC, now()); });
    }
  }
};

TEST_F(CopyTest, WhoLacksWhatTheLeaderNoLongerHasIsToldToCopyAndGoesOnFromThere) {
  LeaveCBehind();
  cluster().copy_delay = [](NodeId) { return Millis(5); };
  Rejoined();
  cluster().Run();
  EXPECT_EQ(core(kA).progress().at(kC).state, PeerState::kTooFarBehind);
  cluster().RunFor(Millis(1200));
  EXPECT_EQ(core(kA).progress().at(kC).state, PeerState::kReplicate);
  EXPECT_EQ(core(kC).commit_index(), core(kA).commit_index());
  EXPECT_THAT(cluster().Payloads(kC), ElementsAre("one", "two", "three", "four"));
  ASSERT_TRUE(cluster().Propose(kA, "five").ok());
  cluster().Run();
  EXPECT_EQ(cluster().Payloads(kC).back(), "five");
}

TEST_F(CopyTest, WhoHasSomethingElseBeforeTheLeadersFirstEntryCopiesToo) {
  MakeLed();
  cluster().Isolate(kA);
  for (const char* payload : {"lost", "also"}) ASSERT_TRUE(cluster().Propose(kA, payload).ok());
  cluster().Run();
  cluster().AnnounceDown(kA);
  cluster().Elect(kB);
  for (const char* payload : {"two", "three", "four"}) {
    ASSERT_TRUE(cluster().Propose(kB, payload).ok());
    cluster().Run();
  }
  // What is before B's first entry is one that A has another of.
  cluster().DropPrefix(kB, core(kA).last_index() + 1);
  ASSERT_NE(core(kA).terms().TermAt(core(kA).last_index()), core(kB).term());
  cluster().copy_delay = [](NodeId) { return Millis(5); };
  cluster().Rejoin(kA);
  cluster().Do(kB, [this](Core& b) {
    b.NodeUp(kA, now());
    b.PeerReset(kA, now());
  });
  cluster().RunFor(Millis(2500));
  EXPECT_THAT(cluster().Payloads(kA), ElementsAre("two", "three", "four"));
}

TEST_F(CopyTest, UntilThenItIsAskedOnceAWhileAndNotMore) {
  LeaveCBehind();
  cluster().RunFor(Millis(50));
  Rejoined();
  cluster().Run();
  cluster().ClearSent();
  cluster().RunFor(Millis(3100));
  EXPECT_THAT(Sent<Append>(kA, kC), SizeIs(3));
  ASSERT_TRUE(cluster().Propose(kA, "five").ok());
  cluster().RunFor(Millis(500));
  EXPECT_THAT(Sent<Append>(kA, kC), SizeIs(3)) << "entries that it cannot take";
}

TEST_F(CopyTest, ALogThatBeginsWhereTheFollowersEndsNeedsNoCopy) {
  MakeLed();
  cluster().Isolate(kC);
  ASSERT_TRUE(cluster().Propose(kA, "one").ok());
  cluster().Run();
  const LogIndex last_of_c = core(kC).last_index();
  cluster().DropPrefix(kA, last_of_c + 1);
  ASSERT_EQ(core(kA).first_index(), last_of_c + 1);
  cluster().Rejoin(kC);
  Rejoined();
  cluster().Run();
  EXPECT_THAT(cluster().Payloads(kC), ElementsAre("one"));
}

TEST_F(CopyTest, Pitfall12AnUncommittedConfigurationIsForgotten) {
  LeaveCBehind();
  Append append;
  append.term = core(kC).term();
  append.session = 1000;
  append.to = core(kC).incarnation();
  append.prev_index = core(kC).last_index();
  append.prev_term = core(kC).terms().TermAt(append.prev_index);
  LogEntry entry{append.prev_index + 1, append.term, EntryKind::kConfiguration,
                 Bytes::Copy(Voters(2).Encode())};
  append.entries = {entry};
  core(kC).Step(kA, append, now());
  ASSERT_EQ(core(kC).configuration(), Voters(2));
  InitialState state;
  state.first_index = LogIndex(5);
  state.last_index = LogIndex(9);
  state.terms.Append(core(kC).term(), LogIndex(4), Offset(0));
  Core& c = core(kC);
  c.Install(state, now());
  EXPECT_EQ(c.configuration(), Voters(3));
  EXPECT_EQ(c.commit_index(), LogIndex(9));
  EXPECT_EQ(c.last_index(), LogIndex(9));
  EXPECT_EQ(c.first_index(), LogIndex(5));
  Ready ready = c.TakeReady();
  EXPECT_FALSE(ready.has_log_write()) << "of the log that is gone";
}

TEST_F(CopyTest, Pitfall15WhatTheLogHasAlreadyIsNoReasonToReplaceIt) {
  MakeLed();
  ASSERT_TRUE(cluster().Propose(kA, "one").ok());
  cluster().Run();
  const Core& b = core(kB);
  const Term term = b.term();
  EXPECT_FALSE(b.NeedsInstall(b.commit_index(), term));
  cluster().filter = [](const Envelope& envelope) { return !Is<AppendReply>(envelope); };
  ASSERT_TRUE(cluster().Propose(kA, "two").ok());
  cluster().Run();
  ASSERT_LT(b.commit_index(), b.last_index());
  EXPECT_FALSE(b.NeedsInstall(b.last_index(), term)) << "it may have been acknowledged";
  EXPECT_TRUE(b.NeedsInstall(b.last_index(), term + 1));
  EXPECT_TRUE(b.NeedsInstall(b.last_index() + 1, term));
  EXPECT_FALSE(core(kA).NeedsInstall(b.last_index() + 1, term)) << "it leads";
}

TEST_F(CopyTest, AQuorumThatAnswersConfirmsThatALeaderLed) {
  MakeLed();
  std::vector<uint64_t> confirmed;
  cluster().Cut(kA, kB);
  cluster().Cut(kA, kC);
  Core& a = core(kA);
  const absl::StatusOr<uint64_t> first = a.AskStillLeader(now());
  ASSERT_TRUE(first.ok());
  cluster().Drain(kA);
  cluster().RunFor(Millis(20));
  EXPECT_FALSE(a.has_ready());
  const auto collect = [&] {
    // What Drain would swallow.
    while (a.has_ready()) {
      Ready ready = a.TakeReady();
      if (ready.confirmed_round) confirmed.push_back(*ready.confirmed_round);
    }
  };
  AppendReply reply;
  reply.term = a.term();
  reply.session = a.progress().at(kB).session;
  reply.written = reply.durable = reply.commit = a.last_index();
  a.Step(kB, reply, now());
  collect();
  EXPECT_THAT(confirmed, IsEmpty()) << "of a message before the question";
  reply.round = *first;
  a.Step(kB, reply, now());
  collect();
  EXPECT_THAT(confirmed, ElementsAre(*first));
}

TEST_F(CopyTest, AQuestionThatWasLostIsAskedAgain) {
  MakeLed();
  cluster().ClearSent();
  cluster().Cut(kA, kB);
  cluster().Cut(kA, kC);
  cluster().Do(kA, [this](Core& core) { ASSERT_TRUE(core.AskStillLeader(now()).ok()); });
  cluster().RunFor(Millis(100));
  cluster().Mend(kA, kB);
  cluster().RunFor(Millis(1100));
  const std::vector<AppendReply> replies = Sent<AppendReply>(kB, kA);
  ASSERT_FALSE(replies.empty());
  EXPECT_EQ(replies.back().round, 1u);
}

TEST_F(CopyTest, WhoDoesNotLeadIsNotAsked) {
  MakeLed();
  EXPECT_EQ(ErrcOf(core(kB).AskStillLeader(now()).status()), Errc::kNotLeader);
}

}  // namespace
}  // namespace garam::raft
