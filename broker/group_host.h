// A partition of __consumer_offsets at work: feeds what is committed to its GroupCoordinator, lets
// it lead while the partition leads here, and appends what it wants kept.
//
// Threads:   the partition's shard.
// Ownership: owned by the partition, which it refers to.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "broker/group_settings.h"
#include "coordinator/groups/group_coordinator.h"
#include "coordinator/metadata_image.h"

namespace garam {

class DataPartition;
class Shard;

class GroupHost {
 public:
  // The cluster's metadata as applied here. Any thread.
  using Image = std::function<std::shared_ptr<const MetadataImage>()>;

  GroupHost(Shard& shard, DataPartition& partition, const GroupSettings& settings, Image image);
  ~GroupHost();

  // The partition is open: from now on it is watched.
  void Start();
  // The partition is closed: nobody is coordinated here any more.
  void Stop();

  // Lets `work` use the coordinator; its timers are seen to afterwards.
  void With(const std::function<void(GroupCoordinator&)>& work);

 private:
  struct Rearm {
    explicit Rearm(GroupHost& of) : host(of) {}
    ~Rearm() { host.ArmTimer(); }
    GroupHost& host;
  };

  void Pump();
  bool Step();
  void Take(absl::StatusOr<std::vector<Bytes>> batches);
  void ArmRetry();
  void Apply(const Bytes& batch);
  void FollowRole();
  void Append(std::vector<GroupRecord> records, GroupCoordinator::StatusDone done);
  void Drain(GroupCoordinator::StatusDone done);
  void OnProduced(Offset end, absl::Status status, GroupCoordinator::StatusDone done);
  void RunApplied();
  void FailWaiting();
  void ArmTimer();
  void OnTimer();
  void ArmExpiry();

  Shard& shard_;
  DataPartition& partition_;
  const GroupSettings settings_;
  GroupCoordinator coordinator_;
  uint64_t watch_ = 0;
  bool running_ = false;
  bool reading_ = false;
  bool stepping_ = false;  // In the call that reads.
  bool failed_ = false;    // The last read had nothing to give.
  TimerId retry_timer_ = kNoTimer;
  Offset applied_;   // Everything below it.
  Term leading_in_;  // The leadership that the coordinator was told of; 0: none.
  std::multimap<Offset, GroupCoordinator::StatusDone> waiting_;  // For what is below to be applied.
  TimerId timer_ = kNoTimer;
  MonoTime timer_for_;
  TimerId expiry_timer_ = kNoTimer;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
