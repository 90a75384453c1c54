#include "broker/control/control_plane.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "broker/asio/asio_executor.h"
#include "tests/unit/broker/fake_peer_events.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

NodeIdentity Identity(int node, uint64_t start, std::string cluster = "c") {
  return {NodeId(node), Incarnation(100 + static_cast<uint64_t>(node)), StartId(start),
          std::move(cluster)};
}

// What `call` hands to the completion that it is given. The promise lives in the completion: it
// must not go away while the other thread is still in it.
template <class Result, class Call>
std::future<Result> Ask(Call call) {
  std::promise<Result> promise;
  auto future = promise.get_future();
  call([promise = std::move(promise)](Result result) mutable {
    promise.set_value(std::move(result));
  });
  return future;
}

template <class Result, class Call>
Result Await(Call call) {
  return Ask<Result>(std::move(call)).get();
}

// A broker as far as the control plane goes.
struct Node {
  explicit Node(NodeIdentity identity, uint16_t port = 0) : core(std::move(identity)) {
    loop.Start();
    ControlOptions options;
    options.listen_host = "127.0.0.1";
    options.listen_port = port;
    options.backoff_max = kTestDeadline / 4;  // What a connection is given, too.
    options.self = [this] { return core.self(); };
    options.stream_port = [] { return uint16_t{4711}; };
    plane.emplace(options, loop, core);
    EXPECT_TRUE(plane->Listen().ok());
  }
  ~Node() {
    plane->Stop();
    loop.Stop();
  }
  PeerAddress address() const { return {core.self().node, "127.0.0.1", plane->port(), 0}; }

  HandshakeResult Handshake(NodeId node, Duration timeout = Millis(2000)) {
    return Await<HandshakeResult>(
        [&](auto done) { plane->Handshake(node, timeout, std::move(done)); });
  }
  bool StreamIs(NodeId peer, const std::vector<bool>& history) {
    return bool(core.WaitUntil([&] { return core.control_open[peer] == history; }));
  }

  template <class Answer>
  void OnControllerCall(Answer answer) {
    core.Set([&] { core.on_controller_call = answer; });
  }

  FakePeerEvents core;
  ShardLoop loop{"shard-0"};
  std::optional<ControlPlane> plane;
};

