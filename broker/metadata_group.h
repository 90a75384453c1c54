// Raft group 0 on this broker: applies committed commands to the image and, while it leads, is the
// controller.
//
// Threads:   executor 0, but for `image` (any).
// Ownership: shard 0 and the callbacks' targets outlive it.
// Errors:    a command that this build cannot understand ends the process (Options::on_fatal): to
//            go on would be to act on a picture of the cluster that is not true.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "broker/controller_answers.h"
#include "broker/metadata_snapshot.h"
#include "broker/replica.h"
#include "common/ids.h"
#include "common/random.h"
#include "coordinator/controller.h"
#include "coordinator/controller_messages.h"
#include "coordinator/formation_types.h"
#include "coordinator/metadata_image.h"
#include "coordinator/quorum_watch.h"
#include "coordinator/voter_watch.h"

namespace garam {

// As members of group 0.
std::vector<raft::Member> VotersOf(const std::vector<FormationVoter>& voters);

class MetadataGroup final : public ReplicaEvents {
 public:
  struct Options {
    ControllerDefaults defaults;
    Duration voter_dead_max;
    FormationProposal formed;   // The voters, and the first entry of a new cluster.
    MetadataSnapshot snapshot;  // To begin with.
    std::function<std::set<NodeId>()> live;
    // Whose process `node` was found to be; 0: not known.
    std::function<Incarnation(NodeId)> incarnation;
    // A command was applied, or the image is a copied one; `image()` has it.
    std::function<void(const MetadataImage::Applied&)> on_applied;
    // Who leads group 0 changed.
    std::function<void(Term, NodeId)> on_leader;
    // `LetsGo` may say more than before.
    std::function<void()> on_members;
    // Stores the snapshot, some time.
    std::function<void(MetadataSnapshot)> save_snapshot;
    // Stores it now; `done`, on executor 0, once it is on stable storage.
    std::function<void(MetadataSnapshot, absl::AnyInvocable<void(const absl::Status&) &&> done)>
        keep_snapshot;
    std::function<void(absl::Status)> on_fatal;
  };

  MetadataGroup(Shard& shard, Options options);

  storage::LogObserver& observer() { return replica_; }
  void Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log);
  void Stop(Task closed);
  const Replica& replica() const { return replica_; }

  // Any thread.
  std::shared_ptr<const MetadataImage> image() const;

  // A serialized controller request; answered once it is committed and, where people change
  // something, known by every live broker. kNoController when this broker does not lead group 0, or
  // does so but has not caught up yet.
  void Handle(std::string request, absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done);
  // Whether this broker needs no connection any more to a node that is not registered: as leader it
  // has to tell it, until the group is without it.
  bool LetsGo(NodeId node) const;
  // To be called every second or so: as controller, has voters replaced that stay away (D20), and
  // internal topics raised as brokers come (D4).
  void WatchBrokers();

  // ReplicaEvents
  void OnRole() override;
  void OnAppended(const std::vector<LogEntry>&) override {}
  void OnTruncated(LogIndex, Offset) override {}
  void OnCommitted(LogIndex commit) override;
  void OnProgress() override;
  void OnStorageFailed(const absl::Status& reason) override;
  void OnStorageFree() override {}
  void OnReplaceable() override;
  void OnNode(NodeId, bool) override { Reconfigure(); }
  void KeepSnapshot(std::string snapshot,
                    absl::AnyInvocable<void(const absl::Status&) &&> done) override;
  void OnInstalled() override;
  void OnStillLeader(uint64_t round) override;

  // The image, for a member that lacks what the log no longer has (D15).
  absl::StatusOr<CopyReply> GiveCopy() const;

 private:
  void ApplyNext();
  void ApplyEntries(absl::StatusOr<std::vector<LogEntry>> entries);
  bool ApplyOne(const LogEntry& entry);
  void GiveAnswers();
  bool LiveMembersKnow(LogIndex index, absl::FunctionRef<bool(NodeId)> asked) const;
  void MaybeDropPrefix();
  void Publish(std::shared_ptr<const MetadataImage> image, LogIndex index, Term term);
  void GiveUpAnswers();
  void MaybeTakeControl();
  void Reconfigure();
  bool LeaversWereTold() const;
  void SayVoters();
  absl::StatusOr<ControllerReply> Plan(const ControllerRequest& request);
  absl::StatusOr<ControllerReply> PlanCreate(const CreateTopicsRequest& request);
  absl::StatusOr<ControllerReply> PlanDelete(const DeleteTopicsRequest& request);
  absl::StatusOr<ControllerReply> PlanRegister(const RegisterBrokerRequest& request);
  absl::StatusOr<ControllerReply> PlanMoves(const MoveReplicasRequest& request);
  absl::StatusOr<ControllerReply> PlanReached(const MembersReachedRequest& request);
  absl::StatusOr<ControllerReply> PlanUnregister(const UnregisterBrokerRequest& request);
  absl::StatusOr<ControllerReply> PlanAlter(const AlterConfigsRequest& request);
  absl::StatusOr<ControllerReply> PlanPartitions(const CreatePartitionsRequest& request);
  absl::StatusOr<ControllerReply> PlanIds(const AllocateProducerIdsRequest& request);
  absl::StatusOr<ControllerReply> PlanQuotas(const AlterQuotasRequest& request);
  absl::StatusOr<ControllerReply> PlanFeatures(const UpdateFeaturesRequest& request);
  void RaiseInternalTopics();
  ControllerReply TellQuorum();
  std::vector<QuorumMember> LookAtMembers();
  absl::Status Propose(std::vector<std::string> commands);

  Shard& shard_;
  Options options_;
  Replica replica_;
  LogIndex applied_;
  Term applied_term_;
  bool applying_ = false;
  uint64_t installs_ = 0;  // What was being read when the log was replaced is not applied.
  std::optional<MetadataSnapshot> copied_;  // Kept, and of the log that is about to be ours.
  bool dropping_ = false;
  uint64_t confirmed_round_ = 0;
  ControllerAnswers answers_;
  TimerId answers_timer_ = kNoTimer;
  // As controller: the image with every own command, committed or not. Null: not the controller.
  std::shared_ptr<const MetadataImage> planned_;
  VoterWatch voter_watch_;
  QuorumWatch quorum_watch_;
  LogIndex said_;  // The configuration that was told last.
  bool open_ = false;

  mutable std::mutex mutex_;
  std::shared_ptr<const MetadataImage> image_;  // Guarded by mutex_.
};

}  // namespace garam
