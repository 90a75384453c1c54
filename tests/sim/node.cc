#include "tests/sim/node.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/lost_rows.h"
#include "tests/sim/consumer_members.h"
#include "tests/sim/planes.h"

namespace garam::sim {

namespace {

constexpr Duration kHandOverMax = std::chrono::seconds(2);

}  // namespace

struct SimNode::Life {
  Life(World& world) : pool(world) {}

  std::vector<std::shared_ptr<SimExecutor>> executors;
  SimPool pool;
  std::unique_ptr<DataFolder> folder;
  std::unique_ptr<SimControl> control;
  std::unique_ptr<SimStreams> streams;
  std::unique_ptr<BrokerCore> core;
  bool ready = false;
};

SimNode::SimNode(Env env, NodeId id)
    : env_(std::move(env)),
      id_(id),
      random_(env_.options.seed * 1000 + static_cast<uint64_t>(id.value())),
      clock_(env_.world) {}

SimNode::~SimNode() {
  if (down()) return;
  for (auto& executor : life_->executors) executor->Drop();
  life_->core.reset();
}

BrokerConfig SimNode::Config() const {
  BrokerConfig config;
  config.node_id = id_;
  config.shards = env_.options.shards;
  config.memory_budget_bytes = 16 << 20;
  auto address_of = [](int node) { return HostPort{"host", static_cast<uint16_t>(19000 + node)}; };
  for (int i = 1; i <= env_.options.founders(); ++i) {
    config.voters.push_back({NodeId(i), address_of(i)});
  }
  config.control_address = address_of(id_.value());
  config.advertised_listeners.push_back({"PLAINTEXT", {"host", 9092}});
  config.replica_lag_time_max = Millis(1500);
  config.groups.limits.session_timeout_min = Millis(500);
  config.groups.limits.initial_rebalance_delay = Millis(100);
  config.groups.limits.consumers.session_timeout = ConsumerMembers::kSession;
  config.groups.limits.consumers.heartbeat_interval = Millis(50);
  config.groups.limits.consumers.assignment_interval = Millis(100);
  config.groups.commit_timeout = Millis(2000);
  if (env_.options.metadata_segment_bytes > 0) {
    config.metadata_segment_bytes = env_.options.metadata_segment_bytes;
  }
  config.leader_settle = env_.options.leader_settle;
  config.append_bytes_max = env_.options.append_bytes_max;
  config.inflight_bytes_max = env_.options.inflight_bytes_max;
  // As defaults: a topic itself may not ask for segments as small as these.
  if (env_.options.segment_bytes > 0) {
    config.topic_defaults["segment.bytes"] = absl::StrCat(env_.options.segment_bytes);
    config.topic_defaults["index.interval.bytes"] = absl::StrCat(env_.options.segment_bytes / 8);
  }
  if (env_.options.segment_age > Duration(0)) {
    config.topic_defaults["segment.ms"] =
        absl::StrCat(std::chrono::duration_cast<Millis>(env_.options.segment_age).count());
  }
  if (env_.options.has(Fault::kRetention)) {
    config.retention_check_every = Millis(200);
    config.topic_defaults["retention.ms"] = absl::StrCat(env_.options.retention_ms);
    config.topic_defaults["retention.bytes"] = absl::StrCat(env_.options.retention_bytes);
    config.topic_defaults["file.delete.delay.ms"] = "300";
  }
  if (env_.options.producer_expiration > Duration(0)) {
    config.producer_expiration = env_.options.producer_expiration;
  }
  if (env_.options.has(Fault::kCompact)) {
    config.cleaner.backoff = Millis(100);
    config.cleaner.dedupe_bytes = 200;  // Seldom enough for a log at once.
  }
  // Where nothing rots there is nothing to be found.
  config.scrub_bytes_per_second = env_.options.has(Fault::kRot) ? 4 << 20 : 0;
  return config;
}

void SimNode::Start() {
  if (!down()) return;
  env_.world.Trace(absl::StrCat("node ", id_.value(), " starts"));
  powered_ = true;
  ++life_number_;
  started_at_ = env_.world.now();
  absl::StatusOr<std::unique_ptr<DataFolder>> folder =
      DataFolder::Open(files_, "/data", id_, random_);
  absl::Status opened = folder.status();
  if (opened.ok()) opened = CheckForLostRows(files_, kv_, **folder, random_);
  if (!opened.ok()) {
    if (!MayGiveUp()) env_.world.Fail(absl::StrCat("no start: ", opened.ToString()));
    ended_at_ = env_.world.now();
    return;
  }
  life_ = std::make_unique<Life>(env_.world);
  life_->pool.SetLatency(env_.options.disk_latency);
  life_->folder = *std::move(folder);
  std::vector<Executor*> executors;
  for (size_t i = 0; i < env_.options.shards; ++i) {
    life_->executors.push_back(std::make_shared<SimExecutor>(
        env_.world, clock_, [this, i] { env_.after_turn(*this, i); }));
    executors.push_back(life_->executors.back().get());
  }
  PlaneEnv planes{env_.network,
                  id_,
                  env_.options.shards,
                  [this](NodeId node) { return &env_.peer(node).core().events(); },
                  [this] { return core().identity(); },
                  [this](NodeId node) { return env_.peer(node).life(); },
                  env_.on_send};
  life_->control = std::make_unique<SimControl>(planes);
  life_->streams = std::make_unique<SimStreams>(planes);
  BrokerCore::Env core_env{
      std::move(executors),
      life_->pool,
      clock_,
      random_,
      files_,
      kv_,
      *life_->folder,
      absl::StrCat("boot-", boots_),
      [this] { life_->ready = true; },
      [this, number = life_number_](absl::Status reason) { OnFatal(reason, number); }};
  life_->core = std::make_unique<BrokerCore>(Config(), std::move(core_env));
  life_->core->Start(*life_->control, *life_->streams);
  env_.network.Started(id_);
}

void SimNode::OnFatal(const absl::Status& reason, uint64_t life) {
  env_.world.Trace(absl::StrCat("node ", id_.value(), " gives up: ", reason.ToString()));
  if (!MayGiveUp()) {
    return env_.world.Fail(absl::StrCat("node ", id_.value(), " gave up: ", reason.ToString()));
  }
  // The process ends a bit later: nothing in the core may be destroyed from within.
  env_.world.After(Micros(1), [this, life] {
    if (!down() && life_number_ == life) Kill();
  });
}

void SimNode::Stop(Task stopped) {
  if (std::exchange(stopping_, true)) return;
  env_.world.Trace(absl::StrCat("node ", id_.value(), " is asked to stop"));
  core().HandOver(clock_.Mono() + kHandOverMax, [this, stopped = std::move(stopped)]() mutable {
    env_.world.After(Micros(1),
                     [this, life = life_number_, stopped = std::move(stopped)]() mutable {
                       if (running() && life_number_ == life) Close(std::move(stopped));
                     });
  });
}

// As broker/app does it: first the planes end, then the core.
void SimNode::Close(Task stopped) {
  closing_ = true;
  ended_at_ = env_.world.now();
  env_.network.Ended(id_, false);
  core().Stop([this, stopped = std::move(stopped)]() mutable {
    env_.world.After(Micros(1),
                     [this, life = life_number_, stopped = std::move(stopped)]() mutable {
                       if (down() || life_number_ != life) return;
                       env_.world.Trace(absl::StrCat("node ", id_.value(), " has stopped"));
                       if (!life_->pool.TakeJobs().empty())
                         env_.world.Fail("work goes on after the core's stop");
                       End(false);
                       Ended();
                       // Nothing was left to be flushed: the machine may go off now.
                       if (!MayGiveUp() && env_.world.Chance(0.3)) {
                         files_.Crash(env_.world.random());
                         kv_.Crash(0);
                         ++boots_;
                       }
                       std::move(stopped)();
                     });
  });
}

// A broker whose disk fails or is full may end, and may find it so when it starts again.
bool SimNode::MayGiveUp() const {
  return dying_ || env_.options.has(Fault::kDiskError) || env_.options.has(Fault::kDiskFull);
}

void SimNode::Kill() {
  env_.world.Trace(absl::StrCat("node ", id_.value(), " is killed"));
  RunJobsIntoTheEnd();
  End(false);
  Ended();
}

// What the machine takes back of a process.
void SimNode::Ended() {
  files_.KillProcess();
  kv_.KillProcess();
}

void SimNode::LosePower() {
  env_.world.Trace(absl::StrCat("node ", id_.value(), " loses power"));
  RunJobsIntoTheEnd();
  End(true);
  using Kept = storage::FakeFileSystem::Kept;
  files_.Crash(env_.world.random(),
               env_.options.has(Fault::kReorder) ? Kept::kAnySectors : Kept::kFirstBytes);
  kv_.Crash(env_.world.Below(4));
  ++boots_;
  powered_ = false;
}

void SimNode::LoseDisk() {
  env_.world.Trace(absl::StrCat("node ", id_.value(), " loses its disk"));
  End(false);
  files_.Wipe();
  files_.SetFaults(nullptr);  // The new disk is a good one.
  kv_.Wipe();
  env_.on_wiped(id_);
}

// Of the jobs that are under way, some have done their first few calls: those happen, and the
// process ends inside them.
void SimNode::RunJobsIntoTheEnd() {
  for (auto& executor : life_->executors) executor->Drop();
  for (Task& job : life_->pool.TakeJobs()) {
    if (!env_.world.Chance(0.5)) continue;
    auto left = std::make_shared<uint64_t>(env_.world.Below(6));
    auto dying = [left] {
      if (*left == 0) return true;
      --*left;
      return false;
    };
    files_.SetFaults([dying](auto, const std::string&) {
      return dying() ? storage::FakeFileSystem::kNotMade : 0;
    });
    kv_.SetFaults([dying](const storage::KvBatch&, bool) { return dying() ? EIO : 0; });
    dying_ = true;
    std::move(job)();
  }
  files_.SetFaults(nullptr);
  kv_.SetFaults(nullptr);
  dying_ = false;
}

void SimNode::End(bool silent) {
  for (auto& executor : life_->executors) executor->Drop();
  life_->core.reset();
  life_.reset();
  stopping_ = closing_ = false;
  ended_at_ = env_.world.now();
  env_.network.Ended(id_, silent);
  env_.on_ended(id_, silent);
}

void SimNode::PauseUntil(MonoTime until) {
  for (auto& executor : life_->executors) executor->PauseUntil(until);
}

void SimNode::Deliver(size_t shard, Task task) { life_->executors[shard]->Post(std::move(task)); }

void SimNode::ConnectionChanged(NodeId peer, size_t channel, bool open) {
  Deliver(0, [this, peer, channel, open] {
    if (channel == kControlChannel) {
      core().events().OnControlStream(peer, open);
    } else {
      core().events().OnEntryStream(peer, channel - 1, open);
    }
  });
}

BrokerCore& SimNode::core() const { return *life_->core; }

bool SimNode::ready() const { return life_ != nullptr && life_->ready; }

SimPool& SimNode::pool() { return life_->pool; }

void SimNode::ForEachReplica(absl::FunctionRef<void(const Replica&)> visit) const {
  for (size_t shard = 0; shard < shards(); ++shard) ForEachReplica(shard, visit);
}

void SimNode::ForEachReplica(size_t shard, absl::FunctionRef<void(const Replica&)> visit) const {
  for (const auto& [group, replica] : core().replicas(shard)) visit(*replica);
}

}  // namespace garam::sim
