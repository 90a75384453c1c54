#include "raft/liveness.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace garam::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = LivenessEvent::Kind;

constexpr NodeId kPeer{2};
constexpr StartId kFirst{11};
constexpr StartId kSecond{22};

class LivenessTest : public ::testing::Test {
 protected:
  LivenessTest() {
    liveness_.Add(kPeer, now_);
    liveness_.TakeProbes();
  }
  void MakeUp() {
    liveness_.HandshakeDone(kPeer, kFirst, now_, now_);
    liveness_.StreamOpened(kPeer, 1, now_);
    liveness_.StreamOpened(kPeer, 2, now_);
    liveness_.TakeEvents();
  }
  // Ticks at every deadline on the way.
  void Pass(Duration time) {
    const MonoTime until = now_ + time;
    while (liveness_.NextDeadline() && *liveness_.NextDeadline() <= until) {
      now_ = std::max(now_, *liveness_.NextDeadline());
      liveness_.Tick(now_);
    }
    now_ = until;
  }
  // The peer's heartbeats come in beside ours, and say that it misses ours from now on.
  void BeatUnheard(uint32_t beats) {
    for (uint32_t i = 0; i < beats; ++i) {
      Pass(Millis(100));
      liveness_.Beat(kPeer);
      liveness_.HeartbeatReceived(kPeer, kFirst, ++missed_, now_);
    }
  }
  std::vector<Kind> Events() {
    std::vector<Kind> kinds;
    for (const LivenessEvent& event : liveness_.TakeEvents()) kinds.push_back(event.kind);
    return kinds;
  }

  MonoTime now_{};
  uint32_t missed_ = 0;
  Liveness liveness_{Timing{}};
};

TEST_F(LivenessTest, ANewPeerIsProbedAtOnceAndIsUpWhenItAnswers) {
  Liveness fresh{Timing{}};
  fresh.Add(kPeer, now_);
  EXPECT_THAT(fresh.TakeProbes(), ElementsAre(kPeer));
  fresh.HandshakeDone(kPeer, kFirst, now_, now_);
  EXPECT_THAT(fresh.TakeEvents(), ElementsAre(LivenessEvent{kPeer, Kind::kUp, kFirst}));
  EXPECT_EQ(fresh.StateOf(kPeer), NodeState::kUp);
}

TEST_F(LivenessTest, APeerThatNeverAnswersIsDownAfterTheHandshakeTime) {
  Pass(Millis(99));
  EXPECT_THAT(Events(), IsEmpty());
  Pass(Millis(1));
  EXPECT_THAT(Events(), ElementsAre(Kind::kDown));
}

TEST_F(LivenessTest, HeartbeatsKeepAPeerUp) {
  MakeUp();
  for (int i = 0; i < 50; ++i) {
    Pass(Millis(100));
    liveness_.HeartbeatReceived(kPeer, kFirst, 0, now_);
  }
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, SilenceMakesAPeerSuspectNotDownWhileAStreamIsOpen) {
  MakeUp();
  Pass(Millis(10000));
  EXPECT_THAT(Events(), ElementsAre(Kind::kSuspect));
  EXPECT_EQ(liveness_.StateOf(kPeer), NodeState::kSuspect);
}

TEST_F(LivenessTest, OneResetAloneIsNeverDown) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  EXPECT_THAT(liveness_.TakeProbes(), IsEmpty());
  liveness_.HandshakeRefused(kPeer, now_);
  Pass(Millis(300));
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, AllStreamsClosedAndARefusedHandshakeIsDownAtOnce) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  liveness_.StreamClosed(kPeer, 2, now_);
  EXPECT_THAT(liveness_.TakeProbes(), ElementsAre(kPeer));
  EXPECT_THAT(Events(), IsEmpty());
  liveness_.HandshakeRefused(kPeer, now_);
  EXPECT_THAT(Events(), ElementsAre(Kind::kDown));
}

TEST_F(LivenessTest, AllStreamsClosedAndNoAnswerIsDownWithin100Ms) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  liveness_.StreamClosed(kPeer, 2, now_);
  Pass(Millis(100));
  EXPECT_THAT(Events(), ElementsAre(Kind::kDown));
}

