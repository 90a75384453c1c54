#include "tests/unit/broker/test_cluster.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/lost_rows.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "coordinator/placement.h"
#include "storage/file_reaper.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam {
namespace {

constexpr Duration kAnswerTime = Millis(1000);

}  // namespace

struct TestCluster::Node {
  Node(NodeId id_given, FakeClock& clock, uint64_t seed)
      : id(id_given), executor(clock), random(seed) {}

  NodeId id;
  FakeExecutor executor;
  FakeBlockingPool pool;
  SeededRandom random;
  storage::FakeFileSystem files;
  storage::FakeKvStore kv;
  std::unique_ptr<DataFolder> folder;
  std::unique_ptr<Control> control;
  std::unique_ptr<Streams> streams;
  std::unique_ptr<BrokerCore> core;
  bool ready = false;
  int boots = 1;
  MonoTime stalled_until{};
};

// The control plane as a network that delivers in order and at once.
class TestCluster::Control final : public PeerControl {
 public:
  Control(TestCluster& cluster, NodeId self) : cluster_(cluster), self_(self) {}

  void SetPeer(PeerAddress address) override { removed_.erase(address.node); }
  void RemovePeer(NodeId node) override { removed_.insert(node); }
  void Handshake(NodeId node, Duration,
                 absl::AnyInvocable<void(HandshakeResult) &&> done) override {
    if (!cluster_.running(node)) {
      cluster_.Send(self_, [done = std::move(done)]() mutable {
        std::move(done)({HandshakeOutcome::kRefused, {}, 0, ""});
      });
      return;
    }
    NodeIdentity own = cluster_.core(self_).identity();
    Ask<absl::StatusOr<NodeIdentity>>(
        node, [own](PeerEvents& events, auto reply) { std::move(reply)(events.OnHandshake(own)); },
        [done = std::move(done)](absl::StatusOr<NodeIdentity> peer) mutable {
          if (peer.ok()) std::move(done)({HandshakeOutcome::kDone, *peer, 1, ""});
        });
  }
  void Redial(NodeId) override {}
  void SendHeartbeat(NodeId node, const Heartbeat& heartbeat) override {
    StartId start = cluster_.core(self_).identity().start_id;
    Tell(node, [from = self_, start, heartbeat](PeerEvents& events) {
      events.OnHeartbeat(from, start, heartbeat);
    });
  }
  void SendRaft(NodeId node, std::vector<GroupMessage> messages) override {
    Tell(node, [from = self_, messages = std::move(messages)](PeerEvents& events) mutable {
      events.OnRaft(from, std::move(messages));
    });
  }
  void PushLeaderStates(NodeId node, std::vector<LeaderState> states) override {
    Tell(node, [from = self_, states = std::move(states)](PeerEvents& events) mutable {
      events.OnLeaderStates(from, std::move(states));
    });
  }
  void FetchFullState(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) override {
    Ask<absl::StatusOr<FullState>>(
        node, [](PeerEvents& events, auto reply) { std::move(reply)(events.OnFullStateAsked()); },
        std::move(done));
  }
  void CallController(NodeId node, std::string request, Duration,
                      absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) override {
    Ask<absl::StatusOr<std::string>>(
        node,
        [request](PeerEvents& events, auto reply) {
          events.OnControllerCall(request, std::move(reply));
        },
        std::move(done));
  }
  void FetchFormation(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&> done) override {
    Ask<absl::StatusOr<FormationStatus>>(
        node, [](PeerEvents& events, auto reply) { std::move(reply)(events.OnFormationAsked()); },
        std::move(done));
  }
  void OfferFormation(NodeId node, FormationProposal proposal,
                      absl::AnyInvocable<void(absl::Status) &&> done) override {
    Ask<absl::Status>(
        node,
        [proposal](PeerEvents& events, auto reply) {
          events.OnFormationOffered(proposal, std::move(reply));
        },
        std::move(done));
  }
  void CopyLog(NodeId node, CopyRequest request, CopyDone done) override {
    Ask<absl::StatusOr<CopyReply>>(
        node,
        [request](PeerEvents& events, auto reply) {
          events.OnCopyAsked(request, std::move(reply));
        },
        std::move(done));
  }

