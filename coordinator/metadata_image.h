// The cluster's metadata (group 0) after some committed command: brokers, topics, partitions and
// their Raft groups. Partition leaders and ISR are not in it.
//
// An image never changes: applying a command makes a new one that shares all but O(log n) of the
// old. Applying is deterministic: equal images and equal commands give equal images everywhere.
//
// Threads:   any; images are shared by shared_ptr.
// Ownership: pointers and references into an image live as long as the image does.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/uuid.h"
#include "coordinator/formation_types.h"
#include "coordinator/persistent_map.h"

namespace garam::metadata {
class Command;  // proto/metadata.proto
class AddPartitions;
class AlterTopic;
class ChangeReplicas;
class CreateTopic;
class FormCluster;
class RegisterBroker;
class ReplaceVoter;
class SetBrokerConfigs;
class SetClientQuotas;
class SetFeatureLevels;
class SetResourceConfigs;
}  // namespace garam::metadata

namespace garam {

// The range of metadata command formats that this build understands (D7).
inline constexpr uint32_t kMetadataFormatMin = 1;
inline constexpr uint32_t kMetadataFormatMax = 1;

// Where a broker's Kafka listener can be reached by clients.
struct BrokerEndpoint {
  std::string listener{};
  std::string host{};
  uint16_t port = 0;
  friend bool operator==(const BrokerEndpoint&, const BrokerEndpoint&) = default;
};

struct BrokerImage {
  NodeId node{};
  Incarnation incarnation{};
  std::vector<BrokerEndpoint> endpoints{};  // Never empty.
  std::optional<std::string> rack{};
  std::string control_address{};  // host:port of the gRPC plane.
  uint16_t stream_port = 0;
  uint32_t format_min = kMetadataFormatMin;
  uint32_t format_max = kMetadataFormatMax;

  // Where a client that came in by `listener` finds this broker: the endpoint of that name, or the
  // first one.
  const BrokerEndpoint& EndpointFor(std::string_view listener) const;

  friend bool operator==(const BrokerImage&, const BrokerImage&) = default;
};

struct ReplicaImage {
  NodeId node{};
  Incarnation incarnation;  // Who may start as a voter of this replica (D18).
  // Of the command that brought it in, 0 when it was made with the group: a replica that has left
  // and comes back is another one, and knows nothing of the group.
  LogIndex since{};
  friend bool operator==(const ReplicaImage&, const ReplicaImage&) = default;
};

struct PartitionImage {
  GroupId group{};
  std::vector<ReplicaImage> replicas{};  // The first one is the preferred leader.
  std::vector<ReplicaImage> target{};    // Where it is being moved; empty: nowhere.
  LogIndex wish{};                       // Of the command that said so: later ones are larger.
  // Were a target that has been given up. The group may have them still, so they stay until it is
  // known not to.
  std::vector<ReplicaImage> leaving{};
  // Who the group was made with, and may start it without being told by a leader (D18); empty:
  // `replicas` still are.
  std::vector<ReplicaImage> founders{};

  // Where it is, or will be once it is there.
  const std::vector<ReplicaImage>& destination() const {
    return target.empty() ? replicas : target;
  }
  // The replica that this incarnation of the node keeps, or is to; null when there is none.
  const ReplicaImage* Find(NodeId node, Incarnation incarnation) const;
  friend bool operator==(const PartitionImage&, const PartitionImage&) = default;
};

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";
// That and __transaction_state.
bool IsInternalTopic(std::string_view name);

struct TopicImage {
  std::string name{};
  TopicId id{};
  std::vector<PartitionImage> partitions{};
  std::map<std::string, std::string> configs{};  // Its own; defaults are not in it.

  bool internal() const { return IsInternalTopic(name); }
  // Null when there is none of this number.
  const PartitionImage* Find(int32_t partition) const;
  friend bool operator==(const TopicImage&, const TopicImage&) = default;
};

// Which partition a Raft group is.
struct GroupPlace {
  std::shared_ptr<const TopicImage> topic{};
  int32_t partition = 0;

  const PartitionImage& image() const { return *topic->Find(partition); }
};

// What has configs besides topics and brokers. The numbers are on disk.
enum class ConfiguredKind : int32_t { kGroup = 1, kClientMetrics = 2 };

using ConfigMap = std::map<std::string, std::string>;

// Whom a quota is for: a name by type ("user", "client-id", "ip"); no name: whoever has none of its
// own.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;
using QuotaValues = std::map<std::string, double>;
using QuotaTable = std::map<QuotaEntity, QuotaValues>;

class MetadataImage {
 public:
  // What one committed command did.
  struct Applied {
    std::shared_ptr<const MetadataImage> image{};  // Never null; has the command's index.
    // Why the command changed nothing; the same on every broker.
    absl::Status outcome{};
    // Created, deleted, altered, or with replicas elsewhere.
    std::vector<TopicId> changed_topics{};
    bool brokers_changed = false;
    bool broker_configs_changed = false;
    bool client_quotas_changed = false;
  };

  // Before the first command.
  static std::shared_ptr<const MetadataImage> Empty();

