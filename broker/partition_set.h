// The partitions that live on this broker, kept equal to what the metadata says (level-triggered
// and idempotent): opens the logs of new ones, closes and deletes what is gone.
//
// Threads:   Reconcile, Stop and the other changes on executor 0; Find, All and Count from any.
// Ownership: the shards and what Options refers to outlive it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "broker/data_partition.h"
#include "broker/shard.h"
#include "common/ids.h"
#include "coordinator/metadata_image.h"
#include "raft/types.h"
#include "storage/file_reaper.h"

namespace garam {

class PartitionSet {
 public:
  struct Options {
    std::vector<Shard*> shards;
    std::string data_dir;
    NodeId self;
    Incarnation incarnation;
    raft::Timing timing;
    size_t append_bytes_max = 0;    // As in raft::CoreOptions.
    size_t inflight_bytes_max = 0;  // The same.
    Duration replica_lag_max;
    Duration producer_expiration;
    // Of the topics' settings on this broker, as an image has them.
    std::function<std::map<std::string, std::string>(const MetadataImage&)> topic_defaults;
    GroupSettings groups;
    GroupHost::Image image;
    DataPartition::Announce announce;
    std::function<void(GroupId)> on_deleted;
    // A group that goes on without this broker is gone from here; it may be wanted here again.
    std::function<void()> on_left;
    // This broker leads the group, and its members are what the wish wanted. A shard's thread.
    DataPartition::Members on_members;
    // A replica here cannot be opened, or cannot append (any thread); ok: it can again.
    std::function<void(GroupId, const absl::Status&)> on_can_append;
  };

  explicit PartitionSet(Options options);
  ~PartitionSet();
  PartitionSet(const PartitionSet&) = delete;
  PartitionSet& operator=(const PartitionSet&) = delete;

  // Makes the set what `image` says.
  void Reconcile(const MetadataImage& image);
  // What an earlier process gave up and did not come to delete.
  void FinishDeletions(std::vector<std::string> paths);
  // Closes every partition; `closed` runs on executor 0 when all is quiet.
  void Stop(Task closed);

  // Null while the partition is not here or not open yet.
  std::shared_ptr<DataPartition> Find(GroupId group) const;
  std::vector<std::shared_ptr<DataPartition>> All() const;

  // The shard of a partition: in memory only, so it may change from start to start (D8).
  static size_t ShardOf(const TopicId& topic, int32_t partition, size_t shards);

 private:
  enum class Leave {
    kDeleted,  // The topic is.
    kMoved,    // The group goes on, and this node's promises in it with it.
    kDamaged,  // The same, and another replica takes this one's place here.
  };
  struct Entry {
    std::shared_ptr<DataPartition> partition;
    storage::LogIdentity identity;
    std::shared_ptr<const TopicImage> topic;    // As reconciled last.
    std::shared_ptr<const TopicConfig> config;  // What that comes to.
    LogIndex since;                             // Which of this node's replicas of the group it is.
    raft::WantedMembers wanted;                 // As the partition was told.
    NodeId preferred = kNoNode;                 // The same.
    bool open = false;
    bool leaving = false;
    bool left = false;  // By an older image it is here; nothing is open.
    Leave why = Leave::kDeleted;
  };

  void OpenPartition(const std::shared_ptr<const TopicImage>& of, int32_t index,
                     const ReplicaImage& here);
  std::shared_ptr<const TopicConfig> ConfigOf(const TopicImage& topic) const;
  void Configure(const std::shared_ptr<const TopicImage>& topic, GroupId group, bool same_defaults);
  void TellConfig(const Entry& entry);
  void ForgetLeft(const MetadataImage& image);
  // Whether what is open of the group is a replica that has left since.
  bool IsAnother(GroupId group, const ReplicaImage& here) const;
  // Tells a partition that is here where it is to go; false when it is not here.
  bool Redirect(const PartitionImage& image);
  void Tell(const Entry& entry);
  DataPartition::DiskEvents DiskEventsOf();
  // What the disk has of a partition.
  struct Found {
    std::unique_ptr<storage::Log> log;
    HardState hard_state;
    std::optional<std::string> unflushed_boot;  // D3.
    bool left = false;                          // This replica has been given up; no log.
  };
  // What is to be opened, and as what.
  struct Opening {
    storage::LogIdentity identity;
    std::string folder;
    std::shared_ptr<const TopicConfig> config;
    PartitionImage image;
    ReplicaImage here;
    uint32_t life = 0;  // How many replicas of the group this process has closed for damage.
  };
  static absl::StatusOr<Found> OpenFiles(const storage::LogEnv& env, const Opening& opening,
                                         storage::LogObserver& observer);
  // Keeps a damaged log's files aside, having noted durably that its promises may be forgotten.
  static absl::Status SetAside(const storage::LogEnv& env, GroupId group,
                               const std::string& folder);
  void TryOpen(std::shared_ptr<DataPartition> partition, Opening opening);
  void OpenLater(std::shared_ptr<DataPartition> partition, Opening opening);
  void OnOpened(std::shared_ptr<DataPartition> partition, const Opening& opening,
                absl::StatusOr<Found> found);
  void CannotOpen(GroupId group, const absl::Status& status) const;
  raft::CoreOptions CoreOptionsOf(const Shard& shard, const Opening& opening,
                                  const Found& found) const;
  static absl::Status RemoveLog(const storage::LogEnv& env, const storage::LogIdentity& identity,
                                const std::string& folder);
  static absl::Status RemoveRows(const storage::LogEnv& env, GroupId group);
  absl::Status RemoveFiles(const storage::LogEnv& env, const storage::LogIdentity& identity,
                           LogIndex since, Leave why) const;
  void Replace(GroupId group);
  void Close(GroupId group);
  // An opening has ended, one way or the other.
  void OnTried(GroupId group);
  void StopOne(std::shared_ptr<DataPartition> partition);
  void MaybeStopped();
  void OnClosed(GroupId group, Leave why, const absl::Status& removed);

  std::string FolderOf(const storage::LogIdentity& identity) const;

  Options options_;
  storage::FileReaper reaper_;  // Of folders. Executor 0.
  std::atomic<bool> stopped_{false};
  size_t busy_ = 0;  // Replicas that are being opened, closed or stopped. Executor 0, as the next.
  Task on_stopped_;
  // Those that found the disk full. Executor 0, as the timer.
  std::vector<std::pair<std::shared_ptr<DataPartition>, Opening>> unopened_;
  TimerId reopen_timer_ = kNoTimer;
  std::map<std::string, std::string> topic_defaults_;  // By the last image. Executor 0.
  mutable std::mutex mutex_;
  absl::btree_map<GroupId, Entry> entries_;  // Guarded by mutex_.
  std::map<GroupId, uint32_t> lives_;        // See Opening::life. Guarded by mutex_.
};

}  // namespace garam
