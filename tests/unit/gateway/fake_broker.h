// A broker under the test's hand: partitions that keep their batches in memory and commit when
// told.
//
// Threads: each partition on its shard, the broker's own tables filled before the door opens.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "broker/quota_manager.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "coordinator/groups/group_coordinator.h"

namespace garam {

class FakePartition final : public Partition {
 public:
  FakePartition(std::string topic, TopicId id, int32_t index, size_t shard)
      : topic_(std::move(topic)), id_(id), index_(index), shard_(shard) {}

  const TopicId& topic_id() const override { return id_; }
  const std::string& topic() const override { return topic_; }
  int32_t index() const override { return index_; }
  GroupId group() const override { return GroupId(1); }
  size_t shard() const override { return shard_; }
  LogSize Size() const override { return {.bytes = 100 + index_, .lag_offsets = 0}; }
  absl::StatusOr<std::vector<ActiveProducer>> Producers() const override {
    if (!error.ok()) return error;
    return producers;
  }
  std::shared_ptr<const TopicConfig> config() const override { return config_; }

  void Produce(Bytes batch, Acks acks, MonoTime, ProduceDone done) override {
    if (!error.ok()) return std::move(done)(error);
    const Offset base = next_;
    PatchRecordBatch(const_cast<char*>(batch.data()), base, epoch);
    next_ = RecordBatchView(batch.data()).next_offset();
    batches_.push_back(batch);
    Pending pending{base, batch.size(), std::move(done)};
    if (acks == Acks::kNone) {
      std::move(pending.done)(ProduceResult{base, -1, log_start});
      pending.done = nullptr;
    }
    pending_.push_back(std::move(pending));
    if (commits_at_once) Commit();
  }

  // Makes everything visible and answers its produces.
  void Commit() {
    std::vector<Pending> pending = std::exchange(pending_, {});
    size_t bytes = 0;
    high_watermark = next_;
    for (const Pending& each : pending) bytes += each.bytes;
    for (Pending& each : pending) {
      if (each.done) std::move(each.done)(ProduceResult{each.base, -1, log_start});
    }
    if (bytes > 0) Wake(bytes);
  }
  void FailPending(const absl::Status& status) {
    for (Pending& each : std::exchange(pending_, {})) std::move(each.done)(status);
  }
  // Appends and commits, as another client's produce would.
  void Append(Bytes batch) {
    const bool before = std::exchange(commits_at_once, true);
    Produce(std::move(batch), Acks::kAll, MonoTime(), [](absl::StatusOr<ProduceResult>) {});
    commits_at_once = before;
  }
  // From now on everything fails with this; who watches is told.
  void Fail(absl::Status status) {
    error = std::move(status);
    Wake(0);
  }

  void Read(ReadSpec spec, absl::AnyInvocable<void(absl::StatusOr<ReadResult>) &&> done) override {
    ++reads;
    if (absl::Status status = Check(spec); !status.ok()) return std::move(done)(status);
    ReadResult result;
    result.high_watermark = result.last_stable_offset = high_watermark;
    result.log_start_offset = log_start;
    if (spec.last_fetched_epoch.has_value() && *spec.last_fetched_epoch > epoch)
      result.diverging = DivergingEpoch{epoch, high_watermark};
    for (const Bytes& batch : batches_) {
      const RecordBatchView view(batch.data());
      if (view.next_offset() <= spec.from || view.next_offset() > high_watermark) continue;
      if (result.diverging.has_value()) break;
      const bool whole = result.batches.empty() && spec.first_batch_whole;
      if (!whole && result.bytes + batch.size() > spec.bytes_max) break;
      result.bytes += batch.size();
      result.batches.push_back(batch);
    }
    std::move(done)(std::move(result));
  }

