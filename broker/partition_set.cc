#include "broker/partition_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/initial_state.h"
#include "broker/log_settings.h"
#include "broker/topic_config_parse.h"
#include "common/endian.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/status.h"
#include "coordinator/placement.h"
#include "raft/digest.h"
#include "storage/file_system.h"
#include "storage/hard_state_store.h"
#include "storage/log_identity.h"

namespace garam {
namespace {

// A replica that came back is another member than the one that left.
Incarnation MemberIdOf(const ReplicaImage& replica) {
  if (replica.since == LogIndex(0)) return replica.incarnation;
  const auto since = static_cast<uint64_t>(replica.since.value());
  return Incarnation(raft::Mix64(replica.incarnation.value() + raft::Mix64(since)));
}

std::vector<raft::Member> VotersOf(const std::vector<ReplicaImage>& replicas) {
  std::vector<raft::Member> voters;
  for (const ReplicaImage& replica : replicas) {
    voters.push_back({replica.node, MemberIdOf(replica), raft::MemberRole::kVoter});
  }
  return voters;
}

raft::WantedMembers WantedBy(const PartitionImage& partition) {
  return {static_cast<uint64_t>(partition.wish.value()), VotersOf(partition.target)};
}

// D18: only who was made with the group starts as a voter; a leader tells the others. A replica
// whose log was damaged promises nothing either, but asks, for a leader may sleep.
raft::Configuration FoundersFor(const PartitionImage& partition, const ReplicaImage& here,
                                bool damaged) {
  raft::Configuration configuration;
  if (here.since != LogIndex(0)) {
    if (damaged) configuration.voters = VotersOf(partition.replicas);
    return configuration;
  }
  configuration.voters =
      VotersOf(partition.founders.empty() ? partition.replicas : partition.founders);
  return configuration;
}

}  // namespace

PartitionSet::PartitionSet(Options options)
    : options_(std::move(options)),
      reaper_(options_.shards[0]->log_env().fs, options_.shards[0]->pool(),
              options_.shards[0]->executor(), options_.shards[0]->clock()) {}

PartitionSet::~PartitionSet() {
  for (auto& [group, entry] : entries_) entry.partition->Abandon();
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
  ForgetLeft(image);
  std::set<GroupId> wanted;
  const std::map<std::string, std::string> before =
      std::exchange(topic_defaults_, options_.topic_defaults(image));
  const bool same_defaults = before == topic_defaults_;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const PartitionImage& partition = topic->partitions[i];
      const ReplicaImage* here = partition.Find(options_.self, options_.incarnation);
      if (here == nullptr || IsAnother(partition.group, *here)) continue;
      wanted.insert(partition.group);
      if (Redirect(partition)) {
        Configure(topic, partition.group, same_defaults);
      } else {
        OpenPartition(topic, static_cast<int32_t>(i), *here);
      }
    }
  });
  std::vector<GroupId> gone;
  {
    std::lock_guard lock(mutex_);
    for (auto& [group, entry] : entries_) {
      if (wanted.contains(group)) continue;
      entry.why = image.FindGroup(group) != nullptr ? Leave::kMoved : Leave::kDeleted;
      if (!std::exchange(entry.leaving, true) && entry.open) gone.push_back(group);
    }
  }
  for (GroupId group : gone) Close(group);
}

// What an older image took for a replica of this broker, another than a newer one may have here.
void PartitionSet::ForgetLeft(const MetadataImage& image) {
  std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const GroupPlace* place = image.FindGroup(entry->first);
    const ReplicaImage* here =
        place == nullptr ? nullptr : place->image().Find(options_.self, options_.incarnation);
    const bool same = here != nullptr && here->since == entry->second.since;
    entry = entry->second.left && !same ? entries_.erase(entry) : std::next(entry);
  }
}

bool PartitionSet::IsAnother(GroupId group, const ReplicaImage& here) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(group);
  return found != entries_.end() && found->second.since != here.since;
}

bool PartitionSet::Redirect(const PartitionImage& image) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(image.group);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  raft::WantedMembers wanted = WantedBy(image);
  if (entry.wanted == wanted) return true;
  entry.wanted = wanted;
  entry.preferred = image.replicas.front().node;
  Tell(entry);
  return true;
}

