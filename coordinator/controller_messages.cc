#include "coordinator/controller_messages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/metadata_codec.h"
#include "proto/controller.pb.h"

namespace garam {
namespace {

constexpr uint32_t kFormat = 1;

controller::Failure ToProto(const absl::Status& status) {
  controller::Failure failure;
  failure.set_name(std::string(ErrcName(ErrcOf(status))));
  failure.set_message(std::string(status.message()));
  return failure;
}

// Errors travel by name, for the numbers of Errc are free to change between versions.
absl::Status FromProto(const controller::Failure& failure) {
  constexpr int kErrcMax = 256;
  // From 0: numbers that are no code are Unknown as well.
  for (int code = 0; code < kErrcMax; ++code) {
    if (ErrcName(static_cast<Errc>(code)) == failure.name()) {
      return MakeError(static_cast<Errc>(code), failure.message());
    }
  }
  return MakeError(Errc::kUnknown, failure.message());
}

absl::Status CheckEnvelope(bool parsed, uint32_t format) {
  if (!parsed) return MakeError(Errc::kInvalidRequest, "a controller message that does not parse");
  if (format > kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     absl::StrCat("a controller message of format ", format, ", but this build ",
                                  "understands up to ", kFormat));
  }
  return absl::OkStatus();
}

absl::Status Empty() {
  return MakeError(Errc::kInvalidRequest, "a controller message of no known kind");
}

void Put(const CreateTopicsRequest& request, controller::Request& to) {
  controller::CreateTopics& create = *to.mutable_create_topics();
  create.set_validate_only(request.validate_only);
  for (const TopicSpec& spec : request.topics) {
    controller::TopicSpec& topic = *create.add_topics();
    topic.set_name(spec.name);
    topic.set_num_partitions(spec.num_partitions);
    topic.set_replication_factor(spec.replication_factor);
    for (const ManualAssignment& assignment : spec.assignments) {
      controller::Assignment& manual = *topic.add_assignments();
      manual.set_partition(assignment.partition);
      for (NodeId node : assignment.replicas) manual.add_replicas(node.value());
    }
    for (const ConfigEntry& entry : spec.configs) {
      controller::ConfigEntry& config = *topic.add_configs();
      config.set_name(entry.name);
      if (entry.value.has_value()) config.set_value(*entry.value);
    }
  }
}

CreateTopicsRequest Get(const controller::CreateTopics& create) {
  CreateTopicsRequest request{.validate_only = create.validate_only()};
  for (const controller::TopicSpec& topic : create.topics()) {
    TopicSpec& spec = request.topics.emplace_back();
    spec.name = topic.name();
    spec.num_partitions = topic.num_partitions();
    spec.replication_factor = topic.replication_factor();
    for (const controller::Assignment& manual : topic.assignments()) {
      ManualAssignment& assignment = spec.assignments.emplace_back();
      assignment.partition = manual.partition();
      for (int32_t node : manual.replicas()) assignment.replicas.push_back(NodeId(node));
    }
    for (const controller::ConfigEntry& config : topic.configs()) {
      ConfigEntry& entry = spec.configs.emplace_back();
      entry.name = config.name();
      if (config.has_value()) entry.value = config.value();
    }
  }
  return request;
}

void Put(const DeleteTopicsRequest& request, controller::Request& to) {
  controller::DeleteTopics& destroy = *to.mutable_delete_topics();
  for (const TopicId& id : request.topics) destroy.add_ids(std::string(id.raw()));
}

absl::StatusOr<DeleteTopicsRequest> Get(const controller::DeleteTopics& destroy) {
  DeleteTopicsRequest request;
  for (const std::string& raw : destroy.ids()) {
    ASSIGN_OR_RETURN(request.topics.emplace_back(), TopicIdFromProto(raw));
  }
  return request;
}

void Put(const RegisterBrokerRequest& request, controller::Request& to) {
  to.mutable_register_broker()->set_cluster_id(request.cluster_id);
  *to.mutable_register_broker()->mutable_broker() = ToProto(request.broker);
}

void Put(const MoveReplicasRequest& request, controller::Request& to) {
  controller::MoveReplicas& moves = *to.mutable_move_replicas();
  for (const MoveSpec& spec : request.moves) {
    controller::Move& move = *moves.add_moves();
    move.set_topic(spec.topic);
    move.set_partition(spec.partition);
    move.set_cancel(!spec.replicas.has_value());
    move.set_leadership_only(spec.leadership_only);
    if (!spec.replicas.has_value()) continue;
    for (NodeId node : *spec.replicas) move.add_replicas(node.value());
  }
}

MoveReplicasRequest Get(const controller::MoveReplicas& moves) {
  MoveReplicasRequest request;
  for (const controller::Move& move : moves.moves()) {
    MoveSpec& spec = request.moves.emplace_back();
    spec.topic = move.topic();
    spec.partition = move.partition();
    spec.leadership_only = move.leadership_only();
    if (move.cancel()) continue;
    spec.replicas.emplace();
    for (int32_t node : move.replicas()) spec.replicas->push_back(NodeId(node));
  }
  return request;
}

void Put(const MembersReachedRequest& request, controller::Request& to) {
  to.mutable_members_reached()->set_group(request.group.value());
  to.mutable_members_reached()->set_wish(static_cast<uint64_t>(request.wish.value()));
}

void Put(const UnregisterBrokerRequest& request, controller::Request& to) {
  to.mutable_unregister_broker()->set_node(request.node.value());
}

void Put(const AlterConfigsRequest& request, controller::Request& to) {
  controller::AlterConfigs& alter = *to.mutable_alter_configs();
  alter.set_validate_only(request.validate_only);
  for (const ConfigChange& from : request.changes) {
    controller::ConfigChange& change = *alter.add_changes();
    change.set_topic(from.topic);
    change.set_node(from.broker.value());
    change.set_group(from.group);
    change.set_client_metrics(from.client_metrics);
    change.set_replaces(from.replaces);
    for (const ConfigEdit& edit : from.edits) {
      controller::ConfigEdit& put = *change.add_edits();
      put.set_name(edit.name);
      put.set_op(static_cast<int32_t>(edit.op));
      put.set_value(edit.value);
    }
  }
}

absl::StatusOr<AlterConfigsRequest> Get(const controller::AlterConfigs& alter) {
  AlterConfigsRequest request{.validate_only = alter.validate_only()};
  for (const controller::ConfigChange& from : alter.changes()) {
    ConfigChange& change = request.changes.emplace_back();
    change.topic = from.topic();
    change.broker = NodeId(from.node());
    change.group = from.group();
    change.client_metrics = from.client_metrics();
    change.replaces = from.replaces();
    for (const controller::ConfigEdit& edit : from.edits()) {
      if (edit.op() < 0 || edit.op() > static_cast<int32_t>(ConfigOp::kSubtract)) {
        return MakeError(Errc::kInvalidRequest, "a change of a config of no known kind");
      }
      change.edits.push_back({edit.name(), static_cast<ConfigOp>(edit.op()), edit.value()});
    }
  }
  return request;
}

void Put(const CreatePartitionsRequest& request, controller::Request& to) {
  controller::CreatePartitions& create = *to.mutable_create_partitions();
  create.set_validate_only(request.validate_only);
  for (const MorePartitionsSpec& spec : request.topics) {
    controller::MorePartitions& more = *create.add_topics();
    more.set_topic(spec.topic);
    more.set_count(spec.count);
    more.set_chosen(spec.assignments.has_value());
    if (!spec.assignments.has_value()) continue;
    for (const std::vector<NodeId>& replicas : *spec.assignments) {
      controller::ReplicaList& list = *more.add_assignments();
      for (NodeId node : replicas) list.add_nodes(node.value());
    }
  }
}

CreatePartitionsRequest Get(const controller::CreatePartitions& create) {
  CreatePartitionsRequest request{.validate_only = create.validate_only()};
  for (const controller::MorePartitions& more : create.topics()) {
    MorePartitionsSpec& spec = request.topics.emplace_back();
    spec.topic = more.topic();
    spec.count = more.count();
    if (!more.chosen()) continue;
    spec.assignments.emplace();
    for (const controller::ReplicaList& list : more.assignments()) {
      std::vector<NodeId>& replicas = spec.assignments->emplace_back();
      for (int32_t node : list.nodes()) replicas.push_back(NodeId(node));
    }
  }
  return request;
}

using Outcomes = google::protobuf::RepeatedPtrField<controller::Outcome>;

Outcomes ToProto(const std::vector<absl::Status>& statuses) {
  Outcomes outcomes;
  for (const absl::Status& status : statuses) {
    controller::Outcome& outcome = *outcomes.Add();
    if (!status.ok()) *outcome.mutable_failure() = ToProto(status);
  }
  return outcomes;
}

std::vector<absl::Status> FromProto(const Outcomes& outcomes) {
  std::vector<absl::Status> statuses;
  for (const controller::Outcome& outcome : outcomes) {
    statuses.push_back(outcome.has_failure() ? FromProto(outcome.failure()) : absl::OkStatus());
  }
  return statuses;
}

void Put(const AlterConfigsReply& reply, controller::Reply& to) {
  *to.mutable_alter_configs()->mutable_changes() = ToProto(reply.statuses);
}

void Put(const CreatePartitionsReply& reply, controller::Reply& to) {
  *to.mutable_create_partitions()->mutable_topics() = ToProto(reply.statuses);
}

void Put(const AllocateProducerIdsRequest& request, controller::Request& to) {
  to.mutable_allocate_producer_ids()->set_count(request.count);
}

void Put(const AlterQuotasRequest& request, controller::Request& to) {
  controller::AlterQuotas& alter = *to.mutable_alter_quotas();
  alter.set_validate_only(request.validate_only);
  for (const QuotaChange& from : request.changes) {
    controller::QuotaChange& change = *alter.add_changes();
    for (const auto& [type, name] : from.entity) {
      metadata::QuotaEntity& entity = *change.add_entity();
      entity.set_type(type);
      if (name.has_value()) entity.set_name(*name);
    }
    for (const QuotaOp& op : from.ops) {
      controller::QuotaOp& put = *change.add_ops();
      put.set_key(op.key);
      if (op.value.has_value()) put.set_value(*op.value);
    }
  }
}

AlterQuotasRequest Get(const controller::AlterQuotas& alter) {
  AlterQuotasRequest request{.validate_only = alter.validate_only()};
  for (const controller::QuotaChange& from : alter.changes()) {
    QuotaChange& change = request.changes.emplace_back();
    for (const metadata::QuotaEntity& entity : from.entity()) {
      auto& [type, name] = change.entity.emplace_back();
      type = entity.type();
      if (entity.has_name()) name = entity.name();
    }
    for (const controller::QuotaOp& put : from.ops()) {
      QuotaOp& op = change.ops.emplace_back();
      op.key = put.key();
      if (put.has_value()) op.value = put.value();
    }
  }
  return request;
}

void Put(const UpdateFeaturesRequest& request, controller::Request& to) {
  controller::UpdateFeatures& update = *to.mutable_update_features();
  update.set_validate_only(request.validate_only);
  for (const FeatureUpdate& from : request.updates) {
    controller::FeatureUpdate& feature = *update.add_updates();
    feature.set_name(from.name);
    feature.set_level(from.level);
    feature.set_kind(static_cast<int32_t>(from.kind));
  }
}

absl::StatusOr<UpdateFeaturesRequest> Get(const controller::UpdateFeatures& update) {
  UpdateFeaturesRequest request{.validate_only = update.validate_only()};
  for (const controller::FeatureUpdate& from : update.updates()) {
    if (from.kind() < static_cast<int32_t>(FeatureUpdateKind::kUpgrade) ||
        from.kind() > static_cast<int32_t>(FeatureUpdateKind::kUnsafeDowngrade) ||
        from.level() != static_cast<int16_t>(from.level())) {
      return MakeError(Errc::kInvalidRequest, "an update of a feature of no known kind");
    }
    request.updates.push_back({from.name(), static_cast<int16_t>(from.level()),
                               static_cast<FeatureUpdateKind>(from.kind())});
  }
  return request;
}

void Put(const DescribeQuorumRequest&, controller::Request& to) { to.mutable_describe_quorum(); }

void Put(const AlterQuotasReply& reply, controller::Reply& to) {
  *to.mutable_alter_quotas()->mutable_changes() = ToProto(reply.statuses);
}

void Put(const UpdateFeaturesReply&, controller::Reply& to) { to.mutable_update_features(); }

void Put(const DescribeQuorumReply& reply, controller::Reply& to) {
  controller::DescribeQuorumReply& quorum = *to.mutable_describe_quorum();
  quorum.set_leader(reply.quorum.leader.value());
  quorum.set_term(reply.quorum.term.value());
  quorum.set_commit(static_cast<uint64_t>(reply.quorum.commit.value()));
  for (const QuorumMember& from : reply.quorum.members) {
    controller::QuorumMember& member = *quorum.add_members();
    member.set_node(from.node.value());
    member.set_incarnation(from.incarnation.value());
    member.set_votes(from.votes);
    member.set_last_index(static_cast<uint64_t>(from.last_index.value()));
    if (from.fetched_ms.has_value()) member.set_fetched_ms(*from.fetched_ms);
    if (from.caught_up_ms.has_value()) member.set_caught_up_ms(*from.caught_up_ms);
  }
}

DescribeQuorumReply Get(LogIndex index, const controller::DescribeQuorumReply& quorum) {
  DescribeQuorumReply reply{.index = index};
  reply.quorum.leader = NodeId(quorum.leader());
  reply.quorum.term = Term(quorum.term());
  reply.quorum.commit = LogIndex(static_cast<int64_t>(quorum.commit()));
  for (const controller::QuorumMember& from : quorum.members()) {
    QuorumMember& member = reply.quorum.members.emplace_back();
    member.node = NodeId(from.node());
    member.incarnation = Incarnation(from.incarnation());
    member.votes = from.votes();
    member.last_index = LogIndex(static_cast<int64_t>(from.last_index()));
    if (from.has_fetched_ms()) member.fetched_ms = from.fetched_ms();
    if (from.has_caught_up_ms()) member.caught_up_ms = from.caught_up_ms();
  }
  return reply;
}

controller::CreatedTopic ToProto(const CreatedTopic& topic) {
  controller::CreatedTopic proto;
  proto.set_name(topic.name);
  proto.set_id(std::string(topic.id.raw()));
  proto.set_num_partitions(topic.num_partitions);
  proto.set_replication_factor(topic.replication_factor);
  for (const EffectiveConfig& from : topic.configs) {
    controller::EffectiveConfig& to = *proto.add_configs();
    to.set_name(from.name);
    if (from.value.has_value()) to.set_value(*from.value);
    to.set_source(static_cast<int32_t>(from.source));
    to.set_read_only(from.read_only);
    to.set_sensitive(from.sensitive);
  }
  return proto;
}

absl::StatusOr<CreatedTopic> FromProto(const controller::CreatedTopic& proto) {
  CreatedTopic topic{.name = proto.name(),
                     .num_partitions = proto.num_partitions(),
                     .replication_factor = proto.replication_factor()};
  ASSIGN_OR_RETURN(topic.id, TopicIdFromProto(proto.id()));
  for (const controller::EffectiveConfig& from : proto.configs()) {
    EffectiveConfig& to = topic.configs.emplace_back();
    to.name = from.name();
    if (from.has_value()) to.value = from.value();
    to.source = static_cast<ConfigSource>(from.source());
    to.read_only = from.read_only();
    to.sensitive = from.sensitive();
  }
  return topic;
}

void Put(const CreateTopicsReply& reply, controller::Reply& to) {
  controller::CreateTopicsReply& create = *to.mutable_create_topics();
  for (const absl::StatusOr<CreatedTopic>& topic : reply.topics) {
    controller::CreateTopicsResult& result = *create.add_topics();
    if (topic.ok()) {
      *result.mutable_created() = ToProto(*topic);
    } else {
      *result.mutable_failure() = ToProto(topic.status());
    }
  }
}

void Put(const DeleteTopicsReply& reply, controller::Reply& to) {
  controller::DeleteTopicsReply& destroy = *to.mutable_delete_topics();
  for (const absl::Status& status : reply.statuses) {
    controller::DeleteTopicsResult& result = *destroy.add_topics();
    if (!status.ok()) *result.mutable_failure() = ToProto(status);
  }
}

void Put(const RegisterBrokerReply&, controller::Reply& to) { to.mutable_register_broker(); }

void Put(const MoveReplicasReply& reply, controller::Reply& to) {
  controller::MoveReplicasReply& moves = *to.mutable_move_replicas();
  for (const absl::Status& status : reply.statuses) {
    controller::MoveResult& result = *moves.add_moves();
    if (!status.ok()) *result.mutable_failure() = ToProto(status);
  }
}

MoveReplicasReply Get(LogIndex index, const controller::MoveReplicasReply& moves) {
  MoveReplicasReply reply{.index = index};
  for (const controller::MoveResult& result : moves.moves()) {
    reply.statuses.push_back(result.has_failure() ? FromProto(result.failure()) : absl::OkStatus());
  }
  return reply;
}

void Put(const MembersReachedReply&, controller::Reply& to) { to.mutable_members_reached(); }

void Put(const UnregisterBrokerReply&, controller::Reply& to) { to.mutable_unregister_broker(); }

void Put(const AllocateProducerIdsReply& reply, controller::Reply& to) {
  to.mutable_allocate_producer_ids()->set_first(static_cast<uint64_t>(reply.first));
}

CreateTopicsReply Get(LogIndex index, const controller::CreateTopicsReply& create) {
  CreateTopicsReply reply{.index = index};
  for (const controller::CreateTopicsResult& result : create.topics()) {
    if (result.has_created()) {
      reply.topics.push_back(FromProto(result.created()));
    } else {
      reply.topics.push_back(FromProto(result.failure()));
    }
  }
  return reply;
}

DeleteTopicsReply Get(LogIndex index, const controller::DeleteTopicsReply& destroy) {
  DeleteTopicsReply reply{.index = index};
  for (const controller::DeleteTopicsResult& result : destroy.topics()) {
    reply.statuses.push_back(result.has_failure() ? FromProto(result.failure()) : absl::OkStatus());
  }
  return reply;
}

}  // namespace