  // Applies a committed command. Fails only when the command cannot be understood: of a newer
  // format (kUnsupportedVersion) or damaged; then this broker must not go on.
  absl::StatusOr<Applied> Apply(LogIndex index, const metadata::Command& command) const;
  // The same from the command's bytes in the log.
  absl::StatusOr<Applied> ApplyBytes(LogIndex index, std::string_view command) const;
  // This image as of `index`, for entries of the log that are not commands.
  std::shared_ptr<const MetadataImage> At(LogIndex index) const;

  // A versioned blob, and the image it holds. Decoding fails on damage and on a newer format.
  std::string EncodeSnapshot() const;
  static absl::StatusOr<std::shared_ptr<const MetadataImage>> DecodeSnapshot(std::string_view blob);

  LogIndex applied_index() const { return applied_index_; }
  // Empty until the cluster's first command.
  const std::string& cluster_id() const { return cluster_id_; }
  // Who is to vote in group 0 (D20): as formed, less those that have been unregistered or dead for
  // long, and as many others as it takes for three, or five from five brokers on. Every other
  // broker learns.
  const std::vector<FormationVoter>& voters() const { return voters_; }
  // Of the command that last changed who belongs to group 0.
  LogIndex members_index() const { return members_index_; }
  // The group id that the next partition gets; group ids are never used again (D12).
  GroupId next_group() const { return next_group_; }
  // The producer id that is given out next; none is ever given out twice.
  int64_t next_producer_id() const { return next_producer_id_; }

  const std::map<NodeId, std::shared_ptr<const BrokerImage>>& brokers() const { return brokers_; }
  // Null when there is none.
  const BrokerImage* FindBroker(NodeId node) const;

  // What is set for a broker while it runs, by the broker's key; kNoNode: for every broker.
  const std::map<std::string, std::string>& BrokerConfigs(NodeId node) const;

  // What is set of the configs of a group, or of a subscription to the metrics of clients; and the
  // names of those that have any set, in order.
  const ConfigMap& ConfigsOf(ConfiguredKind kind, std::string_view name) const;
  std::vector<std::string> NamesOf(ConfiguredKind kind) const;

  // Never null; nobody in it has no quota at all.
  const std::shared_ptr<const QuotaTable>& client_quotas() const { return client_quotas_; }
  // Levels that have been set; coordinator/features.h says what holds for the others.
  const std::map<std::string, int16_t>& feature_levels() const { return feature_levels_; }

  size_t topic_count() const { return topics_by_name_.size(); }
  size_t partition_count() const { return groups_.size(); }
  // Null when there is none.
  std::shared_ptr<const TopicImage> FindTopic(std::string_view name) const;
  std::shared_ptr<const TopicImage> FindTopic(const TopicId& id) const;
  const GroupPlace* FindGroup(GroupId group) const;
  // A topic whose name equals `name` when every '.' is read as '_'; null when there is none.
  std::shared_ptr<const TopicImage> FindColliding(std::string_view name) const;
  // In the order of the names.
  void ForEachTopic(
      absl::FunctionRef<void(const std::shared_ptr<const TopicImage>& topic)> visit) const;

 private:
  absl::Status Form(const metadata::FormCluster& command);
  absl::Status Register(const metadata::RegisterBroker& command, Applied& applied);
  void Replace(NodeId node, Incarnation incarnation, Applied& applied);
  void FillVoters();
  absl::Status Unregister(NodeId node, Incarnation incarnation);
  absl::Status Replace(const metadata::ReplaceVoter& command);
  absl::Status Create(const metadata::CreateTopic& command);
  absl::Status Delete(const TopicId& id);
  absl::Status CheckNew(const std::vector<PartitionImage>& partitions) const;
  absl::Status Change(const metadata::AlterTopic& command, Applied& applied);
  absl::Status Change(const metadata::AddPartitions& command, Applied& applied);
  void Change(const metadata::SetBrokerConfigs& command);
  void Change(const metadata::SetClientQuotas& command);
  void Change(const metadata::SetFeatureLevels& command);
  void Change(const metadata::SetResourceConfigs& command);
  // Says which topic it was.
  absl::StatusOr<TopicId> Change(const metadata::ChangeReplicas& command);
  absl::Status Change(const metadata::Command& command, Applied& applied);
  // Whether nothing of it is here yet: no such name or id, none of its groups.
  bool IsNew(const TopicImage& topic) const;
  void AddTopic(std::shared_ptr<const TopicImage> topic);

  LogIndex applied_index_;
  std::string cluster_id_;
  std::vector<FormationVoter> voters_;
  LogIndex members_index_;
  GroupId next_group_{kMetadataGroup + 1};
  int64_t next_producer_id_ = 0;
  std::map<NodeId, std::shared_ptr<const BrokerImage>> brokers_;
  std::map<NodeId, std::map<std::string, std::string>> broker_configs_;  // None of them is empty.
  // None of them is empty.
  std::map<ConfiguredKind, PersistentMap<std::string, ConfigMap>> resource_configs_;
  std::shared_ptr<const QuotaTable> client_quotas_ = std::make_shared<const QuotaTable>();
  std::map<std::string, int16_t> feature_levels_;
  PersistentMap<std::string, std::shared_ptr<const TopicImage>> topics_by_name_;
  PersistentMap<std::string, std::shared_ptr<const TopicImage>> topics_by_folded_name_;
  PersistentMap<TopicId, std::shared_ptr<const TopicImage>> topics_by_id_;
  PersistentMap<GroupId, GroupPlace> groups_;
};

}  // namespace garam
