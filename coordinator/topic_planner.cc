// PlanCreateTopics: Kafka's checks, in Kafka's order and words, then the placement.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_codec.h"
#include "coordinator/new_partitions.h"
#include "coordinator/placement.h"
#include "proto/metadata.pb.h"

namespace garam {
namespace {

constexpr char kMetadataTopic[] = "__cluster_metadata";
constexpr int32_t kUnsetReplicationFactor = 3;  // D4, where there are as many brokers.

using Replicas = std::vector<std::vector<NodeId>>;  // Of each partition.

class TopicPlanner {
 public:
  TopicPlanner(std::shared_ptr<const MetadataImage> image, const std::set<NodeId>& live,
               const ControllerDefaults& defaults, bool validate_only, Random& random)
      : image_(std::move(image)),
        live_(live),
        defaults_(defaults),
        validate_only_(validate_only),
        random_(random),
        placement_(*image_, live, random) {}

  absl::StatusOr<PlannedTopic> Plan(const TopicSpec& spec);
  std::shared_ptr<const MetadataImage> image() const { return image_; }

 private:
  absl::Status CheckName(const std::string& name) const;
  static absl::StatusOr<std::map<std::string, std::string>> Configs(const TopicSpec& spec);
  absl::StatusOr<Replicas> Assign(const TopicSpec& spec);
  absl::StatusOr<Replicas> CheckManual(const TopicSpec& spec) const;
  absl::StatusOr<Replicas> Place(const TopicSpec& spec);
  absl::Status CheckLimits(int64_t partitions) const;
  absl::StatusOr<std::string> Command(const TopicImage& topic);

