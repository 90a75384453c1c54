// The core that every door shares: this broker's partitions, the cluster as it knows it, and the
// way to the controller.
//
// Threads: as each member says. Ownership: outlives every door. Errors: Errc in Status.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/broker_config.h"
#include "broker/partition.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/uuid.h"
#include "coordinator/client_quotas.h"
#include "coordinator/config_change.h"
#include "coordinator/controller.h"
#include "coordinator/features.h"
#include "coordinator/metadata_image.h"
#include "coordinator/new_partitions.h"
#include "coordinator/quorum_watch.h"
#include "coordinator/reassignment.h"

namespace garam {

class QuotaManager;

struct PartitionState {
  NodeId leader = kNoNode;  // kNoNode: nobody leads, or its leader is not alive.
  Term leader_epoch;
  std::vector<NodeId> replicas;
  std::vector<NodeId> isr;
  std::vector<NodeId> offline;
};

// Where this broker keeps its logs.
struct LogFolder {
  std::string path;
  int64_t total_bytes = 0;
  int64_t usable_bytes = 0;
};

class Broker {
 public:
  virtual ~Broker() = default;

  virtual const BrokerConfig& config() const = 0;
  virtual const Clock& clock() const = 0;
  virtual size_t shard_count() const = 0;
  virtual Executor& executor(size_t shard) = 0;

  // The cluster's metadata as applied here. Any thread.
  virtual std::shared_ptr<const MetadataImage> image() const = 0;
  // Brokers alive in this broker's own view, itself included. Any thread.
  virtual std::set<NodeId> live_brokers() const = 0;
  // Those, and brokers that have only just gone: what Metadata lists, so that clients which learn
  // of a new leader do not lose its predecessor in the same answer. Any thread.
  virtual std::set<NodeId> listed_brokers() const = 0;
  // The leader of group 0; kNoNode while there is none. Any thread.
  virtual NodeId controller() const = 0;
  // Leader, epoch, ISR and offline replicas as known here. Any thread.
  virtual PartitionState StateOf(const TopicImage& topic, int32_t partition) const = 0;

  // The partition here. kUnknownTopic / kUnknownTopicId when the image has none, kNotLeader when it
  // lives on other brokers only. Any thread; use the result on its shard.
  virtual absl::StatusOr<std::shared_ptr<Partition>> Find(std::string_view topic,
                                                          int32_t partition) const = 0;
  virtual absl::StatusOr<std::shared_ptr<Partition>> Find(const TopicId& topic,
                                                          int32_t partition) const = 0;

  // The data folder and its disk; `done` runs on executor `shard`. Any thread.
  virtual void DescribeFolder(size_t shard,
                              absl::AnyInvocable<void(absl::StatusOr<LogFolder>) &&> done) = 0;

  // Controller requests: forwarded to the controller, wherever it is. `done` runs on executor
  // `shard`, after this broker's image has the result (or at the deadline: kTimedOut).
  virtual void CreateTopics(
      std::vector<TopicSpec> topics, bool validate_only, MonoTime deadline, size_t shard,
      absl::AnyInvocable<void(std::vector<absl::StatusOr<CreatedTopic>>) &&> done) = 0;
  using StatusesDone = absl::AnyInvocable<void(std::vector<absl::Status>) &&>;  // One an item.
  virtual void DeleteTopics(std::vector<TopicId> topics, MonoTime deadline, size_t shard,
                            StatusesDone done) = 0;
  virtual void CreatePartitions(std::vector<MorePartitionsSpec> topics, bool validate_only,
                                MonoTime deadline, size_t shard, StatusesDone done) = 0;
  // Running partitions follow without a restart.
  virtual void AlterConfigs(std::vector<ConfigChange> changes, bool validate_only,
                            MonoTime deadline, size_t shard, StatusesDone done) = 0;
  virtual void AlterClientQuotas(std::vector<QuotaChange> changes, bool validate_only,
                                 MonoTime deadline, size_t shard, StatusesDone done) = 0;
  // All of them, or none.
  virtual void UpdateFeatures(std::vector<FeatureUpdate> updates, bool validate_only,
                              MonoTime deadline, size_t shard,
                              absl::AnyInvocable<void(absl::Status) &&> done) = 0;
  // Group 0 and its members, as the controller sees them now.
  virtual void DescribeQuorum(MonoTime deadline, size_t shard,
                              absl::AnyInvocable<void(absl::StatusOr<QuorumState>) &&> done) = 0;
  // Where replicas are to be; done once the controller has taken it, which is before they are.
  virtual void MoveReplicas(std::vector<MoveSpec> moves, MonoTime deadline, size_t shard,
                            StatusesDone done) = 0;
  // A producer id that nobody else in the cluster has; `done` runs on executor `shard`.
  virtual void NewProducerId(size_t shard,
                             absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) = 0;
  virtual void UnregisterBroker(NodeId node, MonoTime deadline, size_t shard,
                                absl::AnyInvocable<void(absl::Status) &&> done) = 0;

  // What clients may do, and did. Any thread.
  virtual QuotaManager& quotas() = 0;
};

}  // namespace garam
