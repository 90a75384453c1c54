#include "coordinator/metadata_image.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_codec.h"
#include "proto/metadata.pb.h"

namespace garam {
namespace {

// Metrics of topics whose names differ in '.' and '_' only would clash.
std::string Folded(std::string_view name) {
  std::string folded(name);
  std::replace(folded.begin(), folded.end(), '.', '_');
  return folded;
}

absl::Status Damaged(std::string_view what) {
  return MakeError(Errc::kCorruptRecord,
                   absl::StrCat("damaged cluster metadata: ", std::string(what)));
}

absl::Status CheckFormat(uint32_t format) {
  if (format > kMetadataFormatMax) {
    return MakeError(
        Errc::kUnsupportedVersion,
        absl::StrCat("cluster metadata of format ", format, ", but this build understands up to ",
                     kMetadataFormatMax, ": start a newer garamd"));
  }
  if (format < kMetadataFormatMin) return Damaged("format 0");
  return absl::OkStatus();
}

// At least one, and each on another broker.
bool AreReplicas(const std::vector<ReplicaImage>& replicas) {
  std::set<NodeId> nodes;
  for (const ReplicaImage& replica : replicas) nodes.insert(replica.node);
  return !nodes.empty() && nodes.size() == replicas.size();
}

absl::Status CheckPartitions(const std::vector<PartitionImage>& partitions, GroupId next_group) {
  if (partitions.empty()) {
    return MakeError(Errc::kInvalidPartitions, "a topic needs at least one partition");
  }
  for (const PartitionImage& partition : partitions) {
    if (partition.group < next_group) {
      return MakeError(Errc::kInvalidRequest,
                       absl::StrCat("group id ", partition.group.value(),
                                    " has been given away before; ask again"));
    }
    next_group = partition.group + 1;
    if (!AreReplicas(partition.replicas)) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       "a partition needs replicas, each on another broker");
    }
  }
  return absl::OkStatus();
}

}  // namespace

const ReplicaImage* PartitionImage::Find(NodeId node, Incarnation incarnation) const {
  for (const std::vector<ReplicaImage>* some : {&replicas, &target, &leaving}) {
    for (const ReplicaImage& replica : *some) {
      if (replica.node == node && replica.incarnation == incarnation) return &replica;
    }
  }
  return nullptr;
}

const PartitionImage* TopicImage::Find(int32_t partition) const {
  const bool there = partition >= 0 && static_cast<size_t>(partition) < partitions.size();
  return there ? &partitions[static_cast<size_t>(partition)] : nullptr;
}

const BrokerEndpoint& BrokerImage::EndpointFor(std::string_view listener) const {
  for (const BrokerEndpoint& endpoint : endpoints) {
    if (endpoint.listener == listener) return endpoint;
  }
  return endpoints.front();
}

bool IsInternalTopic(std::string_view name) {
  return name == kOffsetsTopic || name == "__transaction_state";
}

std::shared_ptr<const MetadataImage> MetadataImage::Empty() {
  static const auto empty = std::make_shared<const MetadataImage>();
  return empty;
}

absl::StatusOr<MetadataImage::Applied> MetadataImage::Apply(
    LogIndex index, const metadata::Command& command) const {
  RETURN_IF_ERROR(CheckFormat(command.format()));
  auto next = std::make_shared<MetadataImage>(*this);
  next->applied_index_ = index;
  Applied applied;
  applied.outcome = next->Change(command, applied);
  if (ErrcOf(applied.outcome) == Errc::kCorruptRecord && !applied.outcome.ok()) {
    return applied.outcome;
  }
  applied.image = std::move(next);
  return applied;
}

absl::StatusOr<MetadataImage::Applied> MetadataImage::ApplyBytes(LogIndex index,
                                                                 std::string_view bytes) const {
  metadata::Command command;
  if (!command.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Damaged("a command that does not parse");
  }
  return Apply(index, command);
}

std::shared_ptr<const MetadataImage> MetadataImage::At(LogIndex index) const {
  auto next = std::make_shared<MetadataImage>(*this);
  next->applied_index_ = index;
  return next;
}