 private:
  template <class Deliver>
  void Tell(NodeId node, Deliver deliver) {
    if (removed_.contains(node)) return;
    // This plane may be gone by then.
    cluster_.Send(node, [&cluster = cluster_, node, deliver = std::move(deliver)]() mutable {
      deliver(cluster.core(node).events());
    });
  }
  // Calls `call` on the peer with a reply that comes back here; kUnavailable when it is not there,
  // or ends before it has answered.
  template <class Result, class Call, class Done>
  void Ask(NodeId node, Call call, Done done) {
    auto waiting = std::make_shared<std::optional<Done>>(std::move(done));
    auto finish = [waiting](Result result) {
      if (!waiting->has_value()) return;
      Done waited = *std::exchange(*waiting, std::nullopt);
      std::move(waited)(std::move(result));
    };
    auto lost = [finish] { finish(Result(absl::UnavailableError("not there"))); };
    if (!cluster_.running(node)) return cluster_.Send(self_, lost);
    cluster_.at(self_).executor.PostAt(cluster_.clock().Mono() + kAnswerTime, lost);
    // Either may be gone by then.
    cluster_.Send(node, [&cluster = cluster_, self = self_, node, call, finish] {
      call(cluster.core(node).events(), [&cluster, self, finish](Result result) {
        cluster.Send(self,
                     [finish, result = std::move(result)]() mutable { finish(std::move(result)); });
      });
    });
  }

  TestCluster& cluster_;
  const NodeId self_;
  std::set<NodeId> removed_;
};

class TestCluster::Streams final : public PeerStreams {
 public:
  Streams(TestCluster& cluster, NodeId self) : cluster_(cluster), self_(self) {}
  void SetPeer(PeerAddress address) override { removed_.erase(address.node); }
  void RemovePeer(NodeId node) override { removed_.insert(node); }
  bool Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) override {
    if (!cluster_.running(to) || removed_.contains(to)) return false;
    cluster_.Send(to, [&cluster = cluster_, from = self_, to, shard,
                       messages = std::move(messages)]() mutable {
      cluster.core(to).events().OnStreamMessages(from, shard, std::move(messages));
    });
    return true;
  }

 private:
  TestCluster& cluster_;
  const NodeId self_;
  std::set<NodeId> removed_;
};

TestCluster::TestCluster(int nodes, uint64_t seed) {
  for (int i = 1; i <= nodes; ++i) {
    nodes_.push_back(
        std::make_unique<Node>(NodeId(i), clock_, seed * 100 + static_cast<uint64_t>(i)));
  }
}

TestCluster::~TestCluster() {
  for (auto& node : nodes_) {
    if (node->core != nullptr) Kill(node->id);
  }
}

TestCluster::Node& TestCluster::at(NodeId node) {
  return *nodes_[static_cast<size_t>(node.value() - 1)];
}

BrokerCore& TestCluster::core(NodeId node) { return *at(node).core; }

storage::FakeFileSystem& TestCluster::files(NodeId node) { return at(node).files; }
storage::FakeKvStore& TestCluster::rows(NodeId node) { return at(node).kv; }

void TestCluster::LoseRows(NodeId node) { at(node).kv.Wipe(); }

void TestCluster::StallDisk(NodeId node, MonoTime until) { at(node).stalled_until = until; }

std::vector<NodeId> TestCluster::IsrOf(const std::string& topic) {
  const NodeId leader = LeaderOf(topic);
  if (leader == kNoNode) return {};
  return core(leader).StateOf(*core(leader).image()->FindTopic(topic), 0).isr;
}

std::vector<std::string> TestCluster::SegmentsOf(NodeId node, const std::string& topic) {
  storage::FakeFileSystem& disk = files(node);
  const std::vector<std::string> folders = *disk.List("/data");
  std::vector<std::string> paths;
  for (const std::string& folder : folders) {
    if (!folder.starts_with(topic + "-0.") || folder.ends_with(".damaged")) continue;
    if (folder.ends_with(storage::kGivenUpSuffix)) continue;
    const std::vector<std::string> names = *disk.List("/data/" + folder);
    for (const std::string& name : names) {
      if (name.ends_with(".log")) paths.push_back("/data/" + folder + "/" + name);
    }
  }
  return paths;
}

bool TestCluster::running(NodeId node) const {
  return nodes_[static_cast<size_t>(node.value() - 1)]->core != nullptr;
}

void TestCluster::Send(NodeId to, Task task) {
  Node& node = at(to);
  if (node.core == nullptr) return;
  node.executor.Post(std::move(task));
}

void TestCluster::StartAll() {
  for (auto& node : nodes_) {
    if (node->core == nullptr) Start(node->id);
  }
}