void PartitionSet::Tell(const Entry& entry) {
  options_.shards[entry.partition->shard()]->executor().Post(
      [partition = entry.partition, wanted = entry.wanted, preferred = entry.preferred] {
        partition->SetWanted(wanted, preferred);
      });
}

std::shared_ptr<const TopicConfig> PartitionSet::ConfigOf(const TopicImage& topic) const {
  absl::StatusOr<ParsedTopicConfig> parsed = ParseTopicConfig(topic.configs, topic_defaults_);
  // The controller has checked them; a default that has become invalid since must not hide data.
  return std::make_shared<const TopicConfig>(parsed.ok() ? parsed->config : TopicConfig());
}

// One that is being opened takes the newest config once it is open.
void PartitionSet::Configure(const std::shared_ptr<const TopicImage>& topic, GroupId group,
                             bool same_defaults) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(group);
  const std::shared_ptr<const TopicImage> before = std::exchange(entry.topic, topic);
  if (same_defaults && (before == topic || before->configs == topic->configs)) return;
  std::shared_ptr<const TopicConfig> config = ConfigOf(*topic);
  if (*config == *entry.config) return;
  entry.config = std::move(config);
  if (entry.open) TellConfig(entry);
}

void PartitionSet::TellConfig(const Entry& entry) {
  options_.shards[entry.partition->shard()]->executor().Post(
      [partition = entry.partition, config = entry.config] { partition->SetConfig(config); });
}

void PartitionSet::OpenPartition(const std::shared_ptr<const TopicImage>& of, int32_t index,
                                 const ReplicaImage& here) {
  const TopicImage& topic = *of;
  const PartitionImage& image = topic.partitions[static_cast<size_t>(index)];
  const std::shared_ptr<const TopicConfig> config = ConfigOf(topic);
  Shard& shard = *options_.shards[ShardOf(topic.id, index, options_.shards.size())];
  Opening opening;
  opening.identity = {image.group, topic.name, index, topic.id};
  opening.folder = FolderOf(opening.identity);
  opening.config = config;
  opening.image = image;
  opening.here = here;
  std::shared_ptr<DataPartition> partition;
  {
    std::lock_guard lock(mutex_);
    auto [found, added] = entries_.try_emplace(image.group);
    if (!added) return;
    partition = std::make_shared<DataPartition>(
        shard, PartitionIdentity{topic.id, topic.name, index, image.group}, config,
        NodesOf(image.replicas), options_.replica_lag_max, options_.announce, options_.on_members,
        DiskEventsOf(), options_.producer_expiration);
    if (topic.name == kOffsetsTopic) partition->CoordinateGroups(options_.groups, options_.image);
    found->second.partition = partition;
    found->second.identity = opening.identity;
    found->second.topic = of;
    found->second.config = config;
    found->second.since = here.since;
    found->second.wanted = WantedBy(image);
    found->second.preferred = image.replicas.front().node;
    opening.life = lives_[image.group];
    Tell(found->second);
  }
  TryOpen(std::move(partition), std::move(opening));
}

void PartitionSet::TryOpen(std::shared_ptr<DataPartition> partition, Opening opening) {
  ++busy_;
  Shard& shard = *options_.shards[partition->shard()];
  shard.pool().Submit([this, &shard, partition, opening = std::move(opening)] {
    auto found = std::make_shared<absl::StatusOr<Found>>(
        OpenFiles(shard.log_env(), opening, partition->observer()));
    shard.executor().Post([this, partition, opening, found] {
      const bool again =
          storage::IsDiskFull(found->status()) && !Mutated(Mutation::kUnopenedForgotten);
      OnOpened(partition, opening, std::move(*found));
      options_.shards[0]->executor().Post([this, partition, opening, again] {
        if (again) OpenLater(partition, opening);
        OnTried(opening.identity.group);
      });
    });
  });
}

