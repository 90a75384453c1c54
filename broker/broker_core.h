// One broker, but for its doors: shards, partitions, cluster metadata, relations with other nodes.
//
// Life: construct, Start, then `on_ready` once the broker is in the cluster; HandOver and Stop to
// end. The doors are opened between on_ready and Stop.
//
// Threads:   as broker/broker.h says; Start, HandOver and Stop from the owner's thread, with the
//            executors running; their completions run on executor 0.
// Ownership: what Env refers to, and the planes, outlive it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "broker/cleaner.h"
#include "broker/controller_client.h"
#include "broker/counted_pool.h"
#include "broker/data_folder.h"
#include "broker/formation_driver.h"
#include "broker/leader_balancer.h"
#include "broker/leader_table.h"
#include "broker/metadata_group.h"
#include "broker/node_manager.h"
#include "broker/partition_set.h"
#include "broker/producer_ids.h"
#include "broker/quota_manager.h"
#include "broker/retention_sweep.h"
#include "broker/scrubber.h"
#include "broker/shard.h"
#include "broker/snapshot_keeper.h"
#include "storage/file_system.h"
#include "storage/kv_store.h"

namespace garam {

class BrokerCore final : public Broker {
 public:
  struct Env {
    std::vector<Executor*> executors;  // One a shard.
    BlockingPool& pool;
    const Clock& clock;
    Random& random;  // For ids at start; executor 0 afterwards.
    storage::FileSystem& files;
    storage::KvStore& kv;
    DataFolder& folder;
    std::string boot_id;             // Another one after the machine was off.
    std::function<void()> on_ready;  // Once, on executor 0.
    // The process may not go on; any thread, perhaps more than once.
    std::function<void(absl::Status)> on_fatal;
  };

  BrokerCore(BrokerConfig config, Env env);
  ~BrokerCore() override;

  // What the planes are to call.
  PeerEvents& events() { return *nodes_; }
  // Any thread.
  NodeIdentity identity() const;

  void Start(PeerControl& control, PeerStreams& streams);
  // Gives its leaderships to others, `deadline` at the latest, and then leaves clients a moment to
  // follow them while this broker still answers; `done` on executor 0.
  void HandOver(MonoTime deadline, Task done);
  // Closes everything; `done` on executor 0 when nothing of the core is under way any more.
  void Stop(Task done);

  // Counters for metrics; any thread.
  const CleanerCounts& cleaner_counts() const { return cleaner_counts_; }
  uint64_t elections() const;
  std::vector<std::shared_ptr<DataPartition>> partitions() const { return partitions_->All(); }
  // Of group 0, once it is open here. Executor 0.
  const Replica* metadata_replica() const;
  // Those that are open on the shard, group 0 with them; on its executor.
  const absl::btree_map<GroupId, Replica*>& replicas(size_t shard) const {
    return shards_[shard]->replicas();
  }

  // Broker
  const BrokerConfig& config() const override { return config_; }
  const Clock& clock() const override { return env_.clock; }
  size_t shard_count() const override { return env_.executors.size(); }
  Executor& executor(size_t shard) override { return *env_.executors[shard]; }
  std::shared_ptr<const MetadataImage> image() const override;
  std::set<NodeId> live_brokers() const override { return nodes_->live(); }
  std::set<NodeId> listed_brokers() const override { return nodes_->listed(); }
  NodeId controller() const override;
  PartitionState StateOf(const TopicImage& topic, int32_t partition) const override;
  absl::StatusOr<std::shared_ptr<Partition>> Find(std::string_view topic,
                                                  int32_t partition) const override;
  absl::StatusOr<std::shared_ptr<Partition>> Find(const TopicId& topic,
                                                  int32_t partition) const override;
  void CreateTopics(
      std::vector<TopicSpec> topics, bool validate_only, MonoTime deadline, size_t shard,
      absl::AnyInvocable<void(std::vector<absl::StatusOr<CreatedTopic>>) &&> done) override;
  void DescribeFolder(size_t shard,
                      absl::AnyInvocable<void(absl::StatusOr<LogFolder>) &&> done) override;
  void DeleteTopics(std::vector<TopicId> topics, MonoTime deadline, size_t shard,
                    StatusesDone done) override;
  void CreatePartitions(std::vector<MorePartitionsSpec> topics, bool validate_only,
                        MonoTime deadline, size_t shard, StatusesDone done) override;
  void AlterConfigs(std::vector<ConfigChange> changes, bool validate_only, MonoTime deadline,
                    size_t shard, StatusesDone done) override;
  void AlterClientQuotas(std::vector<QuotaChange> changes, bool validate_only, MonoTime deadline,
                         size_t shard, StatusesDone done) override;
  void UpdateFeatures(std::vector<FeatureUpdate> updates, bool validate_only, MonoTime deadline,
                      size_t shard, absl::AnyInvocable<void(absl::Status) &&> done) override;
  void DescribeQuorum(MonoTime deadline, size_t shard,
                      absl::AnyInvocable<void(absl::StatusOr<QuorumState>) &&> done) override;
  void MoveReplicas(std::vector<MoveSpec> moves, MonoTime deadline, size_t shard,
                    StatusesDone done) override;
  void NewProducerId(size_t shard,
                     absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) override;
  void UnregisterBroker(NodeId node, MonoTime deadline, size_t shard,
                        absl::AnyInvocable<void(absl::Status) &&> done) override;
  QuotaManager& quotas() override { return quotas_; }