TEST_F(LivenessTest, AHandshakeThatSucceedsClearsTheSuspicion) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  liveness_.StreamClosed(kPeer, 2, now_);
  liveness_.HandshakeDone(kPeer, kFirst, now_, now_);
  Pass(Millis(300));
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, AStreamThatOpensWhileTheHandshakeFailsKeepsThePeer) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  liveness_.StreamClosed(kPeer, 2, now_);
  liveness_.StreamOpened(kPeer, 3, now_);
  liveness_.HandshakeTimedOut(kPeer, now_);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, ANewStartIdIsARestartEvenOfAPeerThatNeverSeemedDown) {
  MakeUp();
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  EXPECT_THAT(liveness_.TakeEvents(), ElementsAre(LivenessEvent{kPeer, Kind::kRestarted, kSecond}));
}

TEST_F(LivenessTest, ADownPeerThatComesBackAnewIsRestartedAndThenUp) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  liveness_.StreamClosed(kPeer, 2, now_);
  liveness_.HandshakeRefused(kPeer, now_);
  liveness_.HandshakeDone(kPeer, kSecond, now_, now_);
  EXPECT_THAT(Events(), ElementsAre(Kind::kDown, Kind::kRestarted, Kind::kUp));
}

TEST_F(LivenessTest, TheLastWordsOfADeadProcessAreNoRestart) {
  MakeUp();
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  Events();
  liveness_.HeartbeatReceived(kPeer, kFirst, 0, now_);
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_EQ(liveness_.StartIdOf(kPeer), kSecond);
}

// A broker starts while its peer does so again: of the peer's words the old process' come last.
TEST_F(LivenessTest, AnAnswerAskedForEarlierIsNotBelievedAgainstAnotherProcess) {
  const MonoTime asked_at = now_;
  Pass(Millis(10));
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  liveness_.TakeProbes();
  liveness_.HandshakeDone(kPeer, kFirst, asked_at, now_);
  EXPECT_EQ(liveness_.StartIdOf(kPeer), kSecond);
  EXPECT_THAT(liveness_.TakeProbes(), ElementsAre(kPeer));
}

TEST_F(LivenessTest, AProcessTakenForGoneIsAskedAndBelieved) {
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  liveness_.HeartbeatReceived(kPeer, kFirst, 0, now_);  // Late: its last words.
  liveness_.TakeProbes();
  Pass(Millis(10));
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  EXPECT_EQ(liveness_.StartIdOf(kPeer), kFirst);
  EXPECT_THAT(liveness_.TakeProbes(), ElementsAre(kPeer));
  liveness_.HandshakeDone(kPeer, kSecond, now_, now_);
  EXPECT_EQ(liveness_.StartIdOf(kPeer), kSecond);
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  EXPECT_THAT(liveness_.TakeProbes(), IsEmpty());
}

TEST_F(LivenessTest, ADownPeerIsAskedAgainEveryHalfSecond) {
  Pass(Millis(100));
  EXPECT_THAT(Events(), ElementsAre(Kind::kDown));
  liveness_.TakeProbes();
  Pass(Millis(499));
  EXPECT_THAT(liveness_.TakeProbes(), IsEmpty());
  Pass(Millis(1));
  EXPECT_THAT(liveness_.TakeProbes(), ElementsAre(kPeer));
}

TEST_F(LivenessTest, Pitfall30OurOwnPauseIsNotThePeersSilence) {
  MakeUp();
  now_ += Millis(5000);
  liveness_.Tick(now_);
  EXPECT_THAT(Events(), IsEmpty());
  liveness_.HeartbeatReceived(kPeer, kFirst, 0, now_);
  Pass(Millis(399));
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, APeerThatStaysSilentAfterOurPauseIsSuspect) {
  MakeUp();
  now_ += Millis(5000);
  liveness_.Tick(now_);
  Pass(Millis(400));
  EXPECT_THAT(Events(), ElementsAre(Kind::kSuspect));
}