// A full disk may have space again. Whoever is to leave meanwhile is opened as well, and closed
// then with all that it leaves behind.
void PartitionSet::OpenLater(std::shared_ptr<DataPartition> partition, Opening opening) {
  if (stopped_) return;
  unopened_.emplace_back(std::move(partition), std::move(opening));
  if (reopen_timer_ != kNoTimer) return;
  reopen_timer_ = options_.shards[0]->executor().PostAt(
      options_.shards[0]->now() + storage::kDiskFullRetry, [this] {
        reopen_timer_ = kNoTimer;
        for (auto& [unopened, as] : std::exchange(unopened_, {})) {
          TryOpen(std::move(unopened), std::move(as));
        }
      });
}

DataPartition::DiskEvents PartitionSet::DiskEventsOf() {
  return {options_.on_can_append, [this](GroupId group) {
            options_.shards[0]->executor().Post([this, group] { Replace(group); });
          }};
}

absl::Status PartitionSet::RemoveLog(const storage::LogEnv& env,
                                     const storage::LogIdentity& identity,
                                     const std::string& folder) {
  RETURN_IF_ERROR(storage::Log::Remove(env.fs, env.kv, identity.group, folder));
  return RemoveRows(env, identity.group);
}

// Those beside the log's own.
absl::Status PartitionSet::RemoveRows(const storage::LogEnv& env, GroupId group) {
  storage::KvBatch rows;
  rows.Delete(storage::KvFamily::kPartition, ProducerKeeper::RowKey(group));
  RETURN_IF_ERROR(env.kv.Write(rows, /*sync=*/false));
  return storage::HardStateStore(env.kv).ClearUnflushed({group});
}

void PartitionSet::FinishDeletions(std::vector<std::string> paths) {
  for (std::string& path : paths) reaper_.Reap(std::move(path), Duration(0));
}

absl::Status PartitionSet::SetAside(const storage::LogEnv& env, GroupId group,
                                    const std::string& folder) {
  // In this order: a log that begins anew without the row would vote as if it had lost nothing.
  storage::HardStateStore store(env.kv);
  RETURN_IF_ERROR(store.SaveUnflushed({group}, storage::kDamagedLog));
  return storage::Log::SetAside(env.fs, env.kv, group, folder);
}

absl::StatusOr<PartitionSet::Found> PartitionSet::OpenFiles(const storage::LogEnv& env,
                                                            const Opening& opening,
                                                            storage::LogObserver& observer) {
  Found found;
  const GroupId group = opening.identity.group;
  const storage::LogOptions options = LogOptionsOf(*opening.config);
  storage::HardStateStore store(env.kv);
  // What an earlier replica of this group left here is not this one's.
  ASSIGN_OR_RETURN(const std::optional<LogIndex> stored_since, store.LoadSince(group));
  // The image is older than this broker's leave: what it promised as this replica is gone.
  found.left = stored_since && *stored_since > opening.here.since;
  if (found.left) return found;
  if (stored_since != opening.here.since) {
    // Segments that outlived their rows are what this node once had; whoever joins may have them.
    if (stored_since) {
      RETURN_IF_ERROR(store.SaveSince(group, *stored_since + 1));
      RETURN_IF_ERROR(RemoveLog(env, opening.identity, opening.folder));
    }
    RETURN_IF_ERROR(store.SaveSince(group, opening.here.since));
  }
  auto log = storage::Log::Open(env, opening.identity, opening.folder, options, observer);
  // Nobody else has what an only replica had: what is left of it must not be put away.
  if (storage::IsDamaged(log.status()) && opening.image.replicas.size() > 1) {
    LogError("group {}: {}; the files are kept in {}, and this replica is copied again",
             group.value(), std::string(log.status().message()),
             storage::AsideFolder(opening.folder));
    RETURN_IF_ERROR(SetAside(env, group, opening.folder));
    log = storage::Log::Open(env, opening.identity, opening.folder, options, observer);
  }
  ASSIGN_OR_RETURN(found.log, std::move(log));
  ASSIGN_OR_RETURN(std::optional<HardState> stored, store.Load(group));
  if (stored) found.hard_state = *stored;
  ASSIGN_OR_RETURN(found.unflushed_boot, store.LoadUnflushed(group));
  return found;
}

