#include "broker/partition_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/topic_config_parse.h"
#include "common/endian.h"
#include "common/logging.h"
#include "common/status.h"
#include "storage/hard_state_store.h"
#include "storage/log_identity.h"

namespace garam {
namespace {

storage::LogOptions LogOptionsOf(const TopicConfig& config) {
  storage::LogOptions options;
  options.segment_bytes = config.segment_bytes;
  options.segment_ms = config.segment_ms;
  options.segment_jitter_ms = config.segment_jitter_ms;
  options.index_interval_bytes = config.index_interval_bytes;
  options.flush_messages = config.flush_messages;
  options.flush_ms = config.flush_ms;
  return options;
}

raft::Stage StageOf(const TopicConfig& config) {
  return config.flush_messages == 1 ? raft::Stage::kDurable : raft::Stage::kWritten;
}

raft::Configuration ConfigurationOf(const PartitionImage& partition) {
  raft::Configuration configuration;
  for (const ReplicaImage& replica : partition.replicas) {
    configuration.voters.push_back({replica.node, replica.incarnation, raft::MemberRole::kVoter});
  }
  return configuration;
}

}  // namespace

raft::InitialState InitialStateOf(const storage::Log& log, const HardState& hard_state,
                                  raft::Configuration configuration, LogIndex commit) {
  raft::InitialState state;
  state.hard_state = hard_state;
  state.first_index = log.first_index();
  state.last_index = log.last_index();
  state.commit = std::clamp(commit, log.first_index() - 1, log.last_index());
  state.terms = log.terms();
  state.configurations.push_back({LogIndex(0), std::move(configuration)});
  return state;
}

size_t PartitionSet::ShardOf(const TopicId& topic, int32_t partition, size_t shards) {
  uint64_t hash = LoadBigEndian<uint64_t>(topic.raw().data() + sizeof(uint64_t));
  return static_cast<size_t>((hash + static_cast<uint64_t>(partition)) % shards);
}

std::string PartitionSet::FolderOf(const storage::LogIdentity& identity) const {
  return options_.data_dir + "/" + storage::LogFolderName(identity);
}

void PartitionSet::Reconcile(const MetadataImage& image) {
  if (stopped_) return;
  std::set<GroupId> wanted;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const PartitionImage& partition = topic->partitions[i];
      ReplicaImage here{options_.self, options_.incarnation};
      auto found = std::find(partition.replicas.begin(), partition.replicas.end(), here);
      if (found == partition.replicas.end()) continue;
      wanted.insert(partition.group);
      OpenPartition(*topic, static_cast<int32_t>(i));
    }
  });
  std::vector<GroupId> gone;
  {
    std::lock_guard lock(mutex_);
    for (auto& [group, entry] : entries_) {
      if (!wanted.contains(group) && !std::exchange(entry.leaving, true) && entry.open) {
        gone.push_back(group);
      }
    }
  }
  for (GroupId group : gone) Delete(group);
}

void PartitionSet::OpenPartition(const TopicImage& topic, int32_t index) {
  const PartitionImage& image = topic.partitions[static_cast<size_t>(index)];
  absl::StatusOr<ParsedTopicConfig> parsed =
      ParseTopicConfig(topic.configs, options_.topic_defaults);
  // The controller has checked them; a default that has become invalid since must not hide data.
  auto config = std::make_shared<TopicConfig>(parsed.ok() ? parsed->config : TopicConfig());
  Shard& shard = *options_.shards[ShardOf(topic.id, index, options_.shards.size())];
  std::vector<NodeId> replicas;
  for (const ReplicaImage& replica : image.replicas) replicas.push_back(replica.node);
  std::shared_ptr<DataPartition> partition;
  storage::LogIdentity identity{image.group, topic.name, index, topic.id};
  {
    std::lock_guard lock(mutex_);
    auto [found, added] = entries_.try_emplace(image.group);
    if (!added) return;
    partition = std::make_shared<DataPartition>(
        shard, PartitionIdentity{topic.id, topic.name, index, image.group}, config, replicas,
        options_.replica_lag_max, options_.announce);
    found->second.partition = partition;
    found->second.identity = identity;
  }
  shard.pool().Submit([this, &shard, partition, identity, config,
                       configuration = ConfigurationOf(image), folder = FolderOf(identity)] {
    auto found = std::make_shared<absl::StatusOr<Found>>(
        OpenFiles(shard.log_env(), identity, folder, *config, partition->observer()));
    shard.executor().Post([this, partition, configuration, config, found, group = identity.group] {
      OnOpened(group, partition, configuration, *config, std::move(*found));
    });
  });
}

absl::StatusOr<PartitionSet::Found> PartitionSet::OpenFiles(const storage::LogEnv& env,
                                                            const storage::LogIdentity& identity,
                                                            const std::string& folder,
                                                            const TopicConfig& config,
                                                            storage::LogObserver& observer) {
  Found found;
  ASSIGN_OR_RETURN(found.log,
                   storage::Log::Open(env, identity, folder, LogOptionsOf(config), observer));
  storage::HardStateStore store(env.kv);
  ASSIGN_OR_RETURN(std::optional<HardState> stored, store.Load(identity.group));
  if (stored) found.hard_state = *stored;
  ASSIGN_OR_RETURN(found.unflushed_boot, store.LoadUnflushed(identity.group));
  return found;
}

