#include "broker/replication/replication_plane.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <optional>

#include "raft/messages.h"
#include "tests/unit/broker/fake_peer_events.h"

namespace garam {
namespace {

using ::testing::HasSubstr;

NodeIdentity Identity(int node, std::string cluster = "c", uint64_t start = 1) {
  return {NodeId(node), Incarnation(100 + static_cast<uint64_t>(node)), StartId(start),
          std::move(cluster)};
}

GroupMessage Append(uint64_t group, std::string entry = "entry") {
  raft::Append append;
  append.term = Term(1);
  append.entries.push_back(
      {LogIndex(1), Term(1), EntryKind::kBatch, Bytes::Take(std::move(entry))});
  return {GroupId(group), append};
}

GroupMessage Reply(uint64_t group) {
  raft::AppendReply reply;
  reply.term = Term(1);
  return {GroupId(group), reply};
}

// A broker as far as the entry streams go.
struct Node {
  explicit Node(NodeIdentity identity, size_t shards = 1, uint16_t port = 0,
                size_t queue_bytes_max = size_t{32} << 20)
      : core(std::move(identity)) {
    std::vector<ShardLoop*> all;
    for (size_t i = 0; i < shards; ++i) {
      loops.push_back(std::make_unique<ShardLoop>("shard-" + std::to_string(i)));
      loops.back()->Start();
      all.push_back(loops.back().get());
    }
    ReplicationOptions options;
    options.listen_host = "127.0.0.1";
    options.listen_port = port;
    options.queue_bytes_max = queue_bytes_max;
    options.frame_bytes_max = size_t{1} << 20;
    options.self = [this] { return core.self(); };
    plane.emplace(options, all, core);
    EXPECT_TRUE(plane->Listen().ok());
    plane->Start();
  }
  ~Node() {
    plane->Stop();
    for (auto& loop : loops) loop->Stop();
  }
  PeerAddress address() const { return {core.self().node, "127.0.0.1", 0, plane->port()}; }

  bool Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) {
    bool sent = false;
    loops[shard]->RunAndWait([&] { sent = plane->Send(to, shard, std::move(messages)); });
    return sent;
  }
  bool StreamIs(NodeId peer, size_t shard, const std::vector<bool>& history) {
    return bool(core.WaitUntil([&] { return core.stream_open[{peer, shard}] == history; }));
  }
  bool Received(size_t count) {
    return bool(core.WaitUntil([&] { return core.stream_messages.size() >= count; }));
  }
  GroupMessage Message(size_t i) {
    return core.Look<GroupMessage>([&] { return core.stream_messages.at(i); });
  }
  template <class Notice>
  void OnMessages(Notice notice) {
    core.Set([&] { core.on_stream_messages = notice; });
  }

  FakePeerEvents core;
  std::vector<std::unique_ptr<ShardLoop>> loops;
  std::optional<ReplicationPlane> plane;
};

TEST(ReplicationPlaneTest, MessagesArriveInOrderOnTheLoopThatReadThem) {
  Node one(Identity(1));
  Node two(Identity(2));
  bool on_loop = true;
  two.OnMessages([&](NodeId from, size_t shard, const auto&) {
    on_loop = on_loop && from == NodeId(1) && shard == 0 && two.loops[0]->RunningHere();
  });
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  for (uint64_t i = 0; i < 1000; i += 2) {
    EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(i), Append(i + 1, std::string(i * 40, 'x'))}));
  }
  ASSERT_TRUE(two.Received(1000));
  EXPECT_TRUE(on_loop);
  for (uint64_t i = 0; i < 1000; ++i) {
    const GroupMessage message = two.Message(i);
    EXPECT_EQ(message.group, GroupId(i));
    if (i % 2 == 0) continue;
    const auto& append = std::get<raft::Append>(message.message);
    EXPECT_EQ(append.entries[0].bytes.size(), (i - 1) * 40);
  }
}

TEST(ReplicationPlaneTest, AnAnswerGoesBackOnTheConnectionThatAsked) {
  Node one(Identity(1));
  Node two(Identity(2));
  two.OnMessages([&](NodeId from, size_t shard, const auto& messages) {
    EXPECT_TRUE(two.plane->Send(from, shard, {Reply(messages[0].group.value())}));
  });
  one.plane->SetPeer(two.address());  // Broker 2 knows no way to broker 1.
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(5)}));
  ASSERT_TRUE(one.Received(1));
  EXPECT_EQ(one.Message(0).group, GroupId(5));
  EXPECT_FALSE(two.Send(NodeId(1), 0, {Append(6)}));
}