raft::CoreOptions PartitionSet::CoreOptionsOf(const Shard& shard, const Opening& opening,
                                              const Found& found) const {
  raft::CoreOptions options;
  options.group = opening.identity.group;
  options.self = options_.self;
  options.incarnation = MemberIdOf(opening.here);
  options.preferred = opening.image.replicas.front().node;
  options.stage = StageOf(*opening.config);
  options.in_doubt = found.unflushed_boot && found.unflushed_boot != shard.boot_id();
  options.damaged = found.unflushed_boot == storage::kDamagedLog;
  options.life = opening.life;
  options.unclean_election = opening.config->unclean_leader_election;
  options.timing = options_.timing;
  options.append_bytes_max = options_.append_bytes_max;
  options.inflight_bytes_max = options_.inflight_bytes_max;
  if (options.in_doubt && !options.damaged) {
    LogWarn(
        "group {}: the machine lost power while the log's end was only in memory; this replica "
        "votes again when it has what its leader has",
        options.group.value());
  }
  return options;
}

void PartitionSet::CannotOpen(GroupId group, const absl::Status& status) const {
  LogError("group {} cannot be opened: {}", group.value(), status.ToString());
  options_.on_can_append(group, status);
}

// On the partition's shard.
void PartitionSet::OnOpened(std::shared_ptr<DataPartition> partition, const Opening& opening,
                            absl::StatusOr<Found> found) {
  const GroupId group = partition->group();
  Shard& shard = *options_.shards[partition->shard()];
  if (!found.ok()) return CannotOpen(group, found.status());
  if (found->left) {
    std::lock_guard lock(mutex_);
    entries_.at(group).left = true;
    return;
  }
  const raft::CoreOptions core_options = CoreOptionsOf(shard, opening, *found);
  const bool noted = found->unflushed_boot && !core_options.in_doubt;
  std::unique_ptr<storage::Log> log = std::move(found->log);
  bool blank = log->last_index() == LogIndex(0) && found->hard_state == HardState();
  absl::StatusOr<raft::InitialState> state =
      InitialStateOf(*log, found->hard_state,
                     FoundersFor(opening.image, opening.here, core_options.damaged), LogIndex(0));
  if (!state.ok()) return CannotOpen(group, state.status());
  auto core =
      std::make_unique<raft::Core>(core_options, *std::move(state), shard.random(), shard.now());
  bool alone = core->configuration().voters.size() == 1;
  // Nobody can have led a group that has just been made; a group of one has nobody to wait for.
  if (core_options.preferred == options_.self && ((blank && !core->in_doubt()) || alone)) {
    core->Campaign(shard.now());
  }
  partition->Attach(std::move(core), std::move(log), noted);
  options_.on_can_append(group, absl::OkStatus());
  std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(group);
  entry.open = true;
  if (entry.config != opening.config) TellConfig(entry);
}

void PartitionSet::OnTried(GroupId group) {
  --busy_;
  std::shared_ptr<DataPartition> opened;
  bool leaving = false;
  {
    std::lock_guard lock(mutex_);
    auto entry = entries_.find(group);
    leaving = entry != entries_.end() && entry->second.leaving;
    if (entry != entries_.end() && entry->second.open) opened = entry->second.partition;
  }
  if (opened != nullptr && stopped_) {
    StopOne(opened);
  } else if (opened != nullptr && leaving) {
    Close(group);
  }
  MaybeStopped();
}

void PartitionSet::Replace(GroupId group) {
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(group);
    if (found == entries_.end() || std::exchange(found->second.leaving, true)) return;
    found->second.why = Leave::kDamaged;
    ++lives_[group];
  }
  options_.on_can_append(group, MakeError(Errc::kStorage, "the log is damaged"));
  Close(group);
}