void TestCluster::Start(NodeId id) {
  Node& node = at(id);
  node.ready = false;
  BrokerConfig config;
  config.node_id = id;
  config.memory_budget_bytes = 16 << 20;
  for (const auto& other : nodes_) {
    HostPort address{"host", static_cast<uint16_t>(19000 + other->id.value())};
    config.voters.push_back({other->id, address});
    if (other->id == id) config.control_address = address;
  }
  config.advertised_listeners.push_back({"PLAINTEXT", {"host", 9092}});
  config.voter_dead_max = Millis(5000);
  if (adjust) adjust(config);
  auto folder = DataFolder::Open(node.files, "/data", id, node.random);
  ASSERT_TRUE(folder.ok()) << folder.status();
  node.folder = *std::move(folder);
  const absl::Status rows = CheckForLostRows(node.files, node.kv, *node.folder, node.random);
  ASSERT_TRUE(rows.ok()) << rows;
  BrokerCore::Env env{{&node.executor},
                      node.pool,
                      clock_,
                      node.random,
                      node.files,
                      node.kv,
                      *node.folder,
                      absl::StrCat("boot-", node.boots),
                      [&node] { node.ready = true; },
                      [](absl::Status reason) { FAIL() << reason; }};
  node.control = std::make_unique<Control>(*this, id);
  node.streams = std::make_unique<Streams>(*this, id);
  node.core = std::make_unique<BrokerCore>(std::move(config), std::move(env));
  node.core->Start(*node.control, *node.streams);
  TellStreams(id, true);
}

void TestCluster::TellStreams(NodeId id, bool open) {
  for (const auto& other : nodes_) {
    if (other->id == id || other->core == nullptr) continue;
    NodeId peer = other->id;
    Send(peer, [this, peer, id, open] {
      core(peer).events().OnControlStream(id, open);
      core(peer).events().OnEntryStream(id, 0, open);
    });
    if (!open) continue;
    Send(id, [this, peer, id] {
      core(id).events().OnControlStream(peer, true);
      core(id).events().OnEntryStream(peer, 0, true);
    });
  }
}

void TestCluster::Kill(NodeId id) {
  Node& node = at(id);
  node.executor.Drop();
  node.pool.Drop();
  node.core.reset();
  node.folder.reset();
  node.files.KillProcess();
  node.kv.KillProcess();
  TellStreams(id, false);
}

void TestCluster::PowerLoss() {
  for (auto& node : nodes_) LosePower(*node);
}

void TestCluster::PowerLoss(NodeId id) {
  LosePower(at(id));
  TellStreams(id, false);
}

void TestCluster::LosePower(Node& node) {
  node.executor.Drop();
  node.pool.Drop();
  node.core.reset();
  node.folder.reset();
  node.files.Crash();
  node.kv.Crash();
  ++node.boots;
}

void TestCluster::Step() {
  for (size_t tried = 0; tried < nodes_.size(); ++tried) {
    Node& node = *nodes_[turn_++ % nodes_.size()];
    if (node.core == nullptr) continue;
    const bool stalled = clock_.Mono() < node.stalled_until;
    if (node.executor.RunOne() || (!stalled && node.pool.RunOne())) return;
  }
  clock_.Advance(Millis(1));
}

bool TestCluster::RunUntil(const std::function<bool()>& condition, int virtual_ms) {
  MonoTime end = clock_.Mono() + Millis(virtual_ms);
  while (clock_.Mono() < end) {
    if (condition()) return true;
    Step();
  }
  return condition();
}

bool TestCluster::CreateTopic(const std::string& name, std::map<std::string, std::string> configs) {
  // A replica on every node wants every node registered.
  auto all_ready = [this] {
    for (const auto& node : nodes_) {
      if (node->core != nullptr && !node->ready) return false;
    }
    return true;
  };
  if (!RunUntil(all_ready)) return false;
  TopicSpec spec;
  spec.name = name;
  for (auto& [key, value] : configs) spec.configs.push_back({key, value});
  bool done = false;
  bool created = false;
  BrokerCore& any = core(nodes_.front()->id);
  any.CreateTopics({spec}, false, clock_.Mono() + Millis(10000), 0,
                   [&](std::vector<absl::StatusOr<CreatedTopic>> results) {
                     done = true;
                     created = results.front().ok();
                   });
  RunUntil([&] { return done; });
  return created && RunUntil([&] { return LeaderOf(name) != kNoNode; });
}

std::vector<NodeId> TestCluster::ReplicasOf(const std::string& topic) {
  return NodesOf(core(nodes_.front()->id).image()->FindTopic(topic)->partitions[0].replicas);
}

bool TestCluster::Move(const std::string& topic, const std::vector<NodeId>& nodes) {
  BrokerCore& any = core(nodes_.front()->id);
  bool taken = false;
  any.MoveReplicas(
      {{topic, 0, nodes}}, clock_.Mono() + Millis(10000), 0,
      [&taken](const std::vector<absl::Status>& results) { taken = results.front().ok(); });
  return RunUntil([&] { return taken && ReplicasOf(topic) == nodes; }) &&
         RunUntil([&] { return LeaderOf(topic) != kNoNode; });
}

BrokerCore& TestCluster::AnyRunning() {
  for (const auto& node : nodes_) {
    if (node->core != nullptr) return *node->core;
  }
  return core(nodes_.front()->id);
}