TEST_F(LivenessTest, Pitfall30AHandshakeThatRanOverOurOwnPauseIsGivenItsTime) {
  MakeUp();
  liveness_.StreamClosed(kPeer, 1, now_);
  liveness_.StreamClosed(kPeer, 2, now_);
  now_ += Millis(350);
  liveness_.Tick(now_);
  EXPECT_THAT(Events(), IsEmpty());
  liveness_.HandshakeDone(kPeer, kFirst, now_, now_);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, OurHeartbeatsSayHowManyWereSentSinceThePeerWasHeard) {
  MakeUp();
  EXPECT_EQ(liveness_.Beat(kPeer), 0U);
  EXPECT_EQ(liveness_.Beat(kPeer), 1U);
  liveness_.HandshakeDone(kPeer, kFirst, now_,
                          now_);  // Its stream to us may be stuck all the same.
  EXPECT_EQ(liveness_.Beat(kPeer), 2U);
  liveness_.HeartbeatReceived(kPeer, kFirst, 0, now_);
  EXPECT_EQ(liveness_.Beat(kPeer), 0U);
}

TEST_F(LivenessTest, APeerThatIsHeardAndDoesNotHearUsForASecondIsDialledAnew) {
  MakeUp();
  BeatUnheard(9);
  EXPECT_THAT(liveness_.TakeRedials(), IsEmpty());
  BeatUnheard(2);
  EXPECT_THAT(liveness_.TakeRedials(), ElementsAre(kPeer));
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(LivenessTest, DiallingAnewThatDoesNotHelpIsTriedLessAndLessOften) {
  MakeUp();
  std::vector<uint32_t> at;
  for (uint32_t beat = 1; beat <= 400; ++beat) {
    BeatUnheard(1);
    if (!liveness_.TakeRedials().empty()) at.push_back(beat);
  }
  EXPECT_THAT(at, ElementsAre(11, 31, 71, 151, 231, 311, 391));
  liveness_.HeartbeatReceived(kPeer, kFirst, 0, now_);  // It hears us again.
  missed_ = 0;
  BeatUnheard(11);
  EXPECT_THAT(liveness_.TakeRedials(), ElementsAre(kPeer));
}

TEST_F(LivenessTest, Pitfall30APeerThatMissedUsDuringOurOwnPauseIsLeftAlone) {
  MakeUp();
  now_ += Millis(5000);
  liveness_.Tick(now_);
  for (uint32_t missed = 1; missed <= 50; ++missed) {  // All of them unread until now.
    liveness_.HeartbeatReceived(kPeer, kFirst, missed, now_);
  }
  liveness_.Beat(kPeer);
  EXPECT_THAT(liveness_.TakeRedials(), IsEmpty());
}

TEST_F(LivenessTest, APeerThatWasStoppedHasMissedNothing) {
  MakeUp();
  for (int i = 0; i < 50; ++i) liveness_.Beat(kPeer);
  liveness_.HeartbeatReceived(kPeer, kFirst, 1, now_);
  liveness_.Beat(kPeer);
  EXPECT_THAT(liveness_.TakeRedials(), IsEmpty());
}

TEST_F(LivenessTest, ASilentPeerIsNotDialledAnew) {
  MakeUp();
  BeatUnheard(8);
  for (int i = 0; i < 50; ++i) {
    Pass(Millis(100));
    liveness_.Beat(kPeer);
  }
  EXPECT_THAT(liveness_.TakeRedials(), IsEmpty());
  EXPECT_THAT(Events(), ElementsAre(Kind::kSuspect));
}

TEST_F(LivenessTest, TheLastWordsOfADeadProcessAreNoComplaint) {
  MakeUp();
  liveness_.HeartbeatReceived(kPeer, kSecond, 0, now_);
  for (int i = 0; i < 20; ++i) liveness_.Beat(kPeer);
  liveness_.HeartbeatReceived(kPeer, kFirst, 20, now_);
  liveness_.Beat(kPeer);
  EXPECT_THAT(liveness_.TakeRedials(), IsEmpty());
}

}  // namespace
}  // namespace garam::raft
