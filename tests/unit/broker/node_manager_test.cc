#include "broker/node_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status.h"
#include "common/testing/fake_executor.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A network on which every handshake ends as the test has said for that node.
class FakeNetwork final : public PeerControl, public PeerStreams {
 public:
  explicit FakeNetwork(Executor& executor) : executor_(executor) {}

  std::map<NodeId, HandshakeResult> results;
  std::map<NodeId, FullState> states;
  std::map<NodeId, std::vector<uint32_t>> unheard;  // As our heartbeats said.
  std::vector<NodeId> redialled;
  std::map<NodeId, std::string> hosts;

  void SetPeer(PeerAddress address) override { hosts[address.node] = address.host; }
  void RemovePeer(NodeId) override {}
  void Handshake(NodeId node, Duration,
                 absl::AnyInvocable<void(HandshakeResult) &&> done) override {
    executor_.Post(
        [done = std::move(done), result = results[node]]() mutable { std::move(done)(result); });
  }
  void Redial(NodeId node) override { redialled.push_back(node); }
  void SendHeartbeat(NodeId node, const Heartbeat& heartbeat) override {
    unheard[node].push_back(heartbeat.unheard);
  }
  void SendRaft(NodeId, std::vector<GroupMessage>) override {}
  void PushLeaderStates(NodeId, std::vector<LeaderState>) override {}
  void FetchFullState(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) override {
    executor_.Post(
        [done = std::move(done), state = states[node]]() mutable { std::move(done)(state); });
  }
  void CallController(NodeId, std::string, Duration,
                      absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>) override {}
  void FetchFormation(NodeId,
                      absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&>) override {}
  void OfferFormation(NodeId, FormationProposal,
                      absl::AnyInvocable<void(absl::Status) &&>) override {}
  void CopyLog(NodeId, CopyRequest, CopyDone) override {}
  bool Send(NodeId, size_t, std::vector<GroupMessage>) override { return true; }

 private:
  Executor& executor_;
};

class NodeManagerTest : public ::testing::Test {
 protected:
  void StartWithPeers(std::vector<NodeId> peers) {
    nodes_.Start(network_, network_);
    for (NodeId peer : peers) nodes_.SetPeer({peer, "host", 9, 0});
    executor_.RunFor(Millis(50));
  }
  void RejectFrom(NodeId node) {
    network_.results[node] = {HandshakeOutcome::kRejected, {}, 0, "another cluster"};
  }
  NodeManager::Options Options() {
    NodeIdentity self;
    self.node = NodeId(1);
    return {executor_,
            clock_,
            leaders_,
            self,
            {},
            [](NodeId, NodeEvent) {},
            [](NodeId, size_t, std::vector<GroupMessage>) {},
            [](NodeId, const std::vector<LeaderState>&) {},
            [](NodeId) {},
            [this](const std::string& reason) { rejected_.push_back(reason); },
            [](std::string, auto) {},
            [] { return FormationStatus(); },
            [](FormationProposal, auto) {},
            [](CopyRequest, CopyDone) {}};
  }

  FakeClock clock_;
  FakeExecutor executor_{clock_};
  LeaderTable leaders_;
  FakeNetwork network_{executor_};
  std::vector<std::string> rejected_;
  NodeManager nodes_{Options()};
};

TEST_F(NodeManagerTest, OnePeerOfTwoThatDoesNotTakeUsDecidesNothing) {
  RejectFrom(NodeId(2));
  StartWithPeers({NodeId(2), NodeId(3)});
  executor_.RunFor(Millis(5000));  // It is asked again and again.
  EXPECT_THAT(rejected_, IsEmpty());
}

TEST_F(NodeManagerTest, MostPeersThatDoNotTakeUsDecide) {
  RejectFrom(NodeId(2));
  RejectFrom(NodeId(3));
  StartWithPeers({NodeId(2), NodeId(3), NodeId(4)});
  EXPECT_THAT(rejected_, ElementsAre("another cluster"));
}