TEST(ReplicationPlaneTest, EachShardHasItsOwnStreamToTheShardOfItsNumber) {
  Node one(Identity(1), 2);
  Node two(Identity(2), 2);
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  ASSERT_TRUE(one.StreamIs(NodeId(2), 1, {true}));
  std::atomic<int> seen = 0;
  two.OnMessages([&](NodeId, size_t shard, const auto& messages) {
    EXPECT_EQ(messages[0].group, GroupId(shard));
    EXPECT_TRUE(two.loops[shard]->RunningHere());
    ++seen;
  });
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(0)}));
  EXPECT_TRUE(one.Send(NodeId(2), 1, {Append(1)}));
  ASSERT_TRUE(two.Received(2));
  EXPECT_EQ(seen, 2);
}

TEST(ReplicationPlaneTest, TheEndOfAPeerIsToldAtOnceAndItsReturnOpensTheStreamAgain) {
  Node one(Identity(1));
  auto two = std::make_unique<Node>(Identity(2));
  const uint16_t port = two->plane->port();
  one.plane->SetPeer(two->address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  two.reset();
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true, false}));
  EXPECT_FALSE(one.Send(NodeId(2), 0, {Append(1)}));

  two = std::make_unique<Node>(Identity(2, "c", 2), 1, port);
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true, false, true}));
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(1)}));
  EXPECT_TRUE(two->Received(1));
}

TEST(ReplicationPlaneTest, APeerThatMovesIsFoundAtItsNewAddress) {
  Node one(Identity(1));
  Node before(Identity(2));
  one.plane->SetPeer(before.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  Node after(Identity(2, "c", 2));
  one.plane->SetPeer(after.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true, false, true}));
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(1)}));
  EXPECT_TRUE(after.Received(1));
}

TEST(ReplicationPlaneTest, ARegistrationWithoutAPortKeepsTheConnection) {
  Node one(Identity(1));
  Node two(Identity(2));
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  PeerAddress registered = two.address();
  registered.stream_port = 0;
  one.plane->SetPeer(registered);
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(1)}));
  EXPECT_TRUE(two.Received(1));
}

TEST(ReplicationPlaneTest, AnotherClusterIsRefused) {
  Node one(Identity(1, "mine"));
  Node two(Identity(2, "yours"));
  Node three(Identity(3, "mine"));
  one.plane->SetPeer(two.address());
  one.plane->SetPeer(three.address());
  ASSERT_TRUE(one.StreamIs(NodeId(3), 0, {true}));
  EXPECT_FALSE(one.Send(NodeId(2), 0, {Append(1)}));
  EXPECT_TRUE(one.core.Look<bool>([&] { return one.core.stream_open[{NodeId(2), 0}].empty(); }));
}