// A socket of 127.0.0.1 on a port of its own: deaf until Listen, and silent always, as the kernel
// accepts for a process that is stopped.
class SilentSocket {
 public:
  SilentSocket() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentSocket() { close(fd_); }
  void Listen() { EXPECT_EQ(listen(fd_, 16), 0); }
  PeerAddress address(int node) const { return {NodeId(node), "127.0.0.1", port_, 0}; }
  int fd() const { return fd_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

// Stands between clients and a server of this machine and passes on what they say, on a thread of
// its own.
class Relay {
 public:
  explicit Relay(uint16_t port) : port_(port) {
    listener_.Listen();
    EXPECT_EQ(pipe(wake_), 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~Relay() {
    EXPECT_EQ(write(wake_[1], "", 1), 1);
    thread_.join();
    for (const Link& link : links_) {
      close(link.client);
      close(link.server);
    }
    close(wake_[0]);
    close(wake_[1]);
  }
  PeerAddress address(int node) const { return listener_.address(node); }
  // What clients say over the connections that there are vanishes from now on; the other way goes
  // on.
  void Swallow() {
    std::lock_guard lock(mutex_);
    for (Link& link : links_) link.swallows = true;
  }

 private:
  struct Link {
    int client;
    int server;
    bool swallows = false;
    bool ended = false;
  };

  void Run() {
    while (true) {
      std::vector<pollfd> ready = {{wake_[0], POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
      for (const Link& link : links_) {
        ready.push_back({link.ended ? -1 : link.client, POLLIN, 0});
        ready.push_back({link.ended ? -1 : link.server, POLLIN, 0});
      }
      if (poll(ready.data(), ready.size(), -1) < 0 || ready[0].revents != 0) return;
      std::lock_guard lock(mutex_);
      for (size_t i = 0; i < links_.size(); ++i) {
        Link& link = links_[i];
        if (ready[2 + 2 * i].revents != 0) Pass(link, link.client, link.server, link.swallows);
        if (ready[3 + 2 * i].revents != 0) Pass(link, link.server, link.client, false);
      }
      if (ready[1].revents != 0) Accept();
    }
  }
  void Accept() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    const Link link{accept(listener_.fd(), nullptr, nullptr), socket(AF_INET, SOCK_STREAM, 0)};
    EXPECT_EQ(connect(link.server, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    links_.push_back(link);
  }
  static void Pass(Link& link, int from, int to, bool swallowed) {
    char bytes[4096];
    const ssize_t got = recv(from, bytes, sizeof(bytes), 0);
    if (got > 0 && swallowed) return;
    if (got > 0 && send(to, bytes, static_cast<size_t>(got), MSG_NOSIGNAL) == got) return;
    shutdown(link.client, SHUT_RDWR);
    shutdown(link.server, SHUT_RDWR);
    link.ended = true;
  }

  const uint16_t port_;
  SilentSocket listener_;
  int wake_[2];
  std::mutex mutex_;
  std::vector<Link> links_;  // Changed by the thread only, under mutex_.
  std::thread thread_;
};

double MillisSince(MonoTime start) {
  return std::chrono::duration<double, std::milli>(MonoTime::clock::now() - start).count();
}

TEST(ControlPlaneTest, StreamsOpenBothWaysAndCarryHeartbeatsAndLeaderStates) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  one.plane->SetPeer(two.address());
  two.plane->SetPeer(one.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true}));
  ASSERT_TRUE(two.StreamIs(NodeId(1), {true}));

  const LeaderState state{GroupId(7), Term(3), NodeId(1), 5, {NodeId(1), NodeId(2)}};
  one.plane->SendHeartbeat(NodeId(2), {{1, 2, 3, 4}, 5});
  one.plane->PushLeaderStates(NodeId(2), {state});
  EXPECT_TRUE(two.core.WaitUntil(
      [&] { return two.core.heartbeats[NodeId(1)] == 1 && two.core.leader_states.size() == 1; }));
  two.core.Look<void>([&] {
    EXPECT_EQ(two.core.last_start_id, StartId(11));
    EXPECT_EQ(two.core.last_heartbeat, (Heartbeat{{1, 2, 3, 4}, 5}));
    EXPECT_THAT(two.core.leader_states, ElementsAre(state));
  });
}

TEST(ControlPlaneTest, AHandshakeTellsIdentityAndStreamPort) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  one.plane->SetPeer(two.address());
  const HandshakeResult result = one.Handshake(NodeId(2));
  EXPECT_EQ(result.outcome, HandshakeOutcome::kDone);
  EXPECT_EQ(result.peer.node, NodeId(2));
  EXPECT_EQ(result.peer.incarnation, Incarnation(102));
  EXPECT_EQ(result.peer.start_id, StartId(22));
  EXPECT_EQ(result.peer.cluster_id, "c");
  EXPECT_EQ(result.stream_port, 4711);
  EXPECT_TRUE(
      two.core.WaitUntil([&] { return two.core.handshakes == std::vector<NodeId>{NodeId(1)}; }));
}

TEST(ControlPlaneTest, AHandshakeWithAClosedPortIsRefusedAtOnceEveryTime) {
  SilentSocket deaf;
  Node one(Identity(1, 11));
  one.plane->SetPeer(deaf.address(2));
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const MonoTime start = MonoTime::clock::now();
    EXPECT_EQ(one.Handshake(NodeId(2)).outcome, HandshakeOutcome::kRefused);
    best = std::min(best, MillisSince(start));
  }
  // No cached failure's back-off and no timeout. The best of five, for a busy machine's sake.
  EXPECT_LT(best, 50);
}

TEST(ControlPlaneTest, AHandshakeThatNobodyAnswersTimesOut) {
  SilentSocket stopped;
  stopped.Listen();
  Node one(Identity(1, 11));
  one.plane->SetPeer(stopped.address(2));
  const MonoTime start = MonoTime::clock::now();
  EXPECT_EQ(one.Handshake(NodeId(2), Millis(100)).outcome, HandshakeOutcome::kTimedOut);
  EXPECT_GE(MillisSince(start), 95);
}

TEST(ControlPlaneTest, AnotherClusterIsRefusedInOneLine) {
  Node one(Identity(1, 11, "mine"));
  Node two(Identity(2, 22, "yours"));
  one.plane->SetPeer(two.address());
  const HandshakeResult result = one.Handshake(NodeId(2));
  EXPECT_EQ(result.outcome, HandshakeOutcome::kRejected);
  EXPECT_EQ(result.reason, "broker 1 belongs to cluster mine, this broker to yours");
  EXPECT_TRUE(two.core.Look<bool>([&] { return two.core.handshakes.empty(); }));
  EXPECT_TRUE(one.core.Look<bool>([&] { return one.core.control_open.empty(); }));
}

TEST(ControlPlaneTest, ABlankBrokerMayTalkToAnyCluster) {
  Node one(Identity(1, 11, ""));
  Node two(Identity(2, 22, "yours"));
  one.plane->SetPeer(two.address());
  EXPECT_EQ(one.Handshake(NodeId(2)).outcome, HandshakeOutcome::kDone);
}

TEST(ControlPlaneTest, AnAddressThatReachesAnotherBrokerIsRejected) {
  Node one(Identity(1, 11));
  Node three(Identity(3, 33));
  PeerAddress wrong = three.address();
  wrong.node = NodeId(2);
  one.plane->SetPeer(wrong);
  const HandshakeResult result = one.Handshake(NodeId(2));
  EXPECT_EQ(result.outcome, HandshakeOutcome::kRejected);
  EXPECT_THAT(result.reason, HasSubstr("the address of broker 2 reaches broker 3"));
}

TEST(ControlPlaneTest, TheCoresRefusalReachesTheCaller) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  two.core.Set([&] { two.core.refuse_handshake = "not today"; });
  one.plane->SetPeer(two.address());
  const HandshakeResult result = one.Handshake(NodeId(2));
  EXPECT_EQ(result.outcome, HandshakeOutcome::kRejected);
  EXPECT_EQ(result.reason, "not today");
}

TEST(ControlPlaneTest, WhomTheCoreDoesNotAdmitGetsNoStream) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  two.core.Set([&] { two.core.refuse_peer = "that one is another"; });
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(two.core.WaitUntil([&] { return two.core.peers_refused > 1; }));
  EXPECT_TRUE(one.core.Look<bool>([&] { return one.core.control_open.empty(); }));
}