void PartitionSet::Close(GroupId group) {
  std::shared_ptr<DataPartition> partition;
  storage::LogIdentity identity;
  LogIndex since;
  Leave why;
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(group);
    if (found == entries_.end()) return;
    partition = found->second.partition;
    identity = found->second.identity;
    since = found->second.since;
    why = found->second.why;
  }
  if (stopped_) return;
  ++busy_;
  Shard& shard = *options_.shards[partition->shard()];
  shard.executor().Post([this, &shard, partition, identity, since, why] {
    absl::Status reason = why == Leave::kDeleted
                              ? MakeError(Errc::kUnknownTopic, "the topic was deleted")
                              : MakeError(Errc::kNotLeader, "the replica here has been given up");
    partition->Stop(reason, [this, &shard, identity, since, why] {
      shard.pool().Submit([this, &shard, identity, since, why] {
        const absl::Status removed = RemoveFiles(shard.log_env(), identity, since, why);
        options_.shards[0]->executor().Post(
            [this, group = identity.group, why, removed] { OnClosed(group, why, removed); });
      });
    });
  });
}

// A group that goes on may have this node back one day: what it voted must not be forgotten, for a
// late request of the same term would find it free to vote again.
absl::Status PartitionSet::RemoveFiles(const storage::LogEnv& env,
                                       const storage::LogIdentity& identity, LogIndex since,
                                       Leave why) const {
  const std::string folder = FolderOf(identity);
  storage::HardStateStore store(env.kv);
  // First: an older image, after a loss of power, must not make a voter of what is left.
  absl::Status removed =
      why == Leave::kMoved ? store.SaveSince(identity.group, since + 1) : absl::OkStatus();
  if (removed.ok() && why == Leave::kDamaged) {
    removed = SetAside(env, identity.group, folder);
  } else if (removed.ok()) {
    removed = storage::Log::GiveUp(env.fs, env.kv, identity.group, folder);
    if (removed.ok()) removed = RemoveRows(env, identity.group);
  }
  if (removed.ok() && why == Leave::kDeleted) removed = store.Remove(identity.group);
  if (!removed.ok()) {
    LogWarn("the files of partition {}, which is no longer here, stay: {}", folder,
            removed.ToString());
  }
  return removed;
}

void PartitionSet::OnClosed(GroupId group, Leave why, const absl::Status& removed) {
  --busy_;
  if (stopped_) return MaybeStopped();
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(group);
    if (found == entries_.end()) return;
    // A disk that cannot be written takes no other replica either.
    if (why == Leave::kDamaged && !removed.ok()) return;
    if (why != Leave::kDamaged) {
      reaper_.Reap(storage::GivenUpPath(FolderOf(found->second.identity)),
                   BoundedMillis(found->second.config->file_delete_delay_ms));
    }
    if (found->second.why != why) {
      // There is another reason by now, and more to be removed.
      options_.shards[0]->executor().Post([this, group] { Close(group); });
      return;
    }
    entries_.erase(found);
    if (why == Leave::kDeleted) lives_.erase(group);
  }
  if (why == Leave::kDeleted) {
    options_.on_deleted(group);
  } else {
    options_.on_left();
  }
}

// Those that were being opened or closed before are waited for like the others.
void PartitionSet::MaybeStopped() {
  if (busy_ == 0 && on_stopped_) std::exchange(on_stopped_, nullptr)();
}

void PartitionSet::StopOne(std::shared_ptr<DataPartition> partition) {
  ++busy_;
  Executor& home = options_.shards[0]->executor();
  options_.shards[partition->shard()]->executor().Post([this, partition, &home] {
    partition->Stop(MakeError(Errc::kShuttingDown, "the broker is stopping"), [this, &home] {
      home.Post([this] {
        --busy_;
        MaybeStopped();
      });
    });
  });
}

void PartitionSet::Stop(Task closed) {
  stopped_ = true;
  on_stopped_ = std::move(closed);
  options_.shards[0]->executor().Cancel(std::exchange(reopen_timer_, kNoTimer));
  ++busy_;
  reaper_.Stop([this] {
    --busy_;
    MaybeStopped();
  });
  for (std::shared_ptr<DataPartition>& partition : All()) StopOne(std::move(partition));
  options_.shards[0]->executor().Post([this] { MaybeStopped(); });
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
  all.reserve(entries_.size());
  for (const auto& [group, entry] : entries_) {
    if (entry.open && !entry.leaving) all.push_back(entry.partition);
  }
  return all;
}

}  // namespace garam