TEST(ReplicationPlaneTest, AQueueThatIsFullRefusesMoreAndTakesItAgainLater) {
  Node one(Identity(1), 1, 0, 4 << 20);
  Node two(Identity(2));
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  two.OnMessages([&](NodeId, size_t, const auto&) { released.wait(); });
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  // Broker 2 reads no more after the first: its socket, ours and then our queue fill.
  size_t taken = 0;
  while (one.Send(NodeId(2), 0, {Append(taken, std::string(100'000, 'x'))})) {
    ASSERT_LT(++taken, 10'000u);
  }
  EXPECT_GT(taken, 30u);
  release.set_value();
  ASSERT_TRUE(two.Received(taken));
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(taken)}));
  EXPECT_TRUE(two.Received(taken + 1));
}

TEST(ReplicationPlaneTest, AFrameOverTheLimitEndsTheConnection) {
  Node one(Identity(1));
  Node two(Identity(2));
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  EXPECT_TRUE(one.Send(NodeId(2), 0, {Append(1, std::string(2 << 20, 'x'))}));
  EXPECT_TRUE(one.core.WaitUntil([&] {
    return one.core.stream_open[{NodeId(2), 0}] == std::vector<bool>{true, false, true};
  }));
  EXPECT_TRUE(two.core.Look<bool>([&] { return two.core.stream_messages.empty(); }));
}

// A client that is no broker.
class Stranger {
 public:
  explicit Stranger(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  ~Stranger() { close(fd_); }
  void Send(std::string_view bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Everything until the other side closes.
  std::string ReadAll() {
    std::string all;
    char bytes[512];
    ssize_t count;
    while ((count = recv(fd_, bytes, sizeof(bytes), 0)) > 0) {
      all.append(bytes, static_cast<size_t>(count));
    }
    return all;
  }

 private:
  int fd_;
};

TEST(ReplicationPlaneTest, WhatIsNoHelloIsHungUpOn) {
  Node one(Identity(1));
  Stranger stranger(one.plane->port());
  stranger.Send("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  EXPECT_EQ(stranger.ReadAll(), "");
}

// What `node` says to a hello of `self` before it hangs up.
std::string RefusalOf(Node& node, const NodeIdentity& self, NodeId to) {
  Stranger stranger(node.plane->port());
  StreamHello hello;
  hello.self = self;
  hello.to = to;
  std::string frame;
  EncodeHello(hello, frame);
  stranger.Send(frame);
  const absl::StatusOr<StreamHello> answer = DecodeHello(stranger.ReadAll());
  return answer.ok() ? answer->refusal : answer.status().ToString();
}

TEST(ReplicationPlaneTest, ARefusalNamesItsReason) {
  Node one(Identity(1));
  EXPECT_EQ(RefusalOf(one, Identity(2, "other"), NodeId(1)),
            "broker 2 belongs to cluster other, this broker to c");
}

TEST(ReplicationPlaneTest, AHelloMeantForAnotherBrokerIsRefused) {
  Node one(Identity(1));
  EXPECT_THAT(RefusalOf(one, Identity(2), NodeId(3)),
              HasSubstr("the address of broker 3 reaches broker 1"));
}

TEST(ReplicationPlaneTest, WhomTheCoreDoesNotAdmitTakesNobodysPlace) {
  Node one(Identity(1));
  Node two(Identity(2));
  two.plane->SetPeer(one.address());
  ASSERT_TRUE(two.StreamIs(NodeId(1), 0, {true}));
  one.core.Look<void>([&] { one.core.refuse_peer = "that one is another"; });
  EXPECT_EQ(RefusalOf(one, Identity(2), NodeId(1)), "that one is another");
  EXPECT_TRUE(two.Send(NodeId(1), 0, {Append(1)}));
  EXPECT_TRUE(one.core.WaitUntil([&] { return one.core.stream_messages.size() == 1; }));
}

TEST(ReplicationPlaneTest, ARemovedPeerIsSilent) {
  Node one(Identity(1));
  Node two(Identity(2));
  one.plane->SetPeer(two.address());
  ASSERT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
  one.plane->RemovePeer(NodeId(2));
  EXPECT_FALSE(one.Send(NodeId(2), 0, {Append(1)}));
  EXPECT_TRUE(one.StreamIs(NodeId(2), 0, {true}));
}

TEST(ReplicationPlaneTest, ATakenPortIsOneClearError) {
  Node one(Identity(1));
  ShardLoop loop("shard-0");
  ReplicationOptions options;
  options.listen_host = "127.0.0.1";
  options.listen_port = one.plane->port();
  ReplicationPlane second(options, {&loop}, one.core);
  const absl::Status status = second.Listen();
  EXPECT_EQ(ErrcOf(status), Errc::kInvalidConfig);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Address already in use"));
}

// At whatever moment: while streams are dialled, accepted, greeted or written to. What is called
// later than it may be finds its memory gone.
TEST(ReplicationPlaneTest, NothingRunsOnAfterStopWhateverWasUnderWay) {
  for (int round = 0; round < 8; ++round) {
    Node two(Identity(2), 2);
    {
      Node one(Identity(1), 2);
      one.plane->SetPeer(two.address());
      two.plane->SetPeer(one.address());
      for (int turn = 0; turn <= round; ++turn) {
        one.Send(NodeId(2), 0, {Append(7, std::string(100'000, 'x'))});
        two.Send(NodeId(1), 1, {Reply(7)});
      }
      if (round % 2 == 0) one.plane->Stop();
    }
    Node three(Identity(3), 2);
    three.plane->SetPeer(two.address());
    EXPECT_TRUE(three.StreamIs(NodeId(2), 0, {true}));
  }
}

}  // namespace
}  // namespace garam