TEST(ControlPlaneTest, TheEndOfAPeerIsToldAtOnceAndItsReturnOpensTheStreamAgain) {
  Node one(Identity(1, 11));
  auto two = std::make_unique<Node>(Identity(2, 22));
  const uint16_t port = two->plane->port();
  one.plane->SetPeer(two->address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true}));
  two.reset();
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true, false}));
  EXPECT_EQ(one.Handshake(NodeId(2)).outcome, HandshakeOutcome::kRefused);

  two = std::make_unique<Node>(Identity(2, 23), port);
  EXPECT_TRUE(one.StreamIs(NodeId(2), {true, false, true}));
  one.plane->SendHeartbeat(NodeId(2), {});
  EXPECT_TRUE(two->core.WaitUntil([&] { return two->core.heartbeats[NodeId(1)] == 1; }));
}

TEST(ControlPlaneTest, AnInboundHelloOfANewProcessReplacesTheStreamToTheOldOne) {
  Node one(Identity(1, 11));
  Node old_two(Identity(2, 22));
  one.plane->SetPeer(old_two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true}));
  // The same broker started again while its old connections linger, as after a lost link.
  Node new_two(Identity(2, 23));
  new_two.plane->SetPeer(one.address());
  EXPECT_TRUE(one.StreamIs(NodeId(2), {true, false, true}));
}