// Each of the methods below checks everything before it changes anything.
absl::Status MetadataImage::Change(const metadata::Command& command, Applied& applied) {
  switch (command.command_case()) {
    case metadata::Command::kFormCluster:
      return Form(command.form_cluster());
    case metadata::Command::kRegisterBroker: {
      absl::Status outcome = Register(command.register_broker(), applied);
      applied.brokers_changed = outcome.ok();
      return outcome;
    }
    case metadata::Command::kUnregisterBroker: {
      const metadata::UnregisterBroker& unregister = command.unregister_broker();
      absl::Status outcome =
          Unregister(NodeId(unregister.node()), Incarnation(unregister.incarnation()));
      applied.brokers_changed = outcome.ok();
      return outcome;
    }
    case metadata::Command::kAllocateProducerIds:
      next_producer_id_ += command.allocate_producer_ids().count();
      return absl::OkStatus();
    case metadata::Command::kCreateTopic: {
      RETURN_IF_ERROR(Create(command.create_topic()));
      applied.changed_topics.push_back(TopicId::FromRaw(command.create_topic().id()));
      return absl::OkStatus();
    }
    case metadata::Command::kDeleteTopic: {
      ASSIGN_OR_RETURN(const TopicId id, TopicIdFromProto(command.delete_topic().id()));
      RETURN_IF_ERROR(Delete(id));
      applied.changed_topics.push_back(id);
      return absl::OkStatus();
    }
    case metadata::Command::kChangeReplicas: {
      ASSIGN_OR_RETURN(const TopicId id, Change(command.change_replicas()));
      applied.changed_topics.push_back(id);
      return absl::OkStatus();
    }
    case metadata::Command::kReplaceVoter:
      return Replace(command.replace_voter());
    case metadata::Command::kAlterTopic:
      return Change(command.alter_topic(), applied);
    case metadata::Command::kAddPartitions:
      return Change(command.add_partitions(), applied);
    case metadata::Command::kSetBrokerConfigs:
      Change(command.set_broker_configs());
      applied.broker_configs_changed = true;
      return absl::OkStatus();
    case metadata::Command::kSetClientQuotas:
      Change(command.set_client_quotas());
      applied.client_quotas_changed = true;
      return absl::OkStatus();
    case metadata::Command::kSetFeatureLevels:
      Change(command.set_feature_levels());
      return absl::OkStatus();
    case metadata::Command::kSetResourceConfigs:
      Change(command.set_resource_configs());
      return absl::OkStatus();
    case metadata::Command::COMMAND_NOT_SET:
      break;
  }
  return Damaged("a command of no known kind");
}

absl::Status MetadataImage::Form(const metadata::FormCluster& command) {
  if (command.cluster_id().empty() || command.voters().empty()) {
    return Damaged("a cluster without an id or voters");
  }
  if (!cluster_id_.empty()) {
    return MakeError(Errc::kInvalidRequest, absl::StrCat("cluster ", cluster_id_, " is formed"));
  }
  cluster_id_ = command.cluster_id();
  for (const metadata::Voter& voter : command.voters()) voters_.push_back(FromProto(voter));
  members_index_ = applied_index_;
  return absl::OkStatus();
}

// The controller has made sure that nobody else is there under this number.
absl::Status MetadataImage::Register(const metadata::RegisterBroker& command, Applied& applied) {
  ASSIGN_OR_RETURN(BrokerImage broker, FromProto(command));
  const BrokerImage* known = FindBroker(broker.node);
  const NodeId node = broker.node;
  if (known == nullptr || known->incarnation != broker.incarnation) {
    members_index_ = applied_index_;
    Replace(node, broker.incarnation, applied);
    for (FormationVoter& voter : voters_) {
      if (voter.node == node) voter.incarnation = broker.incarnation;
    }
  }
  for (FormationVoter& voter : voters_) {
    if (voter.node == node) voter.control_address = broker.control_address;
  }
  brokers_[node] = std::make_shared<const BrokerImage>(std::move(broker));
  FillVoters();
  return absl::OkStatus();
}