TEST_F(NodeManagerTest, HeartbeatsSayHowLongThePeerHasNotBeenHeard) {
  StartWithPeers({NodeId(2)});
  executor_.RunFor(Millis(200));
  nodes_.OnHeartbeat(NodeId(2), StartId(22), {});
  executor_.RunFor(Millis(300));
  EXPECT_THAT(network_.unheard[NodeId(2)], ElementsAre(0, 1, 0, 1, 2));
}

TEST_F(NodeManagerTest, APeerThatMissesOurHeartbeatsIsDialledAnewOnce) {
  StartWithPeers({NodeId(2)});
  for (uint32_t missed = 1; missed <= 15; ++missed) {
    nodes_.OnHeartbeat(NodeId(2), StartId(22), {{}, missed});
    executor_.RunFor(Millis(100));
  }
  EXPECT_THAT(network_.redialled, ElementsAre(NodeId(2)));
}

TEST_F(NodeManagerTest, TheOnlyPeerDecidesAlone) {
  RejectFrom(NodeId(2));
  StartWithPeers({NodeId(2)});
  EXPECT_THAT(rejected_, ElementsAre("another cluster"));
}

TEST_F(NodeManagerTest, WhomNobodyBeatsForAsksWhoIsThereAndWhatTheyLead) {
  network_.results[NodeId(2)] = {HandshakeOutcome::kDone, {NodeId(2)}, 1, ""};
  StartWithPeers({NodeId(2)});
  nodes_.OnControlStream(NodeId(2), true);
  executor_.RunFor(Millis(1000));
  EXPECT_THAT(nodes_.live(), ElementsAre(NodeId(1)));
  network_.states[NodeId(2)].led = {{kMetadataGroup, Term(2), NodeId(2), 0, {}}};
  nodes_.AskAround();
  executor_.RunReady();
  EXPECT_THAT(nodes_.live(), ElementsAre(NodeId(1), NodeId(2)));
  EXPECT_EQ(leaders_.Get(kMetadataGroup).leader, NodeId(2));
}

// Two processes call themselves node 2; at its address one of them answers.
TEST_F(NodeManagerTest, WhoCallsItselfLikeABrokerThatRunsIsRefusedOnceThatOneHasAnswered) {
  const NodeIdentity known{.node = NodeId(2), .incarnation = Incarnation(7)};
  const NodeIdentity twin{.node = NodeId(2), .incarnation = Incarnation(8)};
  network_.results[NodeId(2)] = {HandshakeOutcome::kDone, known, 1, ""};
  EXPECT_TRUE(nodes_.Admit(twin).ok());  // Nobody has been reached there.
  StartWithPeers({NodeId(2)});
  EXPECT_TRUE(nodes_.Admit(known).ok());
  EXPECT_EQ(ErrcOf(nodes_.OnHandshake(twin).status()), Errc::kTimedOut);
  executor_.RunFor(Millis(200));  // A beat, which asks.
  const absl::Status refused = nodes_.OnHandshake(twin).status();
  EXPECT_EQ(ErrcOf(refused), Errc::kInvalidRequest);
  EXPECT_THAT(refused.message(), HasSubstr("another broker with node.id 2 is running"));
  EXPECT_TRUE(nodes_.Admit(known).ok());
}

TEST_F(NodeManagerTest, ABrokerThatHasLostItsDiskIsAdmittedOnceItAnswersAtItsAddress) {
  const NodeIdentity before{.node = NodeId(2), .incarnation = Incarnation(7)};
  const NodeIdentity after{.node = NodeId(2), .incarnation = Incarnation(8)};
  network_.results[NodeId(2)] = {HandshakeOutcome::kDone, before, 1, ""};
  StartWithPeers({NodeId(2)});
  network_.results[NodeId(2)] = {HandshakeOutcome::kDone, after, 1, ""};
  EXPECT_EQ(ErrcOf(nodes_.Admit(after)), Errc::kTimedOut);
  executor_.RunFor(Millis(200));
  EXPECT_TRUE(nodes_.Admit(after).ok());
  EXPECT_EQ(ErrcOf(nodes_.Admit(before)), Errc::kTimedOut);
}

