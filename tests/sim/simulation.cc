#include "tests/sim/simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/group_workload.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"
#include "tests/sim/workload.h"
#include "tests/sim/world.h"

namespace garam::sim {
namespace {

constexpr Duration kSettleMax = std::chrono::seconds(15);
constexpr Duration kLook = Millis(20);
constexpr Duration kJoinLeast = Millis(1000);
constexpr Duration kJoinMost = Millis(12000);
constexpr Duration kWatch = Millis(200);
constexpr Duration kAloneMax = std::chrono::seconds(3);
constexpr Duration kDeadMax = std::chrono::seconds(3);

class Simulation {
 public:
  Simulation(const Options& options, bool trace)
      : options_(options),
        world_(options.seed),
        network_(world_, options.link_delay, 1 + options.shards),
        oracle_(world_, OracleOptions(options)),
        workload_(world_, options_, oracle_, nodes_),
        client_groups_(world_, oracle_, workload_, nodes_, options_),
        nemesis_(world_, options_, network_, workload_, nodes_,
                 [this](NodeId node, GroupId group) { oracle_.OnRotten(node, group); }) {
    world_.SetTracing(trace);
    for (int i = 1; i <= options.nodes; ++i) AddNode(NodeId(i));
  }

  Outcome Run() {
    world_.Trace(options_.ToString());
    for (const auto& node : nodes_) {
      const bool late = node->id().value() > options_.founders();
      const Duration wait =
          late ? world_.Between(kJoinLeast, kJoinMost) : world_.Between(Millis(0), Millis(50));
      world_.After(wait, [&node] { node->Start(); });
    }
    if (options_.has(Fault::kDuplicate)) network_.SetDuplicates(0.05);
    nemesis_.Start();
    workload_.Start();
    if (options_.has(Fault::kGroups)) client_groups_.Start();
    // A process that is stopped knows nothing of the time that passes.
    if (!options_.has(Fault::kPause)) KeepWatching();
    const MonoTime end = world_.now() + options_.length;
    while (world_.RunNext(end)) {
    }
    Settle();
    return {world_.failure(),  world_.now_us() / 1000,      world_.trace_hash(),
            world_.events(),   oracle_.committed_entries(), workload_.acknowledged(),
            workload_.reads(), nemesis_.faults(),           healed_ms_};
  }

 private:
  static Oracle::Options OracleOptions(const Options& options) {
    Oracle::Options told{options.nodes, options.unflushed};
    told.compacted = options.has(Fault::kCompact);
    if (options.has(Fault::kRetention)) {
      told.retention_ms = options.retention_ms;
      told.retention_bytes = options.retention_bytes;
    }
    return told;
  }

  void AddNode(NodeId id) {
    SimNode::Env env{world_,
                     network_,
                     options_,
                     [this](NodeId node) -> SimNode& { return At(node); },
                     [this](SimNode& node, size_t shard) { AfterTurn(node, shard); },
                     [this](NodeId node, bool power) { oracle_.OnEnded(node, power); },
                     [this](NodeId node) { oracle_.OnWiped(node); },
                     [this](NodeId from, const GroupMessage& message) { OnSend(from, message); }};
    nodes_.push_back(std::make_unique<SimNode>(std::move(env), id));
    network_.Add(id, *nodes_.back());
  }

  SimNode& At(NodeId node) { return *nodes_[static_cast<size_t>(node.value() - 1)]; }

  void AfterTurn(SimNode& node, size_t shard) {
    world_.Note(static_cast<uint64_t>(world_.now_us()));
    world_.Note(static_cast<uint64_t>(node.id().value()));
    if (!node.running()) return;
    open_groups_.clear();
    node.ForEachReplica(shard, [&](const Replica& replica) {
      open_groups_.push_back(replica.group());
      if (!world_.failed()) oracle_.Check(node.id(), replica);
    });
    NoteGroups(node, shard);
  }

  // A group that a process had and has no more is deleted, or has moved away from it.
  void NoteGroups(const SimNode& node, size_t shard) {
    const std::vector<GroupId>& now = open_groups_;
    auto& [life, before] = groups_[{node.id(), shard}];
    if (life == node.life() && now == before) return;
    if (life == node.life()) {
      for (GroupId group : before) {
        if (std::find(now.begin(), now.end(), group) != now.end()) continue;
        if (node.core().image()->FindGroup(group) == nullptr) {
          oracle_.Forget(group);
        } else {
          oracle_.OnLeft(node.id(), group);
        }
      }
    }
    life = node.life();
    before = now;
  }

  void OnSend(NodeId from, const GroupMessage& message) {
    world_.Note(message.group.value() * 8 + message.message.index());
    oracle_.OnSend(from, message, At(from).kv());
  }

