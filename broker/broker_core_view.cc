// What BrokerCore tells the doors about the cluster, and what it does with what peers say.
#include <algorithm>
#include <utility>

#include "broker/broker_core.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr Duration kProducerIdsTimeout = std::chrono::seconds(5);

template <class T>
concept HasStatuses = requires(T reply) { reply.statuses; };

std::vector<absl::Status> StatusesOf(ControllerReply reply) {
  return std::visit(
      [](auto& kind) {
        std::vector<absl::Status> statuses;
        if constexpr (HasStatuses<decltype(kind)>) statuses = std::move(kind.statuses);
        return statuses;
      },
      reply);
}

}  // namespace

std::shared_ptr<const MetadataImage> BrokerCore::image() const {
  std::lock_guard lock(mutex_);
  return metadata_ == nullptr ? MetadataImage::Empty() : metadata_->image();
}

std::shared_ptr<MetadataGroup> BrokerCore::MetadataHere() const {
  std::lock_guard lock(mutex_);
  return metadata_;
}

const Replica* BrokerCore::metadata_replica() const {
  std::lock_guard lock(mutex_);
  if (metadata_ == nullptr || !metadata_->replica().attached()) return nullptr;
  return &metadata_->replica();
}

NodeId BrokerCore::controller() const {
  NodeId leader = leaders_.Get(kMetadataGroup).leader;
  return leader == self_ || nodes_->live().contains(leader) ? leader : kNoNode;
}

PartitionState BrokerCore::StateOf(const TopicImage& topic, int32_t partition) const {
  const PartitionImage& image = *topic.Find(partition);
  LeaderState known = leaders_.Get(image.group);
  std::set<NodeId> live = nodes_->live();
  PartitionState state;
  bool there = live.contains(known.leader) && !nodes_->InDoubt(known.leader);
  state.leader = there ? known.leader : kNoNode;
  state.leader_epoch = known.term;
  std::vector<ReplicaImage> replicas = image.replicas;
  for (const ReplicaImage& newcomer : image.target) {
    if (std::find(replicas.begin(), replicas.end(), newcomer) == replicas.end()) {
      replicas.push_back(newcomer);
    }
  }
  for (const ReplicaImage& replica : replicas) {
    state.replicas.push_back(replica.node);
    if (!live.contains(replica.node)) state.offline.push_back(replica.node);
  }
  state.isr = known.isr;
  return state;
}

absl::StatusOr<std::shared_ptr<Partition>> BrokerCore::Find(std::string_view topic,
                                                            int32_t partition) const {
  std::shared_ptr<const TopicImage> found = image()->FindTopic(topic);
  if (found == nullptr) return MakeError(Errc::kUnknownTopic, "no such topic");
  return FindIn(found, partition);
}

absl::StatusOr<std::shared_ptr<Partition>> BrokerCore::Find(const TopicId& topic,
                                                            int32_t partition) const {
  std::shared_ptr<const TopicImage> found = image()->FindTopic(topic);
  if (found == nullptr) return MakeError(Errc::kUnknownTopicId, "no topic with this id");
  return FindIn(found, partition);
}

absl::StatusOr<std::shared_ptr<Partition>> BrokerCore::FindIn(
    const std::shared_ptr<const TopicImage>& topic, int32_t partition) const {
  const PartitionImage* image = topic->Find(partition);
  if (image == nullptr) return MakeError(Errc::kUnknownTopic, "the topic has no such partition");
  std::shared_ptr<DataPartition> here = partitions_->Find(image->group);
  if (here == nullptr) {
    return MakeError(Errc::kNotLeader, "the partition is not on this broker; refresh metadata");
  }
  return here;
}

void BrokerCore::CreateTopics(
    std::vector<TopicSpec> topics, bool validate_only, MonoTime deadline, size_t shard,
    absl::AnyInvocable<void(std::vector<absl::StatusOr<CreatedTopic>>) &&> done) {
  env_.executors[0]->Post([this, topics = std::move(topics), validate_only, deadline, shard,
                           done = std::move(done)]() mutable {
    size_t count = topics.size();
    controller_->Call(
        CreateTopicsRequest{std::move(topics), validate_only}, deadline,
        [this, count, shard,
         done = std::move(done)](absl::StatusOr<ControllerReply> reply) mutable {
          std::vector<absl::StatusOr<CreatedTopic>> results(
              count, reply.ok() ? absl::UnknownError("no answer") : reply.status());
          if (reply.ok()) results = std::move(std::get<CreateTopicsReply>(*reply).topics);
          executor(shard).Post([done = std::move(done), results = std::move(results)]() mutable {
            std::move(done)(std::move(results));
          });
        });
  });
}