// A node that comes with another data folder is a new replica of all that it had (D18): it learns,
// and then takes the place of the one that it was.
void MetadataImage::Replace(NodeId node, Incarnation incarnation, Applied& applied) {
  auto is_old = [&](const ReplicaImage& replica) {
    return replica.node == node && replica.incarnation != incarnation;
  };
  std::vector<TopicImage> changed;
  ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    TopicImage copy = *topic;
    bool differs = false;
    for (PartitionImage& partition : copy.partitions) {
      std::vector<ReplicaImage> target = partition.destination();
      std::erase_if(partition.leaving, is_old);
      if (std::none_of(target.begin(), target.end(), is_old)) continue;
      for (ReplicaImage& replica : target) {
        if (is_old(replica)) replica = {node, incarnation, applied_index_};
      }
      if (partition.founders.empty()) partition.founders = partition.replicas;
      partition.target = std::move(target);
      partition.wish = applied_index_;
      differs = true;
    }
    if (differs) changed.push_back(std::move(copy));
  });
  for (TopicImage& topic : changed) {
    applied.changed_topics.push_back(topic.id);
    AddTopic(std::make_shared<const TopicImage>(std::move(topic)));
  }
}

void MetadataImage::FillVoters() {
  const size_t wanted = brokers_.size() >= 5 ? 5 : brokers_.size() >= 3 ? 3 : 1;
  for (const auto& [node, broker] : brokers_) {
    if (voters_.size() >= wanted) return;
    const bool votes = std::any_of(voters_.begin(), voters_.end(),
                                   [node = node](const auto& voter) { return voter.node == node; });
    if (votes) continue;
    voters_.push_back({node, broker->incarnation, broker->control_address});
    members_index_ = applied_index_;
  }
}

absl::Status MetadataImage::Unregister(NodeId node, Incarnation incarnation) {
  const BrokerImage* known = FindBroker(node);
  if (known == nullptr || known->incarnation != incarnation) {
    return MakeError(Errc::kBrokerIdNotRegistered,
                     absl::StrCat("broker ", node.value(), " is not registered"));
  }
  brokers_.erase(node);
  std::erase_if(voters_, [node](const FormationVoter& voter) { return voter.node == node; });
  members_index_ = applied_index_;
  FillVoters();
  return absl::OkStatus();
}

absl::Status MetadataImage::Replace(const metadata::ReplaceVoter& command) {
  const BrokerImage* successor = FindBroker(NodeId(command.successor()));
  if (successor == nullptr ||
      successor->incarnation != Incarnation(command.successor_incarnation())) {
    return MakeError(Errc::kBrokerIdNotRegistered,
                     absl::StrCat("broker ", command.successor(), " is not registered"));
  }
  const auto find = [this](NodeId node) {
    return std::find_if(voters_.begin(), voters_.end(),
                        [node](const FormationVoter& voter) { return voter.node == node; });
  };
  const auto voter = find(NodeId(command.node()));
  if (voter == voters_.end() || voter->incarnation != Incarnation(command.incarnation()) ||
      find(successor->node) != voters_.end()) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("the vote of broker ", command.node(), " has gone elsewhere"));
  }
  *voter = {successor->node, successor->incarnation, successor->control_address};
  members_index_ = applied_index_;
  return absl::OkStatus();
}

absl::Status MetadataImage::Create(const metadata::CreateTopic& command) {
  ASSIGN_OR_RETURN(TopicImage topic, FromProto(command));
  RETURN_IF_ERROR(CheckTopicName(topic.name));
  if (FindColliding(topic.name) != nullptr || FindTopic(topic.id) != nullptr) {
    return MakeError(Errc::kTopicExists, absl::StrCat("Topic '", topic.name, "' already exists."));
  }
  RETURN_IF_ERROR(CheckNew(topic.partitions));
  AddTopic(std::make_shared<const TopicImage>(std::move(topic)));
  return absl::OkStatus();
}