  // Where every replica of every node stands.
  void TraceState() {
    static constexpr const char* kRoles[] = {"follows", "asks", "stands", "leads"};
    auto list = [](const std::vector<raft::Member>& members) {
      std::string text;
      for (const raft::Member& member : members) absl::StrAppend(&text, " ", member.node.value());
      return text;
    };
    for (const auto& node : nodes_) {
      if (!node->running() || !world_.tracing()) continue;
      node->ForEachReplica([&](const Replica& replica) {
        const raft::Core& core = replica.core();
        const raft::Configuration& members = core.configuration();
        world_.Trace(
            absl::StrCat("node ", node->id().value(), " group ", core.group().value(), " ",
                         kRoles[static_cast<int>(core.role())], " term ", core.term().value(),
                         " leader ", core.leader().value(), " last ", core.last_index().value(),
                         " commit ", core.commit_index().value(), " voters", list(members.voters),
                         " old", list(members.outgoing), " learners", list(members.learners),
                         " at ", core.configuration_index().value()));
      });
    }
  }

  // What may not last: a leader that no quorum can reach, and an ISR with a dead member.
  void KeepWatching() {
    world_.After(kWatch, [this] {
      if (healing_) return;
      for (const auto& node : nodes_) {
        if (!node->running()) continue;
        node->ForEachReplica([&](const Replica& replica) { WatchQuorum(*node, replica.core()); });
      }
      for (const Workload::Target& target : AllTargets()) WatchIsr(target);
      WatchClusterId();
      if (std::string wrong = client_groups_.WrongAtCoordinators(); !wrong.empty()) {
        world_.Fail(std::move(wrong));
      }
      KeepWatching();
    });
  }

  void WatchQuorum(const SimNode& node, const raft::Core& core) {
    std::set<NodeId> heard{node.id()};
    for (const auto& other : nodes_) {
      if (other->running() && !network_.IsCut(other->id(), node.id())) heard.insert(other->id());
    }
    const bool alone =
        core.is_leader() && core.configuration().Count(heard, {}) != raft::VoteResult::kWon;
    int& looks = alone_for_[{node.id(), core.group()}];
    looks = alone ? looks + 1 : 0;
    if (looks * kWatch > kAloneMax) {
      world_.Fail(absl::StrCat("node ", node.id().value(), ", group ", core.group().value(),
                               ": leads for seconds without a quorum that it could hear"));
    }
  }

  // What was formed once is never formed again.
  void WatchClusterId() {
    for (const auto& node : nodes_) {
      if (!node->running()) continue;
      const std::string id = node->core().identity().cluster_id;
      if (cluster_id_.empty()) cluster_id_ = id;
      if (id.empty() || id == cluster_id_) continue;
      world_.Fail(absl::StrCat("node ", node->id().value(), " is in cluster ", id, ", ",
                               cluster_id_, " was formed before"));
    }
  }

  void WatchIsr(const Workload::Target& target) {
    SimNode* leader = nullptr;
    if (workload_.LeaderOf(target, &leader) == nullptr) return;
    auto topic = leader->core().image()->FindTopic(target.topic);
    if (topic == nullptr) return;
    for (NodeId member : leader->core().StateOf(*topic, target.partition).isr) {
      const SimNode& node = At(member);
      if (node.running() || world_.now() - node.ended_at() < kDeadMax ||
          world_.now() - leader->started_at() < kDeadMax) {
        continue;
      }
      world_.Fail(absl::StrCat(target.topic, "-", target.partition, ": node ", member.value(),
                               " is long dead and still in the ISR"));
    }
  }

  // Runs until `condition` holds, looking now and then; a violation named `what` when it does not.
  template <class Condition>
  void Await(const char* what, Condition condition, Duration more = Duration(0)) {
    const MonoTime end = world_.now() + kSettleMax + more;
    while (!condition() && !world_.failed()) {
      const MonoTime look = world_.now() + kLook;
      if (look > end) {
        TraceState();
        return world_.Fail(absl::StrCat(what, " does not come about; ", missing_));
      }
      while (world_.RunNext(look)) {
      }
    }
  }

  void Settle() {
    if (world_.failed()) return;
    const MonoTime healed = world_.now();
    healing_ = true;
    workload_.Stop();
    client_groups_.Stop();
    nemesis_.StopAndHeal();
    Await(
        "a cluster with all its replicas equal", [this] { return Settled(); }, CatchUpTime());
    healed_ms_ = std::chrono::duration_cast<Millis>(world_.now() - healed).count();
    for (const Workload::Target& target : workload_.targets()) CompareProducers(target);
    size_t written = 0;
    size_t read = 0;
    for (const Workload::Target& target : workload_.targets()) {
      workload_.ProduceOnce(target, [&written] { ++written; });
    }
    Await("a produce to every partition", [&] { return written == workload_.targets().size(); });
    if (world_.failed()) return;
    for (const Workload::Target& target : workload_.targets()) {
      workload_.ReadAll(target, [&read] { ++read; });
    }
    // Segments of one batch are read by one call of a slow disk each.
    const auto entries = static_cast<int>(oracle_.committed_entries());
    Await(
        "a read of every partition", [&] { return read == workload_.targets().size(); },
        2 * entries * options_.disk_latency);
    Await("on every replica what groups were told", [this] {
      missing_ = client_groups_.WrongAnywhere();
      return missing_.empty();
    });
    if (options_.has(Fault::kCompact)) ReadReplicas(2 * entries * options_.disk_latency);
  }