 private:
  NodeManager::Options NodeOptions();
  PartitionSet::Options SetOptions();
  Scrubber::Options ScrubberOptions();
  RetentionSweep::Options RetentionOptions();
  Cleaner::Options CleanerOptions();
  FormationDriver::Options FormationOptions();
  Formation MakeFormation() const;
  ControllerDefaults Defaults() const;
  raft::Timing TimingOf() const;
  void MakeShards(PeerControl& control, PeerStreams& streams);

  void OnNodeEvent(NodeId node, NodeEvent event);
  void Deliver(NodeId from, size_t shard, std::vector<GroupMessage> messages);
  size_t ShardOfGroup(GroupId group) const;
  void OnNotLeading(NodeId node, const std::vector<LeaderState>& states);
  void OnFailedList(NodeId node);
  void Announce(const LeaderState& state);
  void OnControllerCall(std::string request,
                        absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done);

  void OnAdopted(const FormationProposal& proposal, bool founder);
  void OpenMetadata(const FormationProposal& proposal, const raft::Configuration& founders);
  void JoinMetadata(Shard& shard, std::shared_ptr<MetadataGroup> group,
                    std::unique_ptr<storage::Log> log, const HardState& hard_state, LogIndex commit,
                    const raft::Configuration& founders);
  void OnApplied(const MetadataImage::Applied& applied);
  void DropOffsets(const MetadataImage::Applied& applied);
  storage::LogOptions MetadataLogOptions() const;
  std::shared_ptr<MetadataGroup> MetadataHere() const;  // Null before there is one.
  void OnCopyAsked(const CopyRequest& request, CopyDone done);
  void Register();
  bool Registered() const;
  void AskForStatus(ControllerRequest request, MonoTime deadline, size_t shard,
                    absl::AnyInvocable<void(absl::Status) &&> done);
  void FetchProducerIds(uint32_t count, ProducerIds::Done done);
  void AskForStatuses(ControllerRequest request, size_t count, MonoTime deadline, size_t shard,
                      StatusesDone done);
  void TellMembers(GroupId group, LogIndex wish);
  BrokerImage OwnImage() const;
  std::set<NodeId> FitForReplicas() const;
  void SetPeersFromImage(const MetadataImage& image);
  void ForgetStrangers(const MetadataImage& image);
  void WatchBrokers();
  void MaybeReady();
  void Balance();
  void PollHandOver(MonoTime deadline, Task done);
  void AwaitQuiet(Task done);
  void VisitExecutors(size_t first, Task done);
  absl::StatusOr<std::shared_ptr<Partition>> FindIn(const std::shared_ptr<const TopicImage>& topic,
                                                    int32_t partition) const;

  const BrokerConfig config_;
  Env env_;
  CountedPool pool_;
  SnapshotKeeper snapshots_;
  const NodeId self_;
  const StartId start_id_;
  LeaderTable leaders_;
  LeaderBalancer balancer_;  // Executor 0.
  std::unique_ptr<NodeManager> nodes_;
  std::unique_ptr<FormationDriver> formation_;
  std::unique_ptr<ControllerClient> controller_;
  ProducerIds producer_ids_;  // Executor 0.
  QuotaManager quotas_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<PartitionSet> partitions_;
  CleanerCounts cleaner_counts_;
  std::unique_ptr<Cleaner> cleaner_;           // Null where nothing is to be compacted. Executor 0.
  std::unique_ptr<RetentionSweep> retention_;  // Executor 0.
  std::unique_ptr<Scrubber> scrubber_;         // Null where nothing is to be scrubbed. Executor 0.

  mutable std::mutex mutex_;
  std::string cluster_id_;                   // Guarded by mutex_.
  std::shared_ptr<MetadataGroup> metadata_;  // Guarded by mutex_.

  // Executor 0.
  std::shared_ptr<const MetadataImage> seen_ = MetadataImage::Empty();  // By OnApplied.
  bool ready_ = false;
  bool stopping_ = false;
  bool handed_over_ = false;  // A leadership of this broker was there to be given away.
  bool registering_ = false;
  bool was_registered_ = false;  // As the image had it last.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