absl::Status MetadataImage::CheckNew(const std::vector<PartitionImage>& partitions) const {
  RETURN_IF_ERROR(CheckPartitions(partitions, next_group_));
  for (const PartitionImage& partition : partitions) {
    for (const ReplicaImage& replica : partition.replicas) {
      const BrokerImage* broker = FindBroker(replica.node);
      if (broker != nullptr && broker->incarnation == replica.incarnation) continue;
      return MakeError(Errc::kBrokerIdNotRegistered,
                       absl::StrCat("broker ", replica.node.value(), " is not registered"));
    }
  }
  return absl::OkStatus();
}

absl::Status MetadataImage::Change(const metadata::AlterTopic& command, Applied& applied) {
  ASSIGN_OR_RETURN(const TopicId id, TopicIdFromProto(command.id()));
  const std::shared_ptr<const TopicImage> known = FindTopic(id);
  if (known == nullptr) {
    return MakeError(Errc::kUnknownTopicId, "This server does not host this topic ID.");
  }
  TopicImage topic = *known;
  topic.configs = FromProto(command.configs());
  AddTopic(std::make_shared<const TopicImage>(std::move(topic)));
  applied.changed_topics.push_back(id);
  return absl::OkStatus();
}

absl::Status MetadataImage::Change(const metadata::AddPartitions& command, Applied& applied) {
  ASSIGN_OR_RETURN(const TopicId id, TopicIdFromProto(command.id()));
  const std::shared_ptr<const TopicImage> known = FindTopic(id);
  if (known == nullptr) {
    return MakeError(Errc::kUnknownTopicId, "This server does not host this topic ID.");
  }
  const std::vector<PartitionImage> added = FromProto(command.partitions());
  RETURN_IF_ERROR(CheckNew(added));
  TopicImage topic = *known;
  topic.partitions.insert(topic.partitions.end(), added.begin(), added.end());
  AddTopic(std::make_shared<const TopicImage>(std::move(topic)));
  applied.changed_topics.push_back(id);
  return absl::OkStatus();
}

void MetadataImage::Change(const metadata::SetBrokerConfigs& command) {
  std::map<std::string, std::string> configs = FromProto(command.configs());
  if (configs.empty()) {
    broker_configs_.erase(NodeId(command.node()));
  } else {
    broker_configs_[NodeId(command.node())] = std::move(configs);
  }
}

void MetadataImage::Change(const metadata::SetClientQuotas& command) {
  auto quotas = std::make_shared<QuotaTable>(*client_quotas_);
  QuotaValues values = ValuesFromProto(command);
  if (values.empty()) {
    quotas->erase(EntityFromProto(command));
  } else {
    (*quotas)[EntityFromProto(command)] = std::move(values);
  }
  client_quotas_ = std::move(quotas);
}

void MetadataImage::Change(const metadata::SetFeatureLevels& command) {
  for (const metadata::FeatureLevel& feature : command.features()) {
    feature_levels_[feature.name()] = static_cast<int16_t>(feature.level());
  }
}

void MetadataImage::Change(const metadata::SetResourceConfigs& command) {
  auto& configs = resource_configs_[static_cast<ConfiguredKind>(command.kind())];
  ConfigMap set = FromProto(command.configs());
  configs =
      set.empty() ? configs.Erase(command.name()) : configs.Set(command.name(), std::move(set));
}

bool MetadataImage::IsNew(const TopicImage& topic) const {
  if (FindColliding(topic.name) != nullptr || FindTopic(topic.id) != nullptr) return false;
  std::set<GroupId> groups;
  return std::all_of(
      topic.partitions.begin(), topic.partitions.end(), [&](const PartitionImage& partition) {
        return FindGroup(partition.group) == nullptr && groups.insert(partition.group).second;
      });
}

void MetadataImage::AddTopic(std::shared_ptr<const TopicImage> topic) {
  topics_by_name_ = topics_by_name_.Set(topic->name, topic);
  topics_by_folded_name_ = topics_by_folded_name_.Set(Folded(topic->name), topic);
  topics_by_id_ = topics_by_id_.Set(topic->id, topic);
  int32_t partition = 0;
  for (const PartitionImage& image : topic->partitions) {
    groups_ = groups_.Set(image.group, GroupPlace{.topic = topic, .partition = partition++});
    next_group_ = std::max(next_group_, image.group + 1);
  }
}