void BrokerCore::DeleteTopics(std::vector<TopicId> topics, MonoTime deadline, size_t shard,
                              StatusesDone done) {
  const size_t count = topics.size();
  AskForStatuses(DeleteTopicsRequest{std::move(topics)}, count, deadline, shard, std::move(done));
}

void BrokerCore::CreatePartitions(std::vector<MorePartitionsSpec> topics, bool validate_only,
                                  MonoTime deadline, size_t shard, StatusesDone done) {
  const size_t count = topics.size();
  AskForStatuses(CreatePartitionsRequest{std::move(topics), validate_only}, count, deadline, shard,
                 std::move(done));
}

void BrokerCore::AlterConfigs(std::vector<ConfigChange> changes, bool validate_only,
                              MonoTime deadline, size_t shard, StatusesDone done) {
  const size_t count = changes.size();
  AskForStatuses(AlterConfigsRequest{std::move(changes), validate_only}, count, deadline, shard,
                 std::move(done));
}

void BrokerCore::DescribeFolder(size_t shard,
                                absl::AnyInvocable<void(absl::StatusOr<LogFolder>) &&> done) {
  pool_.Submit([this, shard, done = std::move(done)]() mutable {
    absl::StatusOr<LogFolder> folder = LogFolder{.path = env_.folder.path()};
    absl::StatusOr<storage::FileSystem::Space> space = env_.files.SpaceOf(folder->path);
    if (space.ok()) {
      folder->total_bytes = space->total_bytes;
      folder->usable_bytes = space->usable_bytes;
    } else {
      folder = space.status();
    }
    executor(shard).Post([done = std::move(done), folder = std::move(folder)]() mutable {
      std::move(done)(std::move(folder));
    });
  });
}

void BrokerCore::MoveReplicas(std::vector<MoveSpec> moves, MonoTime deadline, size_t shard,
                              StatusesDone done) {
  const size_t count = moves.size();
  AskForStatuses(MoveReplicasRequest{std::move(moves)}, count, deadline, shard, std::move(done));
}

void BrokerCore::AlterClientQuotas(std::vector<QuotaChange> changes, bool validate_only,
                                   MonoTime deadline, size_t shard, StatusesDone done) {
  const size_t count = changes.size();
  AskForStatuses(AlterQuotasRequest{std::move(changes), validate_only}, count, deadline, shard,
                 std::move(done));
}

void BrokerCore::UpdateFeatures(std::vector<FeatureUpdate> updates, bool validate_only,
                                MonoTime deadline, size_t shard,
                                absl::AnyInvocable<void(absl::Status) &&> done) {
  AskForStatus(UpdateFeaturesRequest{std::move(updates), validate_only}, deadline, shard,
               std::move(done));
}

void BrokerCore::UnregisterBroker(NodeId node, MonoTime deadline, size_t shard,
                                  absl::AnyInvocable<void(absl::Status) &&> done) {
  AskForStatus(UnregisterBrokerRequest{node}, deadline, shard, std::move(done));
}

void BrokerCore::DescribeQuorum(MonoTime deadline, size_t shard,
                                absl::AnyInvocable<void(absl::StatusOr<QuorumState>) &&> done) {
  env_.executors[0]->Post([this, deadline, shard, done = std::move(done)]() mutable {
    controller_->Call(
        DescribeQuorumRequest{}, deadline,
        [this, shard, done = std::move(done)](absl::StatusOr<ControllerReply> reply) mutable {
          absl::StatusOr<QuorumState> quorum = QuorumState();
          if (reply.ok()) {
            quorum = std::move(std::get<DescribeQuorumReply>(*reply).quorum);
          } else {
            quorum = reply.status();
          }
          executor(shard).Post([done = std::move(done), quorum = std::move(quorum)]() mutable {
            std::move(done)(std::move(quorum));
          });
        });
  });
}

// A request that ends with one status.
void BrokerCore::AskForStatus(ControllerRequest request, MonoTime deadline, size_t shard,
                              absl::AnyInvocable<void(absl::Status) &&> done) {
  env_.executors[0]->Post(
      [this, request = std::move(request), deadline, shard, done = std::move(done)]() mutable {
        controller_->Call(
            request, deadline,
            [this, shard,
             done = std::move(done)](const absl::StatusOr<ControllerReply>& reply) mutable {
              executor(shard).Post([done = std::move(done), status = reply.status()]() mutable {
                std::move(done)(std::move(status));
              });
            });
      });
}

void BrokerCore::NewProducerId(size_t shard,
                               absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) {
  env_.executors[0]->Post([this, shard, done = std::move(done)]() mutable {
    producer_ids_.Next([this, shard, done = std::move(done)](absl::StatusOr<int64_t> id) mutable {
      executor(shard).Post([done = std::move(done), id = std::move(id)]() mutable {
        std::move(done)(std::move(id));
      });
    });
  });
}