  absl::StatusOr<size_t> BytesAvailable(const ReadSpec& spec) const override {
    if (absl::Status status = Check(spec); !status.ok()) return status;
    size_t bytes = 0;
    for (const Bytes& batch : batches_) {
      const RecordBatchView view(batch.data());
      if (view.next_offset() > spec.from && view.next_offset() <= high_watermark)
        bytes += batch.size();
    }
    return bytes;
  }

  void DeleteRecords(Offset before, MonoTime,
                     absl::AnyInvocable<void(absl::StatusOr<Offset>) &&> done) override {
    if (!error.ok()) return std::move(done)(error);
    if (before == kHighWatermark) before = high_watermark;
    if (before > high_watermark) {
      return std::move(done)(MakeError(Errc::kOffsetOutOfRange, "beyond the high watermark"));
    }
    log_start = std::max(log_start, before);
    std::move(done)(log_start);
  }

  WatchId Watch(std::function<void(size_t bytes)> wake) override {
    watches_.emplace(++last_watch_, std::move(wake));
    return last_watch_;
  }
  void Unwatch(WatchId id) override { watches_.erase(id); }
  size_t watches() const { return watches_.size(); }

  void FindSpecial(SpecialOffset which, std::optional<Term> current_leader_epoch,
                   absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) override {
    if (absl::Status status = CheckEpoch(current_leader_epoch); !status.ok())
      return std::move(done)(status);
    specials.push_back(which);
    std::move(done)(FoundOffset{high_watermark, -1, epoch});
  }
  void FindByTimestamp(int64_t timestamp_ms, std::optional<Term> current_leader_epoch,
                       absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) override {
    if (absl::Status status = CheckEpoch(current_leader_epoch); !status.ok())
      return std::move(done)(status);
    std::move(done)(FoundOffset{Offset(7), timestamp_ms + 1, epoch});
  }
  absl::StatusOr<EpochEnd> EndOfEpoch(Term wanted,
                                      std::optional<Term> current_leader_epoch) const override {
    if (absl::Status status = CheckEpoch(current_leader_epoch); !status.ok()) return status;
    if (wanted > epoch) return EpochEnd{};
    return EpochEnd{wanted, high_watermark};
  }

  size_t pending() const { return pending_.size(); }
  const std::vector<Bytes>& batches() const { return batches_; }

  bool WithGroups(const std::function<void(GroupCoordinator&)>& work) override {
    if (groups != nullptr) work(*groups);
    return groups != nullptr;
  }

  GroupCoordinator* groups = nullptr;  // Who coordinates here; the test's.
  bool commits_at_once = true;
  absl::Status error;
  Term epoch{3};
  Offset high_watermark;
  Offset log_start;
  std::vector<ActiveProducer> producers;
  int reads = 0;
  std::vector<SpecialOffset> specials;

  void SetConfig(TopicConfig config) { config_ = std::make_shared<const TopicConfig>(config); }

 private:
  struct Pending {
    Offset base;
    size_t bytes;
    ProduceDone done;
  };

  absl::Status CheckEpoch(std::optional<Term> believed) const {
    if (!error.ok()) return error;
    if (believed.has_value() && *believed < epoch)
      return MakeError(Errc::kFencedLeaderEpoch, "older epoch");
    if (believed.has_value() && *believed > epoch)
      return MakeError(Errc::kUnknownLeaderEpoch, "newer epoch");
    return absl::OkStatus();
  }
  absl::Status Check(const ReadSpec& spec) const {
    if (absl::Status status = CheckEpoch(spec.current_leader_epoch); !status.ok()) return status;
    if (spec.from < log_start || spec.from > next_)
      return MakeError(Errc::kOffsetOutOfRange, "outside the log");
    return absl::OkStatus();
  }
  void Wake(size_t bytes) {
    const auto watches = watches_;
    for (const auto& [id, wake] : watches) wake(bytes);
  }

