// Between the parts of a metadata image and their protocol buffers.
//
// Threads: any. Decoding fails with kCorruptRecord on what no encoder writes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/uuid.h"
#include "coordinator/formation_types.h"
#include "coordinator/metadata_image.h"
#include "proto/metadata.pb.h"

namespace garam {

metadata::Voter ToProto(const FormationVoter& voter);
FormationVoter FromProto(const metadata::Voter& voter);

metadata::RegisterBroker ToProto(const BrokerImage& broker);
absl::StatusOr<BrokerImage> FromProto(const metadata::RegisterBroker& broker);

using ReplicaList = google::protobuf::RepeatedPtrField<metadata::Replica>;
ReplicaList ToProto(const std::vector<ReplicaImage>& replicas);
std::vector<ReplicaImage> FromProto(const ReplicaList& replicas);

using PartitionList = google::protobuf::RepeatedPtrField<metadata::Partition>;
PartitionList ToProto(const std::vector<PartitionImage>& partitions);
std::vector<PartitionImage> FromProto(const PartitionList& partitions);

using ConfigRows = google::protobuf::RepeatedPtrField<metadata::Config>;
ConfigRows ToProto(const std::map<std::string, std::string>& configs);
std::map<std::string, std::string> FromProto(const ConfigRows& configs);

metadata::SetClientQuotas ToProto(const QuotaEntity& entity, const QuotaValues& values);
QuotaEntity EntityFromProto(const metadata::SetClientQuotas& quotas);
QuotaValues ValuesFromProto(const metadata::SetClientQuotas& quotas);

metadata::SetResourceConfigs ToProto(ConfiguredKind kind, const std::string& name,
                                     const ConfigMap& configs);

metadata::CreateTopic ToProto(const TopicImage& topic);
absl::StatusOr<TopicImage> FromProto(const metadata::CreateTopic& topic);

absl::StatusOr<TopicId> TopicIdFromProto(const std::string& raw);

// A command with its format version set.
metadata::Command NewCommand();

}  // namespace garam