void BrokerCore::FetchProducerIds(uint32_t count, ProducerIds::Done done) {
  controller_->Call(AllocateProducerIdsRequest{count}, env_.clock.Mono() + kProducerIdsTimeout,
                    [done = std::move(done)](absl::StatusOr<ControllerReply> reply) mutable {
                      if (!reply.ok()) return std::move(done)(reply.status());
                      std::move(done)(std::get<AllocateProducerIdsReply>(*reply).first);
                    });
}

// A request of `count` items, each of which ends with a status.
void BrokerCore::AskForStatuses(ControllerRequest request, size_t count, MonoTime deadline,
                                size_t shard, StatusesDone done) {
  env_.executors[0]->Post([this, request = std::move(request), count, deadline, shard,
                           done = std::move(done)]() mutable {
    controller_->Call(
        request, deadline,
        [this, count, shard,
         done = std::move(done)](absl::StatusOr<ControllerReply> reply) mutable {
          std::vector<absl::Status> results(count, reply.status());
          if (reply.ok()) results = StatusesOf(*std::move(reply));
          executor(shard).Post([done = std::move(done), results = std::move(results)]() mutable {
            std::move(done)(std::move(results));
          });
        });
  });
}

// --- What peers say ---

void BrokerCore::OnNodeEvent(NodeId node, NodeEvent event) {
  if (event == NodeEvent::kDown) balancer_.NodeDown(node, env_.clock.Mono());
  for (const auto& shard : shards_) {
    shard->executor().Post([shard = shard.get(), node, event] {
      switch (event) {
        case NodeEvent::kUp:
          return shard->NodeUp(node);
        case NodeEvent::kSuspect:
          return shard->NodeSuspect(node);
        case NodeEvent::kDown:
          return shard->NodeDown(node);
        case NodeEvent::kRestarted:
          return shard->NodeRestarted(node);
        case NodeEvent::kReset:
          return shard->PeerReset(node);
      }
    });
  }
}

size_t BrokerCore::ShardOfGroup(GroupId group) const {
  if (group == kMetadataGroup || shards_.size() == 1) return 0;
  std::shared_ptr<const MetadataImage> now = image();
  const GroupPlace* place = now->FindGroup(group);
  // A group that this broker has not heard of yet waits on shard 0 … and is asked for again.
  if (place == nullptr) return 0;
  return PartitionSet::ShardOf(place->topic->id, place->partition, shards_.size());
}

void BrokerCore::Deliver(NodeId from, size_t shard, std::vector<GroupMessage> messages) {
  if (shards_.size() == 1) {
    shards_[0]->Deliver(from, std::move(messages));
    return;
  }
  std::vector<std::vector<GroupMessage>> by_shard(shards_.size());
  for (GroupMessage& message : messages) {
    by_shard[ShardOfGroup(message.group)].push_back(std::move(message));
  }
  for (size_t to = 0; to < by_shard.size(); ++to) {
    if (by_shard[to].empty()) continue;
    Shard* target = shards_[to].get();
    if (to == shard) {
      target->Deliver(from, std::move(by_shard[to]));
      continue;
    }
    target->executor().Post([target, from, mine = std::move(by_shard[to])]() mutable {
      target->Deliver(from, std::move(mine));
    });
  }
}

void BrokerCore::OnNotLeading(NodeId node, const std::vector<LeaderState>& states) {
  for (const LeaderState& state : states) {
    Shard* shard = shards_[ShardOfGroup(state.group)].get();
    shard->executor().Post([shard, node, group = state.group, term = state.term] {
      shard->LeaderLost(node, group, term);
    });
  }
}

void BrokerCore::OnFailedList(NodeId node) {
  std::set<GroupId> failed = leaders_.FailedOf(node);
  for (const std::shared_ptr<DataPartition>& partition : partitions_->All()) {
    bool can_append = !failed.contains(partition->group());
    executor(partition->shard()).Post([partition, node, can_append] {
      partition->SetCanAppend(node, can_append);
    });
  }
}

// From any shard: what a replica here has learnt of its group's leadership.
void BrokerCore::Announce(const LeaderState& state) {
  // A leader that lost its majority steps down within its term.
  if (state.leader != self_) leaders_.Resign(self_, state.group, state.term);
  if (!leaders_.Merge(state) || state.leader != self_) return;
  env_.executors[0]->Post([this, state] { nodes_->Push(state); });
}

void BrokerCore::OnControllerCall(std::string request,
                                  absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  std::shared_ptr<MetadataGroup> metadata = MetadataHere();
  if (metadata == nullptr) {
    std::move(done)(EncodeControllerReply(MakeError(Errc::kNoController, "no controller here")));
    return;
  }
  metadata->Handle(std::move(request), std::move(done));
}

}  // namespace garam