absl::Status MetadataImage::Delete(const TopicId& id) {
  const std::shared_ptr<const TopicImage> topic = FindTopic(id);
  if (topic == nullptr) {
    return MakeError(Errc::kUnknownTopicId, "This server does not host this topic ID.");
  }
  topics_by_name_ = topics_by_name_.Erase(topic->name);
  topics_by_folded_name_ = topics_by_folded_name_.Erase(Folded(topic->name));
  topics_by_id_ = topics_by_id_.Erase(id);
  for (const PartitionImage& partition : topic->partitions) {
    groups_ = groups_.Erase(partition.group);
  }
  return absl::OkStatus();
}

absl::StatusOr<TopicId> MetadataImage::Change(const metadata::ChangeReplicas& command) {
  const GroupPlace* place = FindGroup(GroupId(command.group()));
  if (place == nullptr) {
    return MakeError(Errc::kUnknownTopic, "the partition to be moved is not there any more");
  }
  TopicImage topic = *place->topic;
  PartitionImage& partition = topic.partitions[static_cast<size_t>(place->partition)];
  if (partition.founders.empty()) partition.founders = partition.replicas;
  auto known = [before = partition, this](std::vector<ReplicaImage> replicas) {
    for (ReplicaImage& replica : replicas) {
      const ReplicaImage* was = before.Find(replica.node, replica.incarnation);
      replica.since = was == nullptr ? applied_index_ : was->since;
    }
    return replicas;
  };
  partition.replicas = known(FromProto(command.replicas()));
  partition.target = known(FromProto(command.target()));
  partition.leaving = known(FromProto(command.leaving()));
  partition.wish = applied_index_;
  if (!AreReplicas(partition.replicas) ||
      (!partition.target.empty() && !AreReplicas(partition.target))) {
    return MakeError(Errc::kInvalidReplicaAssignment,
                     "a partition needs replicas, each on another broker");
  }
  const TopicId id = topic.id;
  AddTopic(std::make_shared<const TopicImage>(std::move(topic)));
  return id;
}

const BrokerImage* MetadataImage::FindBroker(NodeId node) const {
  const auto found = brokers_.find(node);
  return found == brokers_.end() ? nullptr : found->second.get();
}

const std::map<std::string, std::string>& MetadataImage::BrokerConfigs(NodeId node) const {
  static const std::map<std::string, std::string> none;
  const auto found = broker_configs_.find(node);
  return found == broker_configs_.end() ? none : found->second;
}

const ConfigMap& MetadataImage::ConfigsOf(ConfiguredKind kind, std::string_view name) const {
  static const ConfigMap none;
  const auto configs = resource_configs_.find(kind);
  if (configs == resource_configs_.end()) return none;
  const ConfigMap* found = configs->second.Find(name);
  return found == nullptr ? none : *found;
}

std::vector<std::string> MetadataImage::NamesOf(ConfiguredKind kind) const {
  std::vector<std::string> names;
  const auto configs = resource_configs_.find(kind);
  if (configs == resource_configs_.end()) return names;
  configs->second.ForEach(
      [&](const std::string& name, const ConfigMap&) { names.push_back(name); });
  return names;
}

std::shared_ptr<const TopicImage> MetadataImage::FindTopic(std::string_view name) const {
  const auto* found = topics_by_name_.Find(name);
  return found == nullptr ? nullptr : *found;
}

std::shared_ptr<const TopicImage> MetadataImage::FindTopic(const TopicId& id) const {
  const auto* found = topics_by_id_.Find(id);
  return found == nullptr ? nullptr : *found;
}

const GroupPlace* MetadataImage::FindGroup(GroupId group) const { return groups_.Find(group); }

std::shared_ptr<const TopicImage> MetadataImage::FindColliding(std::string_view name) const {
  const auto* found = topics_by_folded_name_.Find(Folded(name));
  return found == nullptr ? nullptr : *found;
}

