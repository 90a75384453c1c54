#include "coordinator/metadata_codec.h"

#include <limits>
#include <utility>

#include "common/status.h"

namespace garam {
namespace {

absl::StatusOr<uint16_t> Port(uint32_t port) {
  if (port > std::numeric_limits<uint16_t>::max()) {
    return MakeError(Errc::kCorruptRecord, "a port above 65535 in the metadata");
  }
  return static_cast<uint16_t>(port);
}

}  // namespace

metadata::Voter ToProto(const FormationVoter& voter) {
  metadata::Voter proto;
  proto.set_node(voter.node.value());
  proto.set_incarnation(voter.incarnation.value());
  proto.set_control_address(voter.control_address);
  return proto;
}

FormationVoter FromProto(const metadata::Voter& voter) {
  return {.node = NodeId(voter.node()),
          .incarnation = Incarnation(voter.incarnation()),
          .control_address = voter.control_address()};
}

metadata::RegisterBroker ToProto(const BrokerImage& broker) {
  metadata::RegisterBroker proto;
  proto.set_node(broker.node.value());
  proto.set_incarnation(broker.incarnation.value());
  for (const BrokerEndpoint& endpoint : broker.endpoints) {
    metadata::Endpoint& to = *proto.add_endpoints();
    to.set_listener(endpoint.listener);
    to.set_host(endpoint.host);
    to.set_port(endpoint.port);
  }
  if (broker.rack.has_value()) proto.set_rack(*broker.rack);
  proto.set_control_address(broker.control_address);
  proto.set_stream_port(broker.stream_port);
  proto.set_format_min(broker.format_min);
  proto.set_format_max(broker.format_max);
  return proto;
}

absl::StatusOr<BrokerImage> FromProto(const metadata::RegisterBroker& broker) {
  BrokerImage image{.node = NodeId(broker.node()),
                    .incarnation = Incarnation(broker.incarnation()),
                    .control_address = broker.control_address(),
                    .format_min = broker.format_min(),
                    .format_max = broker.format_max()};
  for (const metadata::Endpoint& from : broker.endpoints()) {
    ASSIGN_OR_RETURN(const uint16_t port, Port(from.port()));
    image.endpoints.push_back({.listener = from.listener(), .host = from.host(), .port = port});
  }
  if (image.endpoints.empty()) {
    return MakeError(Errc::kCorruptRecord, "a broker without endpoints in the metadata");
  }
  if (broker.has_rack()) image.rack = broker.rack();
  ASSIGN_OR_RETURN(image.stream_port, Port(broker.stream_port()));
  return image;
}

ReplicaList ToProto(const std::vector<ReplicaImage>& replicas) {
  ReplicaList proto;
  for (const ReplicaImage& replica : replicas) {
    metadata::Replica& to = *proto.Add();
    to.set_node(replica.node.value());
    to.set_incarnation(replica.incarnation.value());
    to.set_since(static_cast<uint64_t>(replica.since.value()));
  }
  return proto;
}

std::vector<ReplicaImage> FromProto(const ReplicaList& replicas) {
  std::vector<ReplicaImage> images;
  images.reserve(static_cast<size_t>(replicas.size()));
  for (const metadata::Replica& replica : replicas) {
    images.push_back({.node = NodeId(replica.node()),
                      .incarnation = Incarnation(replica.incarnation()),
                      .since = LogIndex(static_cast<int64_t>(replica.since()))});
  }
  return images;
}

PartitionList ToProto(const std::vector<PartitionImage>& partitions) {
  PartitionList proto;
  for (const PartitionImage& partition : partitions) {
    metadata::Partition& to = *proto.Add();
    to.set_group(partition.group.value());
    *to.mutable_replicas() = ToProto(partition.replicas);
    *to.mutable_target() = ToProto(partition.target);
    *to.mutable_founders() = ToProto(partition.founders);
    *to.mutable_leaving() = ToProto(partition.leaving);
    to.set_wish(static_cast<uint64_t>(partition.wish.value()));
  }
  return proto;
}

std::vector<PartitionImage> FromProto(const PartitionList& partitions) {
  std::vector<PartitionImage> images;
  images.reserve(static_cast<size_t>(partitions.size()));
  for (const metadata::Partition& from : partitions) {
    PartitionImage& partition = images.emplace_back();
    partition.group = GroupId(from.group());
    partition.replicas = FromProto(from.replicas());
    partition.target = FromProto(from.target());
    partition.founders = FromProto(from.founders());
    partition.leaving = FromProto(from.leaving());
    partition.wish = LogIndex(static_cast<int64_t>(from.wish()));
  }
  return images;
}

ConfigRows ToProto(const std::map<std::string, std::string>& configs) {
  ConfigRows proto;
  for (const auto& [name, value] : configs) {
    metadata::Config& to = *proto.Add();
    to.set_name(name);
    to.set_value(value);
  }
  return proto;
}

std::map<std::string, std::string> FromProto(const ConfigRows& configs) {
  std::map<std::string, std::string> map;
  for (const metadata::Config& config : configs) map[config.name()] = config.value();
  return map;
}

metadata::SetClientQuotas ToProto(const QuotaEntity& entity, const QuotaValues& values) {
  metadata::SetClientQuotas proto;
  for (const auto& [type, name] : entity) {
    metadata::QuotaEntity& to = *proto.add_entity();
    to.set_type(type);
    if (name.has_value()) to.set_name(*name);
  }
  for (const auto& [key, value] : values) {
    metadata::QuotaValue& to = *proto.add_values();
    to.set_key(key);
    to.set_value(value);
  }
  return proto;
}

QuotaEntity EntityFromProto(const metadata::SetClientQuotas& quotas) {
  QuotaEntity entity;
  for (const metadata::QuotaEntity& from : quotas.entity()) {
    std::optional<std::string>& name = entity[from.type()];
    if (from.has_name()) name = from.name();
  }
  return entity;
}

QuotaValues ValuesFromProto(const metadata::SetClientQuotas& quotas) {
  QuotaValues values;
  for (const metadata::QuotaValue& from : quotas.values()) values[from.key()] = from.value();
  return values;
}

metadata::SetResourceConfigs ToProto(ConfiguredKind kind, const std::string& name,
                                     const ConfigMap& configs) {
  metadata::SetResourceConfigs proto;
  proto.set_kind(static_cast<int32_t>(kind));
  proto.set_name(name);
  *proto.mutable_configs() = ToProto(configs);
  return proto;
}

metadata::CreateTopic ToProto(const TopicImage& topic) {
  metadata::CreateTopic proto;
  proto.set_name(topic.name);
  proto.set_id(std::string(topic.id.raw()));
  *proto.mutable_partitions() = ToProto(topic.partitions);
  *proto.mutable_configs() = ToProto(topic.configs);
  return proto;
}

absl::StatusOr<TopicImage> FromProto(const metadata::CreateTopic& topic) {
  TopicImage image{.name = topic.name()};
  ASSIGN_OR_RETURN(image.id, TopicIdFromProto(topic.id()));
  image.partitions = FromProto(topic.partitions());
  image.configs = FromProto(topic.configs());
  return image;
}

absl::StatusOr<TopicId> TopicIdFromProto(const std::string& raw) {
  if (raw.size() != TopicId{}.bytes.size()) {
    return MakeError(Errc::kCorruptRecord, "a topic id that is not 16 bytes in the metadata");
  }
  return TopicId::FromRaw(raw);
}

metadata::Command NewCommand() {
  metadata::Command command;
  command.set_format(kMetadataFormatMax);
  return command;
}

}  // namespace garam