TEST_F(NodeManagerTest, NobodyIsTakenForABrokerThatIsDown) {
  const NodeIdentity known{.node = NodeId(2), .incarnation = Incarnation(7)};
  const NodeIdentity other{.node = NodeId(2), .incarnation = Incarnation(8)};
  network_.results[NodeId(2)] = {HandshakeOutcome::kDone, known, 1, ""};
  StartWithPeers({NodeId(2)});
  network_.results[NodeId(2)] = {HandshakeOutcome::kRefused, {}, 0, ""};
  nodes_.OnControlStream(NodeId(2), true);
  nodes_.OnControlStream(NodeId(2), false);
  executor_.RunReady();
  EXPECT_TRUE(nodes_.Admit(other).ok());
}

// The folder of another cluster names that one's addresses: the configured ones are asked first.
TEST_F(NodeManagerTest, TheFirstAddressOfAPeerIsAskedBeforeAnotherOneIsTaken) {
  network_.results[NodeId(2)] = {HandshakeOutcome::kTimedOut, {}, 0, ""};
  nodes_.Start(network_, network_);
  nodes_.SetPeer({NodeId(2), "configured", 9, 0});
  nodes_.SetPeer({NodeId(2), "elsewhere", 9, 0});
  executor_.RunFor(Millis(50));
  EXPECT_EQ(network_.hosts[NodeId(2)], "configured");
  RejectFrom(NodeId(2));
  executor_.RunFor(Millis(1000));
  EXPECT_THAT(rejected_, ::testing::Not(IsEmpty()));
  EXPECT_EQ(network_.hosts[NodeId(2)], "elsewhere");
}

TEST_F(NodeManagerTest, AnAddressWhereNobodyAnswersIsGivenUpForAnotherOne) {
  network_.results[NodeId(2)] = {HandshakeOutcome::kTimedOut, {}, 0, ""};
  nodes_.Start(network_, network_);
  nodes_.SetPeer({NodeId(2), "configured", 9, 0});
  nodes_.SetPeer({NodeId(2), "elsewhere", 9, 0});
  executor_.RunFor(Millis(5000));
  EXPECT_EQ(network_.hosts[NodeId(2)], "elsewhere");
}

// As a founder that lost its disk, when the controller is a broker that came later.
TEST_F(NodeManagerTest, WhoAsksAroundIsToldWhereAControllerIsThatNobodyTold) {
  network_.results[NodeId(2)] = {HandshakeOutcome::kDone, {NodeId(2)}, 1, ""};
  network_.results[NodeId(5)] = {HandshakeOutcome::kDone, {NodeId(5)}, 1, ""};
  StartWithPeers({NodeId(2)});
  network_.states[NodeId(2)].controller = PeerAddress{NodeId(5), "far", 7, 0};
  network_.states[NodeId(5)].led = {{kMetadataGroup, Term(2), NodeId(5), 0, {}}};
  nodes_.AskAround();
  executor_.RunReady();
  EXPECT_THAT(nodes_.peers(), ElementsAre(NodeId(2), NodeId(5)));
  nodes_.AskAround();
  executor_.RunReady();
  EXPECT_EQ(leaders_.Get(kMetadataGroup).leader, NodeId(5));
}

TEST_F(NodeManagerTest, TellsWhomItTakesForTheController) {
  StartWithPeers({NodeId(2)});
  EXPECT_FALSE(nodes_.OnFullStateAsked().controller.has_value());
  leaders_.Merge({kMetadataGroup, Term(2), NodeId(2), 0, {}});
  EXPECT_EQ(nodes_.OnFullStateAsked().controller->node, NodeId(2));
}

}  // namespace
}  // namespace garam