absl::Status TestCluster::Alter(const ConfigChange& change) {
  std::optional<absl::Status> result;
  AnyRunning().AlterConfigs(
      {change}, /*validate_only=*/false, clock_.Mono() + Millis(10000), 0,
      [&result](const std::vector<absl::Status>& results) { result = results.front(); });
  RunUntil([&] { return result.has_value(); });
  return result.value_or(absl::UnknownError("no answer"));
}

absl::Status TestCluster::Enlarge(const MorePartitionsSpec& spec) {
  std::optional<absl::Status> result;
  AnyRunning().CreatePartitions(
      {spec}, /*validate_only=*/false, clock_.Mono() + Millis(10000), 0,
      [&result](const std::vector<absl::Status>& results) { result = results.front(); });
  RunUntil([&] { return result.has_value(); });
  return result.value_or(absl::UnknownError("no answer"));
}

absl::Status TestCluster::Unregister(NodeId asked, NodeId node) {
  std::optional<absl::Status> result;
  core(asked).UnregisterBroker(node, clock_.Mono() + Millis(10000), 0,
                               [&result](absl::Status status) { result = std::move(status); });
  RunUntil([&] { return result.has_value(); });
  return result.value_or(absl::UnknownError("no answer"));
}

raft::Configuration TestCluster::MetadataMembers() {
  for (const auto& node : nodes_) {
    const Replica* replica = node->core == nullptr ? nullptr : node->core->metadata_replica();
    if (replica == nullptr || !replica->confirmed()) continue;
    const raft::Core& core = replica->core();
    if (core.configuration_index() > core.commit_index() || core.configuration().joint()) break;
    return core.configuration();
  }
  return {};
}

std::shared_ptr<Partition> TestCluster::PartitionOn(NodeId node, const std::string& topic) {
  if (!running(node)) return nullptr;
  absl::StatusOr<std::shared_ptr<Partition>> found = core(node).Find(topic, 0);
  return found.ok() ? *found : nullptr;
}

NodeId TestCluster::LeaderOf(const std::string& topic) {
  for (const auto& node : nodes_) {
    auto partition = std::dynamic_pointer_cast<DataPartition>(PartitionOn(node->id, topic));
    if (partition != nullptr && partition->confirmed()) return node->id;
  }
  return kNoNode;
}

bool TestCluster::LetLead(const std::string& topic, NodeId node) {
  const NodeId leader = LeaderOf(topic);
  const NodeId other(6 - leader.value() - node.value());
  Kill(leader);
  if (!RunUntil([&] { return LeaderOf(topic) != kNoNode; })) return false;
  if (LeaderOf(topic) == node) return true;
  Start(leader);
  if (!RunUntil([&] { return IsrOf(topic).size() == 3; })) return false;
  Kill(other);
  return RunUntil([&] { return LeaderOf(topic) == node; }, 60000);
}

bool TestCluster::Produce(const std::string& topic, const std::string& value,
                          std::optional<Offset>* acked, Errc* failure) {
  NodeId leader = LeaderOf(topic);
  if (leader == kNoNode) return false;
  BatchBuilder builder;
  builder.records = {TestRecord{value}};
  PartitionOn(leader, topic)
      ->Produce(builder.Build(), Acks::kAll, clock_.Mono() + Millis(30000),
                [acked, failure](absl::StatusOr<ProduceResult> result) {
                  if (result.ok()) *acked = result->base_offset;
                  if (!result.ok() && failure != nullptr) *failure = ErrcOf(result.status());
                });
  return true;
}

bool TestCluster::DeleteRecords(const std::string& topic, Offset before) {
  std::shared_ptr<Partition> partition = PartitionOn(LeaderOf(topic), topic);
  if (partition == nullptr) return false;
  std::optional<absl::StatusOr<Offset>> start;
  partition->DeleteRecords(before, clock_.Mono() + Millis(10000),
                           [&start](absl::StatusOr<Offset> result) { start = result; });
  return RunUntil([&] { return start.has_value(); }) && start->ok() && **start == before;
}

std::map<Offset, std::string> TestCluster::ReadAll(const std::string& topic, Offset from) {
  std::map<Offset, std::string> values;
  for (bool more = true; more;) {
    std::shared_ptr<Partition> partition = PartitionOn(LeaderOf(topic), topic);
    ReadSpec spec;
    spec.from = values.empty() ? from : values.rbegin()->first + 1;
    spec.bytes_max = 1 << 20;
    bool done = false;
    more = false;
    partition->Read(spec, [&](absl::StatusOr<ReadResult> result) {
      done = true;
      ASSERT_TRUE(result.ok()) << result.status();
      for (const Bytes& batch : result->batches) {
        RecordBatchView view(batch.data());
        values[view.base_offset()] = std::string(view.records());
        more = true;
      }
    });
    RunUntil([&] { return done; });
  }
  return values;
}

}  // namespace garam