  // What a member that begins with nothing may take, where each entry takes a round trip: alone in
  // an append, or in a segment that is copied.
  Duration CatchUpTime() const {
    const bool alone = options_.append_bytes_max < 1000 || options_.inflight_bytes_max < 1000;
    const bool alone_in_segment =
        options_.segment_bytes > 0 && options_.segment_bytes < 4 * options_.value_bytes_max;
    if (!alone && !alone_in_segment) return Duration(0);
    const auto entries = static_cast<int>(oracle_.committed_entries());
    return 2 * entries * (options_.disk_latency + options_.link_delay);
  }

  static std::string DescribeProducers(const ProducerState& state) {
    std::string text;
    state.ForEach([&text](const ProducerState::Producer& producer) {
      absl::StrAppend(&text, " ", producer.id, " up to ", producer.last_sequence, " in entry ",
                      producer.last_index.value());
    });
    return text.empty() ? " nobody" : text;
  }

  // What a leader would hold a producer to must not depend on who leads.
  void CompareProducers(const Workload::Target& target) {
    constexpr LogIndex kAll{INT64_MAX};
    std::optional<std::string> first;
    for (const auto& node : nodes_) {
      auto here = node->core().Find(target.topic, target.partition);
      if (!here.ok()) continue;
      const ProducerKeeper& keeper = dynamic_cast<const DataPartition&>(**here).producers();
      if (!keeper.ready()) continue;
      const std::string state = keeper.state().EncodeSnapshot(kAll);
      if (!first) first = state;
      if (*first == state) continue;
      world_.Fail(absl::StrCat(
          target.topic, "-", target.partition, ": node ", node->id().value(),
          " remembers other producers than those before it:", DescribeProducers(keeper.state())));
    }
  }

  // Each replica's own log, to its end.
  void ReadReplicas(Duration more) {
    if (world_.failed()) return;
    size_t read = 0;
    for (const Workload::Target& target : workload_.targets()) {
      workload_.ReadReplicas(target, [&read] { ++read; });
    }
    Await(
        "a read of every replica",
        [&] { return read == workload_.targets().size() * nodes_.size(); }, more);
  }

  static Offset StartOf(const Partition& partition) {
    return dynamic_cast<const DataPartition&>(partition).start_offset();
  }

  bool Missing(std::string what) {
    missing_ = std::move(what);
    return false;
  }

  std::vector<Workload::Target> AllTargets() const {
    std::vector<Workload::Target> targets = workload_.targets();
    const std::vector<Workload::Target>& more = client_groups_.targets();
    targets.insert(targets.end(), more.begin(), more.end());
    return targets;
  }

  bool Settled() {
    if (!workload_.settled()) return Missing("an idempotent producer waits");
    if (!client_groups_.settled()) return Missing("a group waits:" + client_groups_.Waiting());
    for (const auto& node : nodes_) {
      if (!node->ready())
        return Missing(absl::StrCat("node ", node->id().value(), " is not ready"));
    }
    for (const Workload::Target& target : AllTargets()) {
      if (!Settled(target)) return false;
    }
    return true;
  }

  bool Settled(const Workload::Target& target) {
    const std::string name = absl::StrCat(target.topic, "-", target.partition);
    auto leader = workload_.LeaderOf(target);
    if (leader == nullptr) return Missing(name + " has no leader");
    for (const auto& node : nodes_) {
      auto topic = node->core().image()->FindTopic(target.topic);
      if (topic == nullptr) return Missing(name + " is not known everywhere");
      if (!topic->partitions[static_cast<size_t>(target.partition)].target.empty()) {
        return Missing(name + " is still being moved");
      }
      const PartitionState state = node->core().StateOf(*topic, target.partition);
      if (state.leader == kNoNode) return Missing(name + ": not everybody knows the leader");
      if (state.isr.size() != state.replicas.size()) return Missing(name + ": the ISR is not full");
      auto here = node->core().Find(target.topic, target.partition);
      if (here.ok() && !oracle_.Settled(node->id(), leader->group())) {
        return Missing(absl::StrCat(name, " is behind on node ", node->id().value()));
      }
      if (here.ok() && StartOf(**here) != leader->start_offset()) {
        return Missing(absl::StrCat(name, " begins elsewhere on node ", node->id().value()));
      }
    }
    return true;
  }

  Options options_;
  World world_;
  Network network_;
  Oracle oracle_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  Workload workload_;
  GroupWorkload client_groups_;
  Nemesis nemesis_;
  // By node and shard: of which life.
  std::map<std::pair<NodeId, size_t>, std::pair<uint64_t, std::vector<GroupId>>> groups_;
  std::vector<GroupId> open_groups_;                     // Of the shard at hand.
  std::map<std::pair<NodeId, GroupId>, int> alone_for_;  // In looks.
  std::string cluster_id_;
  bool healing_ = false;
  std::string missing_;
  int64_t healed_ms_ = 0;
};

}  // namespace

Outcome Run(const Options& options, bool trace) { return Simulation(options, trace).Run(); }

}  // namespace garam::sim
