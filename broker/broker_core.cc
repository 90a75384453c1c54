#include "broker/broker_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "broker/dynamic_config.h"
#include "broker/initial_state.h"
#include "broker/metadata_snapshot.h"
#include "common/logging.h"
#include "common/status.h"
#include "storage/file_reaper.h"
#include "storage/hard_state_store.h"
#include "storage/log_identity.h"

namespace garam {
namespace {

constexpr Duration kTellAgain = Millis(500);
constexpr Duration kRegisterTimeout = Millis(2000);
constexpr Duration kHandOverPoll = Millis(5);
constexpr Duration kBalanceEvery = Millis(1000);
// Group 0 grows by size only.
constexpr int64_t kMetadataSegmentMs = int64_t{1} << 60;
constexpr Duration kWatchBrokersEvery = Millis(1000);

// Clients learn by their next request that the leader has moved, and ask where to: librdkafka
// within 100 ms. Were the connection gone by then, they would wait for it to come back.
constexpr Duration kClientsFollow = Millis(200);

// The share of the memory budget that recent batches may hold.
constexpr int64_t kBatchCacheShare = 4;

}  // namespace

BrokerCore::BrokerCore(BrokerConfig config, Env env)
    : config_(std::move(config)),
      env_(std::move(env)),
      pool_(env_.pool),
      snapshots_(env_.kv, pool_, *env_.executors[0]),
      self_(config_.node_id),
      start_id_(env_.random.Next() | 1),
      balancer_({.settle = config_.leader_settle}),
      producer_ids_([this](uint32_t count, ProducerIds::Done done) {
        FetchProducerIds(count, std::move(done));
      }),
      quotas_({config_.quota_samples, config_.quota_sample}) {
  const StoredIdentity& stored = env_.folder.identity();
  if (stored.proposal) cluster_id_ = stored.proposal->cluster_id;
  nodes_ = std::make_unique<NodeManager>(NodeOptions());
  formation_ = std::make_unique<FormationDriver>(FormationOptions(), MakeFormation());
  ControllerClient::Options client{*env_.executors[0],
                                   env_.clock,
                                   self_,
                                   [this] { return controller(); },
                                   [this] { return image()->applied_index(); },
                                   [this](std::string request, auto done) {
                                     OnControllerCall(std::move(request), std::move(done));
                                   }};
  controller_ = std::make_unique<ControllerClient>(std::move(client));
}

BrokerCore::~BrokerCore() = default;

raft::Timing BrokerCore::TimingOf() const {
  raft::Timing timing;
  timing.heartbeat = config_.heartbeat;
  timing.suspect_after = config_.suspect;
  timing.election = config_.election;
  return timing;
}

NodeIdentity BrokerCore::identity() const {
  std::lock_guard lock(mutex_);
  return {self_, env_.folder.identity().incarnation, start_id_, cluster_id_};
}

NodeManager::Options BrokerCore::NodeOptions() {
  return {
      *env_.executors[0],
      env_.clock,
      leaders_,
      {self_, env_.folder.identity().incarnation, start_id_, cluster_id_},
      TimingOf(),
      [this](NodeId node, NodeEvent event) { OnNodeEvent(node, event); },
      [this](NodeId from, size_t shard, std::vector<GroupMessage> messages) {
        Deliver(from, shard, std::move(messages));
      },
      [this](NodeId node, const std::vector<LeaderState>& states) { OnNotLeading(node, states); },
      [this](NodeId node) { OnFailedList(node); },
      [this](const std::string& reason) {
        // Once in its cluster a broker does not go because a stranger is at a peer's address.
        if (!ready_) env_.on_fatal(MakeError(Errc::kInconsistentClusterId, reason));
      },
      [this](std::string request, auto done) {
        OnControllerCall(std::move(request), std::move(done));
      },
      [this] { return formation_->Status(); },
      [this](FormationProposal proposal, auto done) {
        formation_->OnOffer(std::move(proposal), std::move(done));
      },
      [this](CopyRequest request, CopyDone done) { OnCopyAsked(request, std::move(done)); }};
}

PartitionSet::Options BrokerCore::SetOptions() {
  std::vector<Shard*> shards;
  for (const auto& shard : shards_) shards.push_back(shard.get());
  return {std::move(shards),
          env_.folder.path(),
          self_,
          env_.folder.identity().incarnation,
          TimingOf(),
          config_.append_bytes_max,
          config_.inflight_bytes_max,
          config_.replica_lag_time_max,
          config_.producer_expiration,
          [this](const MetadataImage& image) { return TopicDefaultsOf(image, config_); },
          config_.groups,
          [this] { return image(); },
          [this](const LeaderState& state) { Announce(state); },
          [this](GroupId group) { leaders_.Forget(group); },
          [this] {
            if (!stopping_) partitions_->Reconcile(*image());
          },
          [this](GroupId group, LogIndex wish) {
            env_.executors[0]->Post([this, group, wish] { TellMembers(group, wish); });
          },
          [this](GroupId group, const absl::Status& status) {
            leaders_.SetFailed(self_, group, !status.ok());
          }};
}

Scrubber::Options BrokerCore::ScrubberOptions() {
  return {*env_.executors[0],
          env_.clock,
          {.bytes_per_second = config_.scrub_bytes_per_second},
          [this](size_t shard) -> Executor& { return *env_.executors[shard]; },
          [this] { return partitions_->All(); }};
}

RetentionSweep::Options BrokerCore::RetentionOptions() {
  return {*env_.executors[0], env_.clock, config_.retention_check_every,
          [this](size_t shard) -> Executor& { return *env_.executors[shard]; },
          [this] { return partitions_->All(); }};
}

Cleaner::Options BrokerCore::CleanerOptions() {
  return {*env_.executors[0],
          env_.clock,
          env_.random,
          config_.cleaner,
          cleaner_counts_,
          [this](size_t shard) -> Executor& { return *env_.executors[shard]; },
          [this] { return partitions_->All(); }};
}

FormationDriver::Options BrokerCore::FormationOptions() {
  return {*env_.executors[0],
          pool_,
          env_.clock,
          [this](const FormationProposal& proposal) { return env_.folder.StoreProposal(proposal); },
          [this](const FormationProposal& proposal, bool founder) { OnAdopted(proposal, founder); },
          [this](absl::Status reason) { env_.on_fatal(std::move(reason)); }};
}

Formation BrokerCore::MakeFormation() const {
  std::vector<Formation::Listed> listed;
  for (const VoterAddress& voter : config_.voters) {
    listed.push_back({voter.node, voter.address.ToString()});
  }
  NodeIdentity self{self_, env_.folder.identity().incarnation, start_id_, ""};
  return Formation(self, config_.control_address.ToString(), std::move(listed),
                   env_.folder.identity().proposal, env_.random);
}

ControllerDefaults BrokerCore::Defaults() const {
  ControllerDefaults defaults;
  defaults.num_partitions = config_.num_partitions;
  defaults.replication_factor = config_.default_replication_factor;
  defaults.internal_replication_factor = config_.groups.replication_factor.value_or(
      config_.default_replication_factor.value_or(defaults.internal_replication_factor));
  defaults.delete_topic_enable = config_.delete_topic_enable;
  defaults.check_configs = [this](const std::map<std::string, std::string>& configs)
      -> absl::StatusOr<std::vector<EffectiveConfig>> {
    ASSIGN_OR_RETURN(ParsedTopicConfig parsed, ParseTopicConfigUnder(*image(), config_, configs));
    return std::move(parsed.effective);
  };
  defaults.check_broker_configs = CheckDynamicBrokerConfigs;
  defaults.check_resource_configs = [this](ConfiguredKind kind, const ConfigMap& configs) {
    return CheckResourceConfigs(kind, configs, config_);
  };
  defaults.list_default = [this](ConfigScope scope, const std::string& key) {
    return ListDefault(config_, scope, key);
  };
  return defaults;
}

void BrokerCore::MakeShards(PeerControl& control, PeerStreams& streams) {
  size_t cache =
      static_cast<size_t>(config_.memory_budget_bytes / kBatchCacheShare) / env_.executors.size();
  for (size_t id = 0; id < env_.executors.size(); ++id) {
    shards_.push_back(std::make_unique<Shard>(ShardEnv{
        id, self_, *env_.executors[id], pool_, env_.clock, env_.files, env_.kv, streams, control,
        env_.random.Next(), env_.boot_id, cache, config_.copy_bytes_per_second, env_.on_fatal}));
  }
}

void BrokerCore::Start(PeerControl& control, PeerStreams& streams) {
  MakeShards(control, streams);
  partitions_ = std::make_unique<PartitionSet>(SetOptions());
  env_.executors[0]->Post([this, &control, &streams] {
    controller_->Start(control);
    nodes_->Start(control, streams);
    for (const VoterAddress& voter : config_.voters) {
      nodes_->SetPeer({voter.node, voter.address.host, voter.address.port, 0});
    }
    formation_->Start(control);
    WatchBrokers();
    if (config_.auto_leader_rebalance) Balance();
    retention_ = std::make_unique<RetentionSweep>(RetentionOptions());
    retention_->Start();
    if (config_.scrub_bytes_per_second > 0) {
      scrubber_ = std::make_unique<Scrubber>(ScrubberOptions());
      scrubber_->Start();
    }
    if (config_.cleaner.enable) {
      cleaner_ = std::make_unique<Cleaner>(CleanerOptions());
      cleaner_->Start();
    }
  });
}

void BrokerCore::OnAdopted(const FormationProposal& proposal, bool founder) {
  {
    std::lock_guard lock(mutex_);
    cluster_id_ = proposal.cluster_id;
  }
  nodes_->SetClusterId(proposal.cluster_id);
  raft::Configuration founders;  // D18: whoever is none of them waits for the leader to tell.
  if (founder) {
    founders.voters = VotersOf(proposal.voters);
  } else {
    LogInfo("joining cluster {}", proposal.cluster_id);
  }
  OpenMetadata(proposal, founders);
}

// Opens group 0's log on the pool, and joins the group.
void BrokerCore::OpenMetadata(const FormationProposal& proposal,
                              const raft::Configuration& founders) {
  Shard& shard = *shards_[0];
  storage::LogIdentity identity{kMetadataGroup, "__cluster_metadata", 0, TopicId{}};
  pool_.Submit([this, &shard, identity, proposal, founders] {
    absl::StatusOr<MetadataSnapshot> loaded = LoadMetadataSnapshot(env_.kv);
    if (!loaded.ok()) {
      env_.on_fatal(loaded.status());
      return;
    }
    MetadataGroup::Options options{
        Defaults(),
        config_.voter_dead_max,
        proposal,
        *loaded,
        [this] { return FitForReplicas(); },
        [this](NodeId node) { return nodes_->IncarnationOf(node); },
        [this](const MetadataImage::Applied& a) { OnApplied(a); },
        [this](Term term, NodeId leader) {
          Announce({kMetadataGroup, term, leader, 0, {}});
        },
        [this] { ForgetStrangers(*image()); },
        [this](auto snapshot) { snapshots_.Save(snapshot); },
        [this](auto snapshot, auto done) { snapshots_.Keep(snapshot, std::move(done)); },
        env_.on_fatal};
    auto group = std::make_shared<MetadataGroup>(shard, std::move(options));
    std::string folder = env_.folder.path() + "/" + storage::LogFolderName(identity);
    auto log = std::make_shared<absl::StatusOr<std::unique_ptr<storage::Log>>>(storage::Log::Open(
        shard.log_env(), identity, folder, MetadataLogOptions(), group->observer()));
    absl::StatusOr<std::optional<HardState>> stored =
        storage::HardStateStore(env_.kv).Load(kMetadataGroup);
    if (!log->ok() || !stored.ok()) {
      env_.on_fatal(log->ok() ? stored.status() : log->status());
      return;
    }
    if (loaded->image->applied_index() < (**log)->first_index() - 1) {
      return env_.on_fatal(
          MakeError(Errc::kStorage,
                    "the metadata log begins above its snapshot: empty this broker's data "
                    "folder, and it comes back as a new one"));
    }
    std::vector<std::string> given_up =
        storage::GivenUpIn(env_.files, env_.folder.path()).value_or(std::vector<std::string>());
    HardState hard_state = stored->value_or(HardState());
    const LogIndex commit = CommittedBy(*loaded, (**log)->terms(), (**log)->last_index());
    shard.executor().Post([this, &shard, group, log, hard_state, commit, founders,
                           given_up = std::move(given_up)]() mutable {
      partitions_->FinishDeletions(std::move(given_up));
      JoinMetadata(shard, group, std::move(**log), hard_state, commit, founders);
    });
  });
}

void BrokerCore::JoinMetadata(Shard& shard, std::shared_ptr<MetadataGroup> group,
                              std::unique_ptr<storage::Log> log, const HardState& hard_state,
                              LogIndex commit, const raft::Configuration& founders) {
  if (stopping_) return;
  raft::CoreOptions options;
  options.group = kMetadataGroup;
  options.self = self_;
  options.incarnation = env_.folder.identity().incarnation;
  options.preferred = founders.voters.empty() ? kNoNode : founders.voters.front().node;
  options.timing = TimingOf();
  bool first = options.preferred == self_ && log->last_index() == LogIndex(0);
  absl::StatusOr<raft::InitialState> state = InitialStateOf(*log, hard_state, founders, commit);
  if (!state.ok()) return env_.on_fatal(state.status());
  auto core = std::make_unique<raft::Core>(options, *std::move(state), shard.random(), shard.now());
  // Nobody to wait for.
  bool alone = core->configuration().voters.size() == 1 &&
               core->configuration().voters.front().node == self_;
  if (first || alone) core->Campaign(shard.now());
  {
    std::lock_guard lock(mutex_);
    metadata_ = group;
  }
  seen_ = group->image();
  quotas_.SetQuotas(*seen_->client_quotas());
  partitions_->Reconcile(*group->image());
  SetPeersFromImage(*group->image());
  group->Attach(std::move(core), std::move(log));
  Register();
}

// What groups have read of a topic that is gone says nothing about one that gets its name.
void BrokerCore::DropOffsets(const MetadataImage::Applied& applied) {
  for (const TopicId& id : applied.changed_topics) {
    const std::shared_ptr<const TopicImage> topic = seen_->FindTopic(id);
    if (topic == nullptr || applied.image->FindTopic(id) != nullptr) continue;
    for (const std::shared_ptr<DataPartition>& partition : partitions_->All()) {
      if (partition->topic() != kOffsetsTopic) continue;
      executor(partition->shard()).Post([partition, topic] {
        partition->WithGroups([&](GroupCoordinator& groups) { groups.DropTopic(topic->name); });
      });
    }
  }
}

void BrokerCore::OnApplied(const MetadataImage::Applied& applied) {
  if (stopping_) return;
  DropOffsets(applied);
  seen_ = applied.image;
  if (!applied.changed_topics.empty() || applied.broker_configs_changed) {
    partitions_->Reconcile(*applied.image);
  }
  if (applied.brokers_changed) SetPeersFromImage(*applied.image);
  if (applied.client_quotas_changed) quotas_.SetQuotas(*applied.image->client_quotas());
  const bool registered = applied.image->FindBroker(self_) != nullptr;
  if (std::exchange(was_registered_, registered) && !registered) {
    LogWarn("this broker has been unregistered: it serves nobody until it is started again");
  }
  controller_->OnApplied();
  MaybeReady();
}

// Who is most likely dead gets nothing new: a topic that it is given would wait for it.
std::set<NodeId> BrokerCore::FitForReplicas() const {
  std::set<NodeId> fit = live_brokers();
  std::erase_if(fit, [this](NodeId node) { return nodes_->InDoubt(node); });
  return fit;
}

void BrokerCore::SetPeersFromImage(const MetadataImage& image) {
  for (const auto& [node, broker] : image.brokers()) {
    size_t colon = broker->control_address.rfind(':');
    int port = 0;
    if (node == self_ || colon == std::string::npos ||
        !absl::SimpleAtoi(broker->control_address.substr(colon + 1), &port)) {
      continue;
    }
    nodes_->SetPeer(
        {node, broker->control_address.substr(0, colon), static_cast<uint16_t>(port), 0});
  }
  ForgetStrangers(image);
}

// Who has been unregistered is nobody's peer. Its replicas stay members of their groups: there it
// counts as down.
void BrokerCore::ForgetStrangers(const MetadataImage& image) {
  if (image.cluster_id().empty() || stopping_) return;
  std::shared_ptr<MetadataGroup> metadata = MetadataHere();
  std::set<NodeId> strangers = nodes_->peers();
  image.ForEachTopic([&strangers](const std::shared_ptr<const TopicImage>& topic) {
    for (const PartitionImage& partition : topic->partitions) {
      for (const ReplicaImage& replica : partition.replicas) strangers.insert(replica.node);
    }
  });
  for (const auto& [node, broker] : image.brokers()) strangers.erase(node);
  // Founders that have not come to register yet.
  for (const FormationVoter& voter : image.voters()) strangers.erase(voter.node);
  strangers.erase(self_);
  for (NodeId node : strangers) {
    if (metadata == nullptr || metadata->LetsGo(node)) nodes_->RemovePeer(node);
  }
}

// While this broker is the controller.
void BrokerCore::WatchBrokers() {
  std::shared_ptr<MetadataGroup> metadata = MetadataHere();
  if (metadata != nullptr) metadata->WatchBrokers();
  env_.executors[0]->PostAt(env_.clock.Mono() + kWatchBrokersEvery,
                            [this, weak = std::weak_ptr<bool>(alive_)] {
                              if (!weak.expired() && !stopping_) WatchBrokers();
                            });
}

storage::LogOptions BrokerCore::MetadataLogOptions() const {
  storage::LogOptions options;
  options.segment_bytes = config_.metadata_segment_bytes;
  options.segment_ms = kMetadataSegmentMs;
  options.rolls_without_records = true;
  return options;
}

void BrokerCore::OnCopyAsked(const CopyRequest& request, CopyDone done) {
  if (request.group == kMetadataGroup) {
    const std::shared_ptr<MetadataGroup> group = MetadataHere();
    if (group == nullptr || request.piece) {
      return std::move(done)(MakeError(Errc::kNotLeader, "no such piece of the metadata here"));
    }
    return std::move(done)(group->GiveCopy());
  }
  std::shared_ptr<DataPartition> partition = partitions_->Find(request.group);
  if (partition == nullptr) {
    return std::move(done)(MakeError(Errc::kNotLeader, "the partition is not on this broker"));
  }
  shards_[partition->shard()]->executor().Post(
      [partition, piece = request.piece, done = std::move(done)]() mutable {
        partition->GiveCopy(piece, std::move(done));
      });
}

BrokerImage BrokerCore::OwnImage() const {
  BrokerImage own;
  own.node = self_;
  own.incarnation = env_.folder.identity().incarnation;
  for (const Listener& listener : config_.advertised_listeners) {
    own.endpoints.push_back({listener.name, listener.address.host, listener.address.port});
  }
  own.rack = config_.rack;
  own.control_address = config_.control_address.ToString();
  return own;
}

bool BrokerCore::Registered() const {
  const BrokerImage* registered = image()->FindBroker(self_);
  return registered != nullptr && *registered == OwnImage();
}

// At every start: what the image says may be from before this broker was unregistered.
void BrokerCore::Register() {
  MaybeReady();
  if (registering_ || stopping_) return;
  registering_ = true;
  controller_->Call(RegisterBrokerRequest{identity().cluster_id, OwnImage()},
                    env_.clock.Mono() + kRegisterTimeout,
                    [this](absl::StatusOr<ControllerReply> reply) {
                      registering_ = false;
                      if (reply.ok() || stopping_) return MaybeReady();
                      Errc errc = ErrcOf(reply.status());
                      if (errc != Errc::kTimedOut && errc != Errc::kShuttingDown) {
                        env_.on_fatal(reply.status());
                        return;
                      }
                      LogInfo("waiting for a controller to register with");
                      nodes_->AskAround();  // There may be another one by now.
                      Register();
                    });
}

// Until the controller has heard it, or there is another wish.
void BrokerCore::TellMembers(GroupId group, LogIndex wish) {
  const std::shared_ptr<const MetadataImage> now = image();
  const GroupPlace* place = now->FindGroup(group);
  if (stopping_ || place == nullptr) return;
  if (place->image().wish != wish) return;
  controller_->Call(MembersReachedRequest{group, wish}, env_.clock.Mono() + kRegisterTimeout,
                    [this, weak = std::weak_ptr<bool>(alive_), group,
                     wish](const absl::StatusOr<ControllerReply>& reply) {
                      if (weak.expired() || reply.ok()) return;
                      env_.executors[0]->PostAt(env_.clock.Mono() + kTellAgain,
                                                [this, weak, group, wish] {
                                                  if (!weak.expired()) TellMembers(group, wish);
                                                });
                    });
}

void BrokerCore::MaybeReady() {
  if (ready_ || stopping_ || !Registered()) return;
  ready_ = true;
  env_.on_ready();
}

// Every broker for the partitions that it leads; see LeaderBalancer.
void BrokerCore::Balance() {
  const std::shared_ptr<const MetadataImage> now = image();
  const std::set<NodeId> live = nodes_->live();
  std::vector<LeaderBalancer::Stray> strays;
  for (const LeaderState& state : leaders_.LedBy(self_)) {
    const GroupPlace* place = now->FindGroup(state.group);
    if (place == nullptr) continue;
    const PartitionImage& partition = place->image();
    const NodeId preferred = partition.replicas.front().node;
    const bool in_sync =
        std::find(state.isr.begin(), state.isr.end(), preferred) != state.isr.end() &&
        live.contains(preferred);
    if (preferred != self_ && partition.target.empty() && in_sync) {
      strays.push_back({state.group, preferred});
    }
  }
  for (GroupId group : balancer_.Pick(strays, env_.clock.Mono())) {
    std::shared_ptr<DataPartition> partition = partitions_->Find(group);
    if (partition == nullptr) continue;
    executor(partition->shard()).Post([partition] { partition->LetPreferredLead(); });
  }
  env_.executors[0]->PostAt(env_.clock.Mono() + kBalanceEvery,
                            [this, weak = std::weak_ptr<bool>(alive_)] {
                              if (!weak.expired() && !stopping_) Balance();
                            });
}

void BrokerCore::HandOver(MonoTime deadline, Task done) {
  env_.executors[0]->Post([this, deadline, done = std::move(done)]() mutable {
    stopping_ = true;
    PollHandOver(deadline, std::move(done));
  });
}

// Asks every shard in turn; a leadership that cannot move at once is tried again.
void BrokerCore::PollHandOver(MonoTime deadline, Task done) {
  auto left = std::make_shared<size_t>(shards_.size());
  auto leads = std::make_shared<bool>(false);
  auto finish = std::make_shared<Task>(std::move(done));
  for (const auto& shard : shards_) {
    shard->executor().Post([this, shard = shard.get(), left, leads, finish, deadline] {
      bool here = shard->HandOverLeaderships();
      env_.executors[0]->Post([this, here, left, leads, finish, deadline] {
        *leads = *leads || here;
        if (--*left > 0) return;
        handed_over_ = handed_over_ || *leads;
        if (!*leads || env_.clock.Mono() >= deadline) {
          MonoTime until = env_.clock.Mono() + (handed_over_ ? kClientsFollow : Duration::zero());
          env_.executors[0]->PostAt(until, std::move(*finish));
          return;
        }
        env_.executors[0]->PostAt(env_.clock.Mono() + kHandOverPoll, [this, finish, deadline] {
          PollHandOver(deadline, std::move(*finish));
        });
      });
    });
  }
}

void BrokerCore::Stop(Task done) {
  env_.executors[0]->Post([this, done = std::move(done)]() mutable {
    stopping_ = true;
    alive_.reset();
    if (retention_ != nullptr) retention_->Stop();
    if (scrubber_ != nullptr) scrubber_->Stop();
    if (cleaner_ != nullptr) cleaner_->Stop();
    formation_->Stop();
    nodes_->Stop();
    controller_->Stop();
    std::shared_ptr<MetadataGroup> metadata = MetadataHere();
    partitions_->Stop([this, metadata, done = std::move(done)]() mutable {
      if (metadata == nullptr) return AwaitQuiet(std::move(done));
      metadata->Stop(
          [this, metadata, done = std::move(done)]() mutable { AwaitQuiet(std::move(done)); });
    });
  });
}

// A job that ends posts what comes of it, which may submit another: quiet is when a walk through
// all shards after the last job has found no new one.
void BrokerCore::AwaitQuiet(Task done) {
  pool_.WhenIdle([this, done = std::move(done)]() mutable {
    VisitExecutors(0, [this, before = pool_.submitted(), done = std::move(done)]() mutable {
      if (pool_.submitted() != before) return AwaitQuiet(std::move(done));
      env_.executors[0]->Post(std::move(done));
    });
  });
}

void BrokerCore::VisitExecutors(size_t first, Task done) {
  if (first == env_.executors.size()) return std::move(done)();
  env_.executors[first]->Post([this, first, done = std::move(done)]() mutable {
    VisitExecutors(first + 1, std::move(done));
  });
}

uint64_t BrokerCore::elections() const {
  uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->elections();
  return sum;
}

}  // namespace garam