TEST(ControlPlaneTest, AStreamThatIsStuckOneWayIsReplacedByDiallingAnew) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  Relay relay(two.plane->port());
  one.plane->SetPeer(relay.address(2));
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true}));
  relay.Swallow();
  one.plane->SendHeartbeat(NodeId(2), {{}, 6});  // Never seen again.
  one.plane->Redial(NodeId(2));
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true, false, true}));
  one.plane->SendHeartbeat(NodeId(2), {{}, 7});
  EXPECT_TRUE(two.core.WaitUntil([&] { return two.core.heartbeats[NodeId(1)] > 0; }));
  two.core.Look<void>([&] {
    EXPECT_EQ(two.core.heartbeats[NodeId(1)], 1);
    EXPECT_EQ(two.core.last_heartbeat.unheard, 7U);
  });
}

TEST(ControlPlaneTest, ARemovedPeerIsSilent) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), {true}));
  one.plane->RemovePeer(NodeId(2));
  EXPECT_EQ(one.Handshake(NodeId(2)).outcome, HandshakeOutcome::kRejected);
  EXPECT_TRUE(one.StreamIs(NodeId(2), {true}));
}

TEST(ControlPlaneTest, FullStateAndFormationTravelWhole) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  const FullState whole{{{GroupId(7), Term(3), NodeId(2), 5, {NodeId(2)}}},
                        {GroupId(9)},
                        PeerAddress{NodeId(4), "there", 12, 0}};
  const FormationProposal proposal{"c", {{NodeId(1), Incarnation(101), "a:1"}}};
  two.core.Set([&] {
    two.core.full_state = whole;
    two.core.formation = {two.core.self(), false, proposal};
  });
  one.plane->SetPeer(two.address());

  const auto state = Await<absl::StatusOr<FullState>>(
      [&](auto done) { one.plane->FetchFullState(NodeId(2), std::move(done)); });
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->led, whole.led);
  EXPECT_EQ(state->failed, whole.failed);
  EXPECT_EQ(state->controller->node, NodeId(4));
  EXPECT_EQ(state->controller->host, "there");
  EXPECT_EQ(state->controller->control_port, 12);

  const auto status = Await<absl::StatusOr<FormationStatus>>(
      [&](auto done) { one.plane->FetchFormation(NodeId(2), std::move(done)); });
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->self.node, NodeId(2));
  EXPECT_FALSE(status->blank);
  EXPECT_EQ(status->proposal, proposal);

  const auto offer = Await<absl::Status>(
      [&](auto done) { one.plane->OfferFormation(NodeId(2), proposal, std::move(done)); });
  EXPECT_TRUE(offer.ok()) << offer;
  EXPECT_TRUE(two.core.WaitUntil([&] { return two.core.offered == proposal; }));
}

TEST(ControlPlaneTest, PiecesOfLogsTravelWhole) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  const CopyRequest asked{GroupId(5), CopyRequest::Piece{LogIndex(7), 1000, 1 << 20}};
  const CopyReply piece{std::string(1 << 20, 'p'), "image"};
  two.core.Set([&] { two.core.copy_answer = piece; });
  one.plane->SetPeer(two.address());
  const auto reply = Await<absl::StatusOr<CopyReply>>(
      [&](auto done) { one.plane->CopyLog(NodeId(2), asked, std::move(done)); });
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->bytes, piece.bytes);
  EXPECT_EQ(reply->snapshot, "image");
  EXPECT_TRUE(
      two.core.WaitUntil([&] { return two.core.copies_asked == std::vector<CopyRequest>{asked}; }));

  two.core.Set([&] { two.core.copy_answer = MakeError(Errc::kNotLeader, "not here"); });
  const auto refused = Await<absl::StatusOr<CopyReply>>([&](auto done) {
    one.plane->CopyLog(NodeId(2), {GroupId(5), {}}, std::move(done));
  });
  EXPECT_EQ(ErrcOf(refused.status()), Errc::kNotLeader);
}

absl::StatusOr<std::string> CallController(Node& from, NodeId to, Duration timeout) {
  return Await<absl::StatusOr<std::string>>(
      [&](auto done) { from.plane->CallController(to, "request", timeout, std::move(done)); });
}