std::string EncodeControllerRequest(const ControllerRequest& request) {
  controller::Request proto;
  proto.set_format(kFormat);
  std::visit([&](const auto& kind) { Put(kind, proto); }, request);
  return proto.SerializeAsString();
}

absl::StatusOr<ControllerRequest> DecodeControllerRequest(std::string_view bytes) {
  controller::Request proto;
  const bool parsed = proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  RETURN_IF_ERROR(CheckEnvelope(parsed, proto.format()));
  switch (proto.request_case()) {
    case controller::Request::kCreateTopics:
      return Get(proto.create_topics());
    case controller::Request::kDeleteTopics:
      return Get(proto.delete_topics());
    case controller::Request::kRegisterBroker: {
      ASSIGN_OR_RETURN(BrokerImage broker, FromProto(proto.register_broker().broker()));
      return RegisterBrokerRequest{.cluster_id = proto.register_broker().cluster_id(),
                                   .broker = std::move(broker)};
    }
    case controller::Request::kMoveReplicas:
      return Get(proto.move_replicas());
    case controller::Request::kMembersReached:
      return MembersReachedRequest{
          .group = GroupId(proto.members_reached().group()),
          .wish = LogIndex(static_cast<int64_t>(proto.members_reached().wish()))};
    case controller::Request::kUnregisterBroker:
      return UnregisterBrokerRequest{.node = NodeId(proto.unregister_broker().node())};
    case controller::Request::kAlterConfigs:
      return Get(proto.alter_configs());
    case controller::Request::kCreatePartitions:
      return Get(proto.create_partitions());
    case controller::Request::kAllocateProducerIds:
      return AllocateProducerIdsRequest{.count = proto.allocate_producer_ids().count()};
    case controller::Request::kAlterQuotas:
      return Get(proto.alter_quotas());
    case controller::Request::kUpdateFeatures:
      return Get(proto.update_features());
    case controller::Request::kDescribeQuorum:
      return DescribeQuorumRequest{};
    case controller::Request::REQUEST_NOT_SET:
      break;
  }
  return Empty();
}

