#include "raft/isr.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;

constexpr NodeId kA{1};
constexpr NodeId kB{2};
constexpr NodeId kC{3};

class IsrTest : public ::testing::Test {
 protected:
  IsrTest() {
    isr_.Start({kA, kB, kC}, LogIndex(10), now_);
    isr_.Confirm(now_);
    Answer(kA, 10);
    Answer(kB, 10);
    Answer(kC, 10);
  }
  void Answer(NodeId node, int match) { isr_.OnMatch(node, LogIndex(match), now_); }
  void Append(int last) { isr_.OnLeaderEnd(LogIndex(last), now_); }
  void Pass(Duration time) {
    const MonoTime until = now_ + time;
    while (isr_.NextDeadline() && *isr_.NextDeadline() <= until) {
      now_ = std::max(now_, *isr_.NextDeadline());
      isr_.Tick(now_);
    }
    now_ = until;
  }

  MonoTime now_{};
  IsrTracker isr_{kA, Millis(30000), Millis(200)};
};

TEST_F(IsrTest, StartsWithEveryReplica) { EXPECT_THAT(isr_.Members(), ElementsAre(kA, kB, kC)); }

TEST_F(IsrTest, AReplicaThatStopsAnsweringLeavesAfterTheLagTime) {
  Append(11);
  Answer(kA, 11);
  Answer(kB, 11);
  Pass(Millis(29999));
  EXPECT_TRUE(isr_.Contains(kC));
  const uint64_t before = isr_.version();
  Pass(Millis(1));
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kB));
  EXPECT_GT(isr_.version(), before);
}

TEST_F(IsrTest, AnIdleGroupLosesNobodyAndSetsNoTimer) {
  EXPECT_EQ(isr_.NextDeadline(), std::nullopt);
  Pass(std::chrono::hours(5));
  Append(11);
  Pass(Millis(1));
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kB, kC)) << "it was caught up until this moment";
}

TEST_F(IsrTest, AReplicaThatAlwaysHasWhatThereWasOneAnswerAgoIsCaughtUp) {
  for (int last = 11; last < 80; ++last) {
    Append(last);
    Answer(kB, last - 1);  // Never at the end, never far.
    Answer(kC, last);
    Pass(Millis(1000));
  }
  EXPECT_TRUE(isr_.Contains(kB));
}

TEST_F(IsrTest, AReplicaThatAnswersButFallsBehindLeaves) {
  for (int i = 1; i < 80; ++i) {
    Append(10 + i * 10);
    Answer(kB, 10 + i);
    Answer(kC, 10 + i * 10);
    isr_.OnCommit(LogIndex(10 + i * 10), now_);
    Pass(Millis(1000));
  }
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kC));
}

TEST_F(IsrTest, ASuspectNodeLeavesAtOnceAndReturnsWhenItHasWhatIsCommitted) {
  isr_.OnCommit(LogIndex(10), now_);
  isr_.SetReachable(kB, false, now_);
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kC));
  Append(12);
  isr_.OnCommit(LogIndex(12), now_);
  isr_.SetReachable(kB, true, now_);
  EXPECT_FALSE(isr_.Contains(kB));
  Answer(kB, 11);
  EXPECT_FALSE(isr_.Contains(kB));
  Answer(kB, 12);
  EXPECT_TRUE(isr_.Contains(kB));
}

TEST_F(IsrTest, KnowsSinceWhenANodeIsUnreachable) {
  EXPECT_EQ(isr_.UnreachableSince(kB), std::nullopt);
  const MonoTime since = now_;
  isr_.SetReachable(kB, false, now_);
  now_ += Millis(5000);
  isr_.SetReachable(kB, false, now_);
  EXPECT_EQ(isr_.UnreachableSince(kB), since) << "it was said twice";
  isr_.SetReachable(kB, true, now_);
  EXPECT_EQ(isr_.UnreachableSince(kB), std::nullopt);
}

TEST_F(IsrTest, AReplicaThatCannotAppendLeavesAtOnceTheLeaderToo) {
  isr_.SetCanAppend(kC, false, now_);
  isr_.SetCanAppend(kA, false, now_);
  EXPECT_THAT(isr_.Members(), ElementsAre(kB));
}

TEST_F(IsrTest, ANewLeaderKnowsWhoIsUnreachableAndJudgesLagOnlyOnceConfirmed) {
  isr_.SetReachable(kB, false, now_);
  isr_.Start({kA, kB, kC}, LogIndex(20), now_);
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kC));
  Pass(std::chrono::hours(1));
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kC));
  isr_.Confirm(now_);
  Pass(Millis(29999));
  EXPECT_TRUE(isr_.Contains(kC)) << "lag counts from the confirmation";
  Pass(Millis(1));
  EXPECT_THAT(isr_.Members(), ElementsAre(kA));
}

TEST_F(IsrTest, OurOwnPauseCountsAgainstNobody) {
  Append(11);
  now_ += Millis(45000);
  isr_.Tick(now_);
  EXPECT_THAT(isr_.Members(), ElementsAre(kA, kB, kC));
  Pass(Millis(30001));
  EXPECT_THAT(isr_.Members(), ElementsAre(kA)) << "silence after the pause does count";
}

TEST_F(IsrTest, CountsTheMembersThatHaveAnIndex) {
  Append(12);
  Answer(kA, 12);
  Answer(kB, 11);
  Answer(kC, 12);
  EXPECT_EQ(isr_.CountHaving(LogIndex(12)), 2u);
  isr_.SetReachable(kC, false, now_);
  EXPECT_EQ(isr_.CountHaving(LogIndex(12)), 1u);
  EXPECT_EQ(isr_.CountHaving(LogIndex(11)), 2u);
}

TEST_F(IsrTest, ARestartedReplicaHasOnlyWhatItSaysNow) {
  Answer(kB, 3);
  EXPECT_EQ(isr_.CountHaving(LogIndex(10)), 2u);
}

TEST_F(IsrTest, TheVersionMovesWithTheMembersOnly) {
  const uint64_t before = isr_.version();
  Append(11);
  Answer(kB, 11);
  isr_.SetReachable(kB, true, now_);
  EXPECT_EQ(isr_.version(), before);
  isr_.SetReachable(kB, false, now_);
  EXPECT_EQ(isr_.version(), before + 1);
  isr_.SetReplicas({kA, kC}, now_);
  EXPECT_EQ(isr_.version(), before + 1) << "B was out already";
  isr_.SetReplicas({kA}, now_);
  EXPECT_EQ(isr_.version(), before + 2);
}

}  // namespace
}  // namespace garam::raft