TEST(ControlPlaneTest, AControllerCallBringsBackTheAnswerOrTheError) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  two.OnControllerCall([](std::string, auto done) {
    std::move(done)(MakeError(Errc::kNoController, "ask broker 3"));
  });
  one.plane->SetPeer(two.address());
  const absl::Status moved = CallController(one, NodeId(2), Millis(5000)).status();
  EXPECT_EQ(ErrcOf(moved), Errc::kNoController);
  EXPECT_EQ(moved.message(), "ask broker 3");
  EXPECT_EQ(ErrcOf(CallController(one, NodeId(4), Millis(50)).status()),
            Errc::kBrokerIdNotRegistered);
}

TEST(ControlPlaneTest, AControllerCallBringsBackTheReply) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  two.OnControllerCall([](std::string request, auto done) { std::move(done)(request + " done"); });
  one.plane->SetPeer(two.address());
  EXPECT_EQ(*CallController(one, NodeId(2), Millis(5000)), "request done");
}

TEST(ControlPlaneTest, AControllerCallThatIsKeptEndsAtItsDeadline) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  one.plane->SetPeer(two.address());
  EXPECT_EQ(ErrcOf(CallController(one, NodeId(2), Millis(50)).status()), Errc::kTimedOut);
}

TEST(ControlPlaneTest, ACallToAControllerThatIsDownSaysThereIsNone) {
  SilentSocket deaf;
  Node one(Identity(1, 11));
  one.plane->SetPeer(deaf.address(2));
  EXPECT_EQ(one.Handshake(NodeId(2)).outcome, HandshakeOutcome::kRefused);
  EXPECT_EQ(ErrcOf(CallController(one, NodeId(2), Millis(5000)).status()), Errc::kNoController);
}

TEST(ControlPlaneTest, StopEndsCallsThatNobodyAnswered) {
  Node one(Identity(1, 11));
  Node two(Identity(2, 22));
  one.plane->SetPeer(two.address());
  auto answer = Ask<absl::StatusOr<std::string>>([&](auto done) {
    one.plane->CallController(NodeId(2), "request", std::chrono::hours(1), std::move(done));
  });
  ASSERT_TRUE(two.core.WaitUntil([&] { return two.core.kept_calls.size() == 1; }));
  two.plane->Stop();
  EXPECT_FALSE(answer.get().ok());
}

// At whatever moment: streams and channels that are being opened, calls on their way, calls that
// nobody answers. What is called later than it may be finds its memory gone.
TEST(ControlPlaneTest, NothingRunsOnAfterStopWhateverWasUnderWay) {
  for (int round = 0; round < 8; ++round) {
    std::atomic<int> done = 0;
    Node two(Identity(2, 22));
    SilentSocket deaf;
    {
      Node one(Identity(1, 11));
      two.plane->SetPeer(one.address());
      one.plane->SetPeer(two.address());
      one.plane->SetPeer(deaf.address(3));
      for (NodeId peer : {NodeId(2), NodeId(3)}) {
        one.plane->SendHeartbeat(peer, {});
        one.plane->Handshake(peer, std::chrono::hours(1), [&done](auto) { ++done; });
        one.plane->FetchFullState(peer, [&done](auto) { ++done; });
        one.plane->CallController(peer, "request", std::chrono::hours(1),
                                  [&done](auto) { ++done; });
      }
      for (int turn = 0; turn < round; ++turn) one.loop.RunAndWait([] {});
      if (round % 2 == 0) {
        one.plane->Stop();
        one.loop.RunAndWait([] {});
        EXPECT_EQ(done, 6) << "in round " << round;
      }
    }
    EXPECT_LE(done, 6) << "a call was answered twice";
  }
}

TEST(ControlPlaneTest, ATakenPortIsOneClearError) {
  Node one(Identity(1, 11));
  ShardLoop loop("shard-0");
  ControlOptions options;
  options.listen_host = "127.0.0.1";
  options.listen_port = one.plane->port();
  ControlPlane second(options, loop, one.core);
  const absl::Status status = second.Listen();
  EXPECT_EQ(ErrcOf(status), Errc::kInvalidConfig);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the port is taken"));
}

}  // namespace
}  // namespace garam