  const std::string topic_;
  const TopicId id_;
  const int32_t index_;
  const size_t shard_;
  std::shared_ptr<const TopicConfig> config_ = std::make_shared<const TopicConfig>();
  std::vector<Bytes> batches_;
  Offset next_;
  std::vector<Pending> pending_;
  std::map<WatchId, std::function<void(size_t)>> watches_;
  WatchId last_watch_ = 0;
};

class FakeBroker final : public Broker {
 public:
  FakeBroker(const Clock& clock, std::vector<Executor*> executors)
      : clock_(clock), executors_(std::move(executors)), image_(MetadataImage::Empty()) {}

  const BrokerConfig& config() const override { return config_; }
  const Clock& clock() const override { return clock_; }
  size_t shard_count() const override { return executors_.size(); }
  Executor& executor(size_t shard) override { return *executors_[shard]; }

  std::shared_ptr<const MetadataImage> image() const override { return image_; }
  std::set<NodeId> live_brokers() const override { return live; }
  std::set<NodeId> listed_brokers() const override {
    std::set<NodeId> listed = live;
    listed.insert(just_gone.begin(), just_gone.end());
    return listed;
  }
  NodeId controller() const override { return controller_node; }
  PartitionState StateOf(const TopicImage& topic, int32_t partition) const override {
    auto found = states.find({topic.name, partition});
    return found == states.end() ? PartitionState{} : found->second;
  }

  absl::StatusOr<std::shared_ptr<Partition>> Find(std::string_view topic,
                                                  int32_t partition) const override {
    for (const auto& each : partitions) {
      if (each->topic() == topic && each->index() == partition) return Found(each);
    }
    return MakeError(Errc::kUnknownTopic, "no such partition");
  }
  absl::StatusOr<std::shared_ptr<Partition>> Find(const TopicId& topic,
                                                  int32_t partition) const override {
    for (const auto& each : partitions) {
      if (each->topic_id() == topic && each->index() == partition) return Found(each);
    }
    return MakeError(Errc::kUnknownTopicId, "no such topic id");
  }

  void CreateTopics(
      std::vector<TopicSpec> topics, bool validate_only, MonoTime, size_t,
      absl::AnyInvocable<void(std::vector<absl::StatusOr<CreatedTopic>>) &&> done) override {
    created.insert(created.end(), topics.begin(), topics.end());
    if (on_create) on_create();
    std::vector<absl::StatusOr<CreatedTopic>> results;
    for (const TopicSpec& spec : topics) {
      if (!create_error.ok()) {
        results.push_back(create_error);
        continue;
      }
      CreatedTopic topic;
      topic.name = spec.name;
      topic.num_partitions = 4;
      topic.replication_factor = 3;
      if (!validate_only) topic.id.bytes[0] = 9;
      topic.configs.push_back({"flush.messages", "1", ConfigSource::kDefault, false, false});
      results.push_back(topic);
    }
    std::move(done)(std::move(results));
  }
  void DeleteTopics(std::vector<TopicId> topics, MonoTime, size_t,
                    absl::AnyInvocable<void(std::vector<absl::Status>) &&> done) override {
    deleted.insert(deleted.end(), topics.begin(), topics.end());
    std::move(done)(std::vector<absl::Status>(topics.size(), delete_error));
  }

  void DescribeFolder(size_t,
                      absl::AnyInvocable<void(absl::StatusOr<LogFolder>) &&> done) override {
    std::move(done)(LogFolder{.path = "/data", .total_bytes = 1000, .usable_bytes = 400});
  }
  void MoveReplicas(std::vector<MoveSpec> moves, MonoTime, size_t,
                    absl::AnyInvocable<void(std::vector<absl::Status>) &&> done) override {
    moved.insert(moved.end(), moves.begin(), moves.end());
    std::move(done)(std::vector<absl::Status>(moves.size(), move_error));
  }