void MetadataImage::ForEachTopic(
    absl::FunctionRef<void(const std::shared_ptr<const TopicImage>&)> visit) const {
  topics_by_name_.ForEach(
      [&](const std::string&, const std::shared_ptr<const TopicImage>& topic) { visit(topic); });
}

std::string MetadataImage::EncodeSnapshot() const {
  metadata::Snapshot snapshot;
  snapshot.set_format(kMetadataFormatMax);
  snapshot.set_applied_index(applied_index_.value());
  snapshot.set_cluster_id(cluster_id_);
  for (const FormationVoter& voter : voters_) *snapshot.add_voters() = ToProto(voter);
  snapshot.set_members_index(static_cast<uint64_t>(members_index_.value()));
  snapshot.set_next_group(next_group_.value());
  snapshot.set_next_producer_id(static_cast<uint64_t>(next_producer_id_));
  for (const auto& [node, broker] : brokers_) *snapshot.add_brokers() = ToProto(*broker);
  for (const auto& [node, configs] : broker_configs_) {
    metadata::SetBrokerConfigs& to = *snapshot.add_broker_configs();
    to.set_node(node.value());
    *to.mutable_configs() = ToProto(configs);
  }
  for (const auto& [entity, values] : *client_quotas_) {
    *snapshot.add_client_quotas() = ToProto(entity, values);
  }
  for (const auto& [name, level] : feature_levels_) {
    metadata::FeatureLevel& to = *snapshot.mutable_feature_levels()->add_features();
    to.set_name(name);
    to.set_level(level);
  }
  for (const auto& [kind, all] : resource_configs_) {
    all.ForEach([&snapshot, kind = kind](const std::string& name, const ConfigMap& configs) {
      *snapshot.add_resource_configs() = ToProto(kind, name, configs);
    });
  }
  ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    *snapshot.add_topics() = ToProto(*topic);
  });
  return snapshot.SerializeAsString();
}

absl::StatusOr<std::shared_ptr<const MetadataImage>> MetadataImage::DecodeSnapshot(
    std::string_view blob) {
  metadata::Snapshot snapshot;
  if (!snapshot.ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
    return Damaged("a snapshot that does not parse");
  }
  RETURN_IF_ERROR(CheckFormat(snapshot.format()));
  auto image = std::make_shared<MetadataImage>();
  image->applied_index_ = LogIndex(static_cast<int64_t>(snapshot.applied_index()));
  image->cluster_id_ = snapshot.cluster_id();
  image->members_index_ = LogIndex(static_cast<int64_t>(snapshot.members_index()));
  for (const metadata::Voter& voter : snapshot.voters()) {
    image->voters_.push_back(FromProto(voter));
  }
  for (const metadata::RegisterBroker& from : snapshot.brokers()) {
    ASSIGN_OR_RETURN(BrokerImage broker, FromProto(from));
    image->brokers_[broker.node] = std::make_shared<const BrokerImage>(std::move(broker));
  }
  for (const metadata::SetBrokerConfigs& from : snapshot.broker_configs()) image->Change(from);
  for (const metadata::SetClientQuotas& from : snapshot.client_quotas()) image->Change(from);
  image->Change(snapshot.feature_levels());
  for (const metadata::SetResourceConfigs& from : snapshot.resource_configs()) image->Change(from);
  for (const metadata::CreateTopic& from : snapshot.topics()) {
    ASSIGN_OR_RETURN(TopicImage topic, FromProto(from));
    if (!image->IsNew(topic)) return Damaged("a snapshot that has a topic or a group twice");
    image->AddTopic(std::make_shared<const TopicImage>(std::move(topic)));
  }
  if (GroupId(snapshot.next_group()) < image->next_group_) {
    return Damaged("a snapshot whose groups are above its counter");
  }
  image->next_group_ = GroupId(snapshot.next_group());
  image->next_producer_id_ = static_cast<int64_t>(snapshot.next_producer_id());
  return image;
}

}  // namespace garam