// On the partition's shard.
void PartitionSet::OnOpened(GroupId group, std::shared_ptr<DataPartition> partition,
                            raft::Configuration configuration, const TopicConfig& config,
                            absl::StatusOr<Found> found) {
  Shard& shard = *options_.shards[partition->shard()];
  if (!found.ok()) {
    options_.on_open_failed(group, found.status());
    return;
  }
  bool noted = found->unflushed_boot == shard.boot_id();
  raft::CoreOptions core_options;
  core_options.group = group;
  core_options.self = options_.self;
  core_options.incarnation = options_.incarnation;
  core_options.preferred = configuration.voters.front().node;
  core_options.stage = StageOf(config);
  core_options.in_doubt = found->unflushed_boot && !noted;
  core_options.unclean_election = config.unclean_leader_election;
  core_options.timing = options_.timing;
  if (core_options.in_doubt) {
    LogWarn(
        "group {}: the machine lost power while the log's end was only in memory; this replica "
        "votes again when it has what its leader has",
        group.value());
  }
  std::unique_ptr<storage::Log> log = std::move(found->log);
  bool blank = log->last_index() == LogIndex(0) && found->hard_state == HardState();
  raft::InitialState state =
      InitialStateOf(*log, found->hard_state, std::move(configuration), LogIndex(0));
  bool alone = state.configurations.front().configuration.voters.size() == 1;
  bool preferred = core_options.preferred == options_.self;
  auto core =
      std::make_unique<raft::Core>(core_options, std::move(state), shard.random(), shard.now());
  // Nobody can have led a group that has just been made; a group of one has nobody to wait for.
  if (preferred && ((blank && !core->in_doubt()) || alone)) core->Campaign(shard.now());
  partition->Attach(std::move(core), std::move(log), noted);
  bool leaving = false;
  {
    std::lock_guard lock(mutex_);
    Entry& entry = entries_.at(group);
    entry.open = true;
    leaving = entry.leaving;
  }
  if (leaving || stopped_) {
    options_.shards[0]->executor().Post([this, group] { Delete(group); });
  }
}

void PartitionSet::Delete(GroupId group) {
  std::shared_ptr<DataPartition> partition;
  storage::LogIdentity identity;
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(group);
    if (found == entries_.end()) return;
    partition = found->second.partition;
    identity = found->second.identity;
  }
  if (stopped_) return;
  Shard& shard = *options_.shards[partition->shard()];
  shard.executor().Post([this, &shard, partition, identity, folder = FolderOf(identity)] {
    partition->Stop(
        MakeError(Errc::kUnknownTopic, "the topic was deleted"), [this, &shard, identity, folder] {
          shard.pool().Submit([this, &shard, identity, folder] {
            storage::LogEnv env = shard.log_env();
            absl::Status removed = storage::Log::Remove(env.fs, env.kv, identity.group, folder);
            if (removed.ok()) removed = storage::HardStateStore(env.kv).Remove(identity.group);
            if (!removed.ok()) {
              LogWarn("the files of deleted partition {} stay: {}", folder, removed.ToString());
            }
            options_.shards[0]->executor().Post([this, group = identity.group] { Erase(group); });
          });
        });
  });
}

void PartitionSet::Erase(GroupId group) {
  {
    std::lock_guard lock(mutex_);
    entries_.erase(group);
  }
  options_.on_deleted(group);
}

void PartitionSet::Stop(Task closed) {
  stopped_ = true;
  // Counts down on executor 0.
  auto left = std::make_shared<size_t>(0);
  auto finish = std::make_shared<Task>(std::move(closed));
  Executor& home = options_.shards[0]->executor();
  std::vector<std::shared_ptr<DataPartition>> all = All();
  *left = all.size() + 1;
  auto one_less = [left, finish] {
    if (--*left == 0) std::move (*finish)();
  };
  for (std::shared_ptr<DataPartition>& partition : all) {
    Shard& shard = *options_.shards[partition->shard()];
    shard.executor().Post([partition, &home, one_less] {
      partition->Stop(MakeError(Errc::kShuttingDown, "the broker is stopping"),
                      [&home, one_less] { home.Post(one_less); });
    });
  }
  home.Post(one_less);
}

std::shared_ptr<DataPartition> PartitionSet::Find(GroupId group) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(group);
  if (found == entries_.end() || !found->second.open || found->second.leaving) return nullptr;
  return found->second.partition;
}

std::vector<std::shared_ptr<DataPartition>> PartitionSet::All() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<DataPartition>> all;
  for (const auto& [group, entry] : entries_) {
    if (entry.open && !entry.leaving) all.push_back(entry.partition);
  }
  return all;
}

}  // namespace garam