  void CreatePartitions(std::vector<MorePartitionsSpec> topics, bool validate_only, MonoTime,
                        size_t, StatusesDone done) override {
    only_validated = validate_only;
    enlarged.insert(enlarged.end(), topics.begin(), topics.end());
    std::move(done)(std::vector<absl::Status>(topics.size(), change_error));
  }
  void AlterConfigs(std::vector<ConfigChange> changes, bool validate_only, MonoTime, size_t,
                    StatusesDone done) override {
    only_validated = validate_only;
    altered.insert(altered.end(), changes.begin(), changes.end());
    std::move(done)(std::vector<absl::Status>(changes.size(), change_error));
  }

  void AlterClientQuotas(std::vector<QuotaChange> changes, bool validate_only, MonoTime, size_t,
                         StatusesDone done) override {
    only_validated = validate_only;
    quota_changes.insert(quota_changes.end(), changes.begin(), changes.end());
    std::move(done)(std::vector<absl::Status>(changes.size(), change_error));
  }
  void UpdateFeatures(std::vector<FeatureUpdate> updates, bool validate_only, MonoTime, size_t,
                      absl::AnyInvocable<void(absl::Status) &&> done) override {
    only_validated = validate_only;
    feature_updates.insert(feature_updates.end(), updates.begin(), updates.end());
    std::move(done)(change_error);
  }
  void DescribeQuorum(MonoTime, size_t,
                      absl::AnyInvocable<void(absl::StatusOr<QuorumState>) &&> done) override {
    std::move(done)(quorum);
  }
  QuotaManager& quotas() override { return quota_manager; }

  void NewProducerId(size_t, absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) override {
    std::move(done)(new_producer_id);
  }
  void UnregisterBroker(NodeId node, MonoTime, size_t,
                        absl::AnyInvocable<void(absl::Status) &&> done) override {
    unregistered.push_back(node);
    std::move(done)(unregister_error);
  }

  std::shared_ptr<FakePartition> AddPartition(std::string topic, int32_t index, size_t shard = 0) {
    TopicId id;
    id.bytes[0] = static_cast<uint8_t>(topic[0]);
    auto partition = std::make_shared<FakePartition>(std::move(topic), id, index, shard);
    partitions.push_back(partition);
    return partition;
  }
  void SetImage(std::shared_ptr<const MetadataImage> image) { image_ = std::move(image); }

  BrokerConfig config_;
  std::vector<std::shared_ptr<FakePartition>> partitions;
  std::set<std::pair<std::string, int32_t>> elsewhere;  // Partitions that live on other brokers.
  std::set<NodeId> live;
  std::set<NodeId> just_gone;  // Not alive, but still listed.
  NodeId controller_node = kNoNode;
  absl::StatusOr<int64_t> new_producer_id = 4000;
  std::map<std::pair<std::string, int32_t>, PartitionState> states;
  absl::Status create_error;
  std::function<void()> on_create;
  absl::Status delete_error;
  absl::Status move_error;
  absl::Status unregister_error;
  std::vector<NodeId> unregistered;
  std::vector<MoveSpec> moved;
  absl::Status change_error;
  bool only_validated = false;
  std::vector<MorePartitionsSpec> enlarged;
  std::vector<ConfigChange> altered;
  std::vector<QuotaChange> quota_changes;
  std::vector<FeatureUpdate> feature_updates;
  absl::StatusOr<QuorumState> quorum = QuorumState{};
  QuotaManager quota_manager{{}};
  std::vector<TopicSpec> created;
  std::vector<TopicId> deleted;

 private:
  absl::StatusOr<std::shared_ptr<Partition>> Found(
      const std::shared_ptr<FakePartition>& partition) const {
    if (elsewhere.contains({partition->topic(), partition->index()}))
      return MakeError(Errc::kNotLeader, "it lives elsewhere");
    return std::shared_ptr<Partition>(partition);
  }

  const Clock& clock_;
  const std::vector<Executor*> executors_;
  std::shared_ptr<const MetadataImage> image_;
};

}  // namespace garam