std::string EncodeControllerReply(const absl::StatusOr<ControllerReply>& reply) {
  controller::Reply proto;
  proto.set_format(kFormat);
  if (reply.ok()) {
    std::visit(
        [&](const auto& kind) {
          proto.set_index(kind.index.value());
          Put(kind, proto);
        },
        *reply);
  } else {
    *proto.mutable_failure() = ToProto(reply.status());
  }
  return proto.SerializeAsString();
}

absl::StatusOr<ControllerReply> DecodeControllerReply(std::string_view bytes) {
  controller::Reply proto;
  const bool parsed = proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  RETURN_IF_ERROR(CheckEnvelope(parsed, proto.format()));
  if (proto.has_failure()) return FromProto(proto.failure());
  const LogIndex index(static_cast<int64_t>(proto.index()));
  switch (proto.reply_case()) {
    case controller::Reply::kCreateTopics:
      return Get(index, proto.create_topics());
    case controller::Reply::kDeleteTopics:
      return Get(index, proto.delete_topics());
    case controller::Reply::kRegisterBroker:
      return RegisterBrokerReply{.index = index};
    case controller::Reply::kMoveReplicas:
      return Get(index, proto.move_replicas());
    case controller::Reply::kMembersReached:
      return MembersReachedReply{.index = index};
    case controller::Reply::kUnregisterBroker:
      return UnregisterBrokerReply{.index = index};
    case controller::Reply::kAlterConfigs:
      return AlterConfigsReply{.index = index,
                               .statuses = FromProto(proto.alter_configs().changes())};
    case controller::Reply::kCreatePartitions:
      return CreatePartitionsReply{.index = index,
                                   .statuses = FromProto(proto.create_partitions().topics())};
    case controller::Reply::kAllocateProducerIds:
      return AllocateProducerIdsReply{
          .index = index, .first = static_cast<int64_t>(proto.allocate_producer_ids().first())};
    case controller::Reply::kAlterQuotas:
      return AlterQuotasReply{.index = index,
                              .statuses = FromProto(proto.alter_quotas().changes())};
    case controller::Reply::kUpdateFeatures:
      return UpdateFeaturesReply{.index = index};
    case controller::Reply::kDescribeQuorum:
      return Get(index, proto.describe_quorum());
    case controller::Reply::REPLY_NOT_SET:
      break;
  }
  return Empty();
}

}  // namespace garam