  std::shared_ptr<const MetadataImage> image_;
  const std::set<NodeId>& live_;
  const ControllerDefaults& defaults_;
  const bool validate_only_;
  Random& random_;
  Placement placement_;
  int64_t planned_partitions_ = 0;
};

absl::StatusOr<PlannedTopic> TopicPlanner::Plan(const TopicSpec& spec) {
  RETURN_IF_ERROR(CheckName(spec.name));
  ASSIGN_OR_RETURN(auto configs, Configs(spec));
  PlannedTopic planned;
  if (defaults_.check_configs) {
    ASSIGN_OR_RETURN(planned.topic.configs, defaults_.check_configs(configs));
  }
  ASSIGN_OR_RETURN(const Replicas replicas, Assign(spec));

  TopicImage topic{.name = spec.name, .configs = std::move(configs)};
  GroupId group = image_->next_group();
  for (const std::vector<NodeId>& nodes : replicas) {
    PartitionImage& partition = topic.partitions.emplace_back();
    partition.group = group;
    ++group;
    for (NodeId node : nodes) {
      partition.replicas.push_back(
          {.node = node, .incarnation = image_->FindBroker(node)->incarnation});
    }
  }
  planned.topic.name = spec.name;
  planned.topic.num_partitions = static_cast<int32_t>(replicas.size());
  planned.topic.replication_factor = static_cast<int32_t>(replicas.front().size());
  if (planned.topic.replication_factor == 2) {
    planned.warning = absl::StrCat("topic ", spec.name,
                                   " has 2 replicas: it stops when either broker does; 3 replicas "
                                   "survive the loss of one");
  }
  planned_partitions_ += planned.topic.num_partitions;
  if (validate_only_) return planned;
  topic.id = TopicId::Generate(random_);
  planned.topic.id = topic.id;
  ASSIGN_OR_RETURN(planned.command, Command(topic));
  return planned;
}

absl::StatusOr<std::string> TopicPlanner::Command(const TopicImage& topic) {
  metadata::Command command = NewCommand();
  *command.mutable_create_topic() = ToProto(topic);
  ASSIGN_OR_RETURN(MetadataImage::Applied applied, image_->Apply(image_->applied_index(), command));
  RETURN_IF_ERROR(applied.outcome);
  image_ = std::move(applied.image);
  return command.SerializeAsString();
}

absl::Status TopicPlanner::CheckName(const std::string& name) const {
  RETURN_IF_ERROR(CheckTopicName(name));
  if (name == kMetadataTopic) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("Creation of internal topic ", name, " is prohibited."));
  }
  if (image_->FindTopic(name) != nullptr) {
    return MakeError(Errc::kTopicExists, absl::StrCat("Topic '", name, "' already exists."));
  }
  if (const auto other = image_->FindColliding(name); other != nullptr) {
    return MakeError(
        Errc::kInvalidTopicName,
        absl::StrCat("Topic '", name, "' collides with existing topic: ", other->name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> TopicPlanner::Configs(const TopicSpec& spec) {
  std::map<std::string, std::string> configs;
  std::vector<std::string> without_value;
  for (const ConfigEntry& entry : spec.configs) {
    if (entry.value.has_value()) {
      configs[entry.name] = *entry.value;
    } else {
      without_value.push_back(entry.name);
    }
  }
  if (without_value.empty()) return configs;
  return MakeError(Errc::kInvalidConfig,
                   absl::StrCat("Null value not supported for topic configs: ",
                                absl::StrJoin(without_value, ",")));
}

absl::StatusOr<Replicas> TopicPlanner::Assign(const TopicSpec& spec) {
  if (spec.assignments.empty()) return Place(spec);
  ASSIGN_OR_RETURN(Replicas replicas, CheckManual(spec));
  placement_.Count(replicas);
  return replicas;
}

absl::StatusOr<Replicas> TopicPlanner::CheckManual(const TopicSpec& spec) const {
  if (spec.replication_factor != -1) {
    return MakeError(Errc::kInvalidRequest,
                     "A manual partition assignment was specified, but replication factor was not "
                     "set to -1.");
  }
  if (spec.num_partitions != -1) {
    return MakeError(Errc::kInvalidRequest,
                     "A manual partition assignment was specified, but numPartitions was not set "
                     "to -1.");
  }
  RETURN_IF_ERROR(CheckLimits(static_cast<int64_t>(spec.assignments.size())));
  std::map<int32_t, std::vector<NodeId>> by_partition;
  for (const ManualAssignment& assignment : spec.assignments) {
    RETURN_IF_ERROR(CheckManualReplicas(*image_, live_, assignment.partition, assignment.replicas));
    if (!by_partition.emplace(assignment.partition, assignment.replicas).second) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       absl::StrCat("Found multiple manual partition assignments for partition ",
                                    assignment.partition));
    }
  }
  Replicas replicas;
  for (auto& [partition, nodes] : by_partition) {
    if (partition != static_cast<int32_t>(replicas.size())) {
      return MakeError(Errc::kInvalidReplicaAssignment,
                       "partitions should be a consecutive 0-based integer sequence");
    }
    if (!replicas.empty()) {
      RETURN_IF_ERROR(CheckSameFactor(nodes.size(), replicas.front().size()));
    }
    replicas.push_back(std::move(nodes));
  }
  return replicas;
}

absl::StatusOr<Replicas> TopicPlanner::Place(const TopicSpec& spec) {
  if (spec.replication_factor < -1 || spec.replication_factor == 0) {
    return MakeError(Errc::kInvalidReplicationFactor,
                     "Replication factor must be larger than 0, or -1 to use the default value.");
  }
  if (spec.num_partitions < -1 || spec.num_partitions == 0) {
    return MakeError(Errc::kInvalidPartitions,
                     "Number of partitions was set to an invalid non-positive value.");
  }
  const int32_t partitions =
      spec.num_partitions == -1 ? defaults_.num_partitions : spec.num_partitions;
  RETURN_IF_ERROR(CheckLimits(partitions));
  const auto brokers = static_cast<int32_t>(placement_.broker_count());
  int32_t replicas = spec.replication_factor;
  if (replicas == -1) {
    // A cluster that has just formed counts those of its voters that have yet to register: a topic
    // made in its first moments must not stay with one replica. At least 1, so that a cluster
    // without brokers gets the message below.
    const auto formed = static_cast<int32_t>(image_->voters().size());
    replicas = defaults_.replication_factor.value_or(
        std::clamp(std::max(brokers, formed), 1, kUnsetReplicationFactor));
  }
  const auto unable = [&](std::string_view why) {
    return MakeError(Errc::kInvalidReplicationFactor,
                     absl::StrCat("Unable to replicate the partition ", replicas,
                                  " time(s): ", std::string(why)));
  };
  if (replicas > brokers) {
    return unable(absl::StrCat("The target replication factor of ", replicas,
                               " cannot be reached because only ", brokers,
                               " broker(s) are registered."));
  }
  if (std::none_of(live_.begin(), live_.end(),
                   [&](NodeId node) { return image_->FindBroker(node) != nullptr; })) {
    return unable("All brokers are currently fenced.");
  }
  return placement_.Place(partitions, replicas);
}

absl::Status TopicPlanner::CheckLimits(int64_t partitions) const {
  return CheckPartitionLimits(*image_, defaults_, planned_partitions_, partitions);
}

}  // namespace

CreateTopicsPlan PlanCreateTopics(const std::shared_ptr<const MetadataImage>& image,
                                  const std::set<NodeId>& live, const ControllerDefaults& defaults,
                                  const std::vector<TopicSpec>& specs, bool validate_only,
                                  Random& random) {
  std::map<std::string, int> times;
  for (const TopicSpec& spec : specs) ++times[spec.name];
  TopicPlanner planner(image, live, defaults, validate_only, random);
  CreateTopicsPlan plan;
  plan.topics.reserve(specs.size());
  for (const TopicSpec& spec : specs) {
    if (times[spec.name] > 1) {
      plan.topics.push_back(MakeError(Errc::kInvalidRequest, "Duplicate topic name."));
    } else {
      plan.topics.push_back(planner.Plan(spec));
    }
  }
  plan.after = planner.image();
  return plan;
}

}  // namespace garam
