// A founder that stays away gives its vote in group 0 to somebody else.
#include "coordinator/voter_watch.h"

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;

class VoterWatchTest : public ClusterFixture {
 protected:
  VoterWatchTest() {
    Form("cluster-a", /*voters=*/3);
    for (int node = 1; node <= 4; ++node) Register(BrokerOf(node));
  }
  // Looks every second for that long; applies what comes out.
  void Pass(Duration time) {
    for (const MonoTime end = now_ + time; now_ < end; now_ += Millis(1000)) {
      const std::optional<std::string> command = watch_.Look(*image_, live_, now_);
      if (!command) continue;
      EXPECT_TRUE(Apply(*command).outcome.ok());
    }
  }
  std::vector<int> Voters() const {
    std::vector<int> voters;
    for (const FormationVoter& voter : image_->voters()) voters.push_back(voter.node.value());
    return voters;
  }

  VoterWatch watch_{Millis(60'000)};
  MonoTime now_{};
};

TEST_F(VoterWatchTest, AVoterThatIsDeadForLongIsReplaced) {
  live_.erase(NodeId(2));
  Pass(Millis(60'000));
  EXPECT_THAT(Voters(), ElementsAre(1, 2, 3));
  const LogIndex before = image_->members_index();
  Pass(Millis(2000));
  EXPECT_THAT(Voters(), ElementsAre(1, 4, 3));
  EXPECT_EQ(image_->voters()[1].incarnation, Incarnation(1004));
  EXPECT_EQ(image_->voters()[1].control_address, "broker-4:9093");
  EXPECT_GT(image_->members_index(), before);
}

TEST_F(VoterWatchTest, WhoComesBackInTimeKeepsItsVoteAndStartsAnew) {
  for (int i = 0; i < 5; ++i) {
    live_.erase(NodeId(2));
    Pass(Millis(50'000));
    live_.insert(NodeId(2));
    Pass(Millis(1000));
  }
  EXPECT_THAT(Voters(), ElementsAre(1, 2, 3));
}

TEST_F(VoterWatchTest, WhoComesBackLaterDoesNotGetItsVoteBack) {
  live_.erase(NodeId(2));
  Pass(Millis(70'000));
  live_.insert(NodeId(2));
  Pass(Millis(300'000));
  EXPECT_THAT(Voters(), ElementsAre(1, 4, 3));
}

TEST_F(VoterWatchTest, WithNobodyToTakeItTheVoteStaysUntilSomebodyCan) {
  live_ = {NodeId(1), NodeId(3)};
  Pass(Millis(100'000));
  EXPECT_THAT(Voters(), ElementsAre(1, 2, 3));
  live_.insert(NodeId(4));
  Pass(Millis(1000));
  EXPECT_THAT(Voters(), ElementsAre(1, 4, 3));
}

TEST_F(VoterWatchTest, AnotherControllerCountsFromWhatItSeesItself) {
  live_.erase(NodeId(2));
  Pass(Millis(50'000));
  watch_.Reset();
  Pass(Millis(50'000));
  EXPECT_THAT(Voters(), ElementsAre(1, 2, 3));
}

TEST_F(VoterWatchTest, TheOneThatIsDeadForLongestGoesFirst) {
  Register(BrokerOf(5));
  Register(BrokerOf(6));  // The only one of six without a vote.
  live_.erase(NodeId(3));
  Pass(Millis(2000));
  live_.erase(NodeId(1));
  Pass(Millis(59'000));
  EXPECT_THAT(Voters(), ElementsAre(1, 2, 6, 4, 5));
}

TEST_F(VoterWatchTest, ASuccessorThatIsGoneByThenChangesNothing) {
  live_.erase(NodeId(2));
  Pass(Millis(60'000));
  const std::optional<std::string> command = watch_.Look(*image_, live_, now_);
  ASSERT_TRUE(command.has_value());
  live_.erase(NodeId(4));
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(4)));
  EXPECT_THAT(Apply(*command).outcome, HasErrc(Errc::kBrokerIdNotRegistered));
  EXPECT_THAT(Voters(), ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace garam
