// What the controller (the leader of group 0) decides. Pure: an image, who is alive, a request and
// randomness go in; commands for group 0's log and answers come out.
//
// Plan on the image that has every command of yours applied, also those that are not committed
// yet; PlanCreateTopics returns the image with its own commands applied for that reason.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/random.h"
#include "common/uuid.h"
#include "coordinator/formation_types.h"
#include "coordinator/metadata_image.h"

namespace garam {

// One replica assignment that a client chose itself.
struct ManualAssignment {
  int32_t partition = 0;
  std::vector<NodeId> replicas{};
  friend bool operator==(const ManualAssignment&, const ManualAssignment&) = default;
};

struct ConfigEntry {
  std::string name{};
  std::optional<std::string> value{};
  friend bool operator==(const ConfigEntry&, const ConfigEntry&) = default;
};

// A topic that somebody wants created.
struct TopicSpec {
  std::string name{};
  int32_t num_partitions = -1;      // -1: the broker's num.partitions.
  int32_t replication_factor = -1;  // -1: default.replication.factor, or min(3, brokers).
  std::vector<ManualAssignment> assignments{};  // Not empty: the two above must be -1.
  std::vector<ConfigEntry> configs{};
  friend bool operator==(const TopicSpec&, const TopicSpec&) = default;
};

// Where a config's value comes from; the numbers are Kafka's.
enum class ConfigSource : int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kClientMetrics = 7,
  kGroup = 8,
};

enum class ConfigScope { kTopic, kBroker, kGroup, kClientMetrics };

struct EffectiveConfig {
  std::string name{};
  std::optional<std::string> value{};
  ConfigSource source = ConfigSource::kDefault;
  bool read_only = false;
  bool sensitive = false;
  friend bool operator==(const EffectiveConfig&, const EffectiveConfig&) = default;
};

struct CreatedTopic {
  std::string name{};
  TopicId id{};  // Zero after validate_only.
  int32_t num_partitions = 0;
  int32_t replication_factor = 0;
  std::vector<EffectiveConfig> configs{};  // All of them, by name.
  friend bool operator==(const CreatedTopic&, const CreatedTopic&) = default;
};

// What the controller takes from its own configuration.
struct ControllerDefaults {
  int32_t num_partitions = 1;
  std::optional<int32_t> replication_factor{};  // Unset: min(3, brokers) (D4).
  int32_t internal_replication_factor = 3;  // Of internal topics, once there are so many brokers.
  int32_t partitions_per_request_max = 10000;
  int64_t partitions_per_cluster_max = 200000;
  bool delete_topic_enable = true;
  // Validates a topic's own configs and returns the full effective list; kInvalidConfig naming the
  // key. Unset: any config is taken.
  std::function<absl::StatusOr<std::vector<EffectiveConfig>>(
      const std::map<std::string, std::string>& configs)>
      check_configs;
  // Validates all that is to be set for a broker while it runs. Unset: anything is taken.
  std::function<absl::Status(const std::map<std::string, std::string>& configs)>
      check_broker_configs;
  // Validates all that is to be set for a group, or for a subscription to the metrics of clients.
  // Unset: anything is taken.
  std::function<absl::Status(ConfiguredKind kind, const ConfigMap& configs)> check_resource_configs;
  // What a key that is a list holds where nothing is set; nothing when it is no list. Unset: none
  // is.
  std::function<std::optional<std::string>(ConfigScope scope, const std::string& key)> list_default;
};

struct PlannedTopic {
  CreatedTopic topic{};
  std::string command{};  // For group 0's log; empty when only validated.
  std::string warning{};  // One line for the log; empty when all is well.
};

struct CreateTopicsPlan {
  std::vector<absl::StatusOr<PlannedTopic>> topics{};  // One for each spec, in order.
  // The image once these commands are applied.
  std::shared_ptr<const MetadataImage> after{};
};

CreateTopicsPlan PlanCreateTopics(const std::shared_ptr<const MetadataImage>& image,
                                  const std::set<NodeId>& live, const ControllerDefaults& defaults,
                                  const std::vector<TopicSpec>& specs, bool validate_only,
                                  Random& random);

// The command for each topic. kUnknownTopicId when the image has none, kInvalidRequest when the
// request names it twice, kTopicDeletionDisabled.
std::vector<absl::StatusOr<std::string>> PlanDeleteTopics(const MetadataImage& image,
                                                          const ControllerDefaults& defaults,
                                                          const std::vector<TopicId>& topics);

// The command that registers `broker`; empty when the image has it already, exactly so. Refused for
// good: kInconsistentClusterId, kInvalidRequest when the id belongs to another incarnation (D18),
// kUnsupportedVersion when the broker does not understand the cluster's format.
absl::StatusOr<std::string> PlanRegisterBroker(const MetadataImage& image,
                                               const std::set<NodeId>& live,
                                               const std::string& cluster_id,
                                               const BrokerImage& broker);

// The command that takes a broker out of the cluster. What a dead one had stays assigned to it, as
// in Kafka, and is offline. kBrokerIdNotRegistered; kInvalidRequest for the last broker, and for
// one that is alive and has replicas: it would go on serving them unseen.
absl::StatusOr<std::string> PlanUnregisterBroker(const MetadataImage& image,
                                                 const std::set<NodeId>& live, NodeId node);

// The command that gives somebody the next `count` producer ids, which begin at
// image.next_producer_id(). kInvalidRequest for none, or too many at once.
absl::StatusOr<std::string> PlanProducerIds(uint32_t count);

// The first command of a cluster (D19).
std::string FormClusterCommand(const FormationProposal& proposal);

// The rules of a topic's name: 1 to 249 characters of [a-zA-Z0-9._-], neither "." nor "..".
// kInvalidTopicName.
absl::Status CheckTopicName(std::string_view name);

}  // namespace garam
