// The coordinator of the groups whose names hash to one partition of __consumer_offsets.
//
// Applies committed records on every replica; on the leader it also runs the groups: it answers
// members, and appends what is to be kept. What it answers is committed.
//
// Pure: time and randomness are passed in, the log is behind `append`.
//
// Threads:   its owner's; completions run inside calls into it or into what `append` was given.
// Ownership: what Env refers to outlives it.
// Errors:    kNotCoordinator while it does not lead; else Errc as each call says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/executor.h"
#include "common/random.h"
#include "coordinator/groups/classic_group.h"
#include "coordinator/groups/consumer_group.h"
#include "coordinator/groups/group_store.h"
#include "coordinator/groups/group_types.h"

namespace garam {

class GroupCoordinator {
 public:
  using StatusDone = absl::AnyInvocable<void(absl::Status) &&>;

  struct Env {
    GroupLimits limits;
    Random& random;
    std::function<Moment()> now;
    // Appends the records together; `done` once they are committed and applied here, or are not
    // going to be. Several may be under way; they are applied in the order of the calls.
    std::function<void(std::vector<GroupRecord>, StatusDone done)> append;
    // The cluster's topics as they are now.
    std::function<std::shared_ptr<const GroupTopics>()> topics;
    // Calls `done` once everything that has been appended so far is applied here, or is lost.
    std::function<void(StatusDone done)> drain;
    // What is in force for one group of the consumer protocol; none: what `limits` has.
    std::function<ConsumerTimes(const std::string& group)> times{};
  };

  explicit GroupCoordinator(Env env);
  ~GroupCoordinator();

  // One committed record, in the order of the log; what cannot be read is left out, and said.
  absl::Status Apply(const GroupRecord& record);
  // The log was replaced: what it says comes anew.
  void Clear();

  // This replica leads and has applied all that is committed; from here on it answers.
  void Lead();
  // It leads no more: whoever waits is told so.
  void Resign();
  bool leads() const { return leads_; }

  // kInvalidGroupId, kInvalidSessionTimeout, kUnknownMemberId, kMemberIdRequired, kGroupFull (so
  // are those of limits.groups_max: also where a first commit would make a group),
  // kInconsistentGroupProtocol, kFencedInstanceId, kCoordinatorLoading (the group is being
  // deleted).
  void Join(const std::string& group, JoinRequest request, JoinDone done);
  // Besides: kIllegalGeneration, kRebalanceInProgress.
  void Sync(const std::string& group, SyncRequest request, SyncDone done);
  absl::Status Heartbeat(const std::string& group, const MemberName& member, int32_t generation);
  // One status a member.
  absl::StatusOr<std::vector<absl::Status>> Leave(const std::string& group,
                                                  const std::vector<MemberName>& members);

  // A heartbeat of the consumer protocol, joins and leaves included. An empty member id is replaced
  // by a fresh one. As ConsumerGroup::Heartbeat, and kGroupNotFound.
  using ConsumerDone = absl::AnyInvocable<void(absl::StatusOr<ConsumerHeartbeatAnswer>) &&>;
  void Heartbeat(const std::string& group, ConsumerHeartbeat request, ConsumerDone done);
  // kGroupNotFound for other groups too.
  absl::StatusOr<ConsumerGroupDescription> DescribeConsumers(const std::string& group) const;

  struct OffsetCommit {
    MemberName member{};
    int32_t generation = -1;  // Or the member's epoch.
    // The request's version may be of a member of the consumer protocol.
    bool knows_epochs = false;
    std::vector<std::pair<TopicPartition, CommittedOffset>> offsets{};
  };
  // All of them, or none. What is too long is the caller's to sort out before.
  void CommitOffsets(const std::string& group, OffsetCommit commit, StatusDone done);
  // Null when nothing is kept; valid until the next call. Members of the consumer protocol say who
  // they are: kUnknownMemberId, kStaleMemberEpoch.
  struct EpochOfMember {
    std::string member{};
    int32_t epoch = -1;
  };
  absl::StatusOr<const GroupStore::Offsets*> OffsetsOf(
      const std::string& group, const std::optional<EpochOfMember>& by = std::nullopt) const;

  // kGroupNotFound, kGroupNotEmpty.
  void DeleteGroup(const std::string& group, StatusDone done);
  // One status a partition: kGroupSubscribed where a member reads the topic. kGroupNotFound, and
  // kGroupNotEmpty for members of other protocol types, for all of it.
  using DeletedDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<absl::Status>>) &&>;
  void DeleteOffsets(const std::string& group, const std::vector<TopicPartition>& partitions,
                     DeletedDone done);
  // A group that is not there is Dead, and so is one of the consumer protocol.
  absl::StatusOr<GroupDescription> Describe(const std::string& group) const;
  absl::StatusOr<std::vector<GroupListing>> List() const;

  // The topics are gone: so are the offsets committed for them.
  void DropTopic(const std::string& topic);
  // Offsets that nobody has used for as long as they are to be kept (KIP-211).
  void ExpireOffsets();

  void Tick();
  std::optional<MonoTime> NextDeadline() const;

  const GroupStore& store() const { return store_; }

 private:
  // One of the two.
  struct Group {
    std::unique_ptr<ClassicGroup> classic;
    std::unique_ptr<ConsumerGroup> consumer;
    bool deleting = false;
    bool reloading = false;            // What it holds for appended was not: it is made anew.
    std::optional<MonoTime> deadline;  // As it is in deadlines_.
    // Who waits for the append of a consumer group that is the last one under way; null: none is.
    std::shared_ptr<std::vector<StatusDone>> last_append;

    bool empty() const { return consumer ? consumer->empty() : classic->empty(); }
  };

  // Calls `work`, then gives the answers that came of it and looks at the group's deadline.
  template <class Work>
  auto With(const std::string& group, Work work);
  absl::StatusOr<Group*> Find(const std::string& group) const;
  // What stands in the store makes it one or the other; nothing: an empty classic group.
  Group& Make(const std::string& group, const GroupStore::Group* stored);
  ClassicGroup::Env EnvOf(const std::string& group);
  absl::Status CheckRoom() const;
  absl::Status CheckJoin(const std::string& group, const JoinRequest& request) const;
  void Settle(const std::string& group);
  void Erase(const std::string& group);
  void RunReplies();
  void Append(std::vector<GroupRecord> records, StatusDone done);
  // Of the offsets of `stored` those that are to go, as records.
  std::vector<GroupRecord> Expired(const std::string& group, const GroupStore::Group& stored,
                                   int64_t now_ms) const;
  std::string FreshMemberId(const JoinRequest& request);

  // Groups of the consumer protocol: group_coordinator_consumers.cc.
  ConsumerGroup::Env ConsumerEnvOf(const std::string& group) const;
  void BecomeClassic(const std::string& group, Group& entry);
  Group& BecomeConsumer(const std::string& group, std::unique_ptr<ConsumerGroup> consumer,
                        std::vector<GroupRecord>& records);
  // A group with members goes on under the other protocol. Null: it may not.
  std::unique_ptr<ConsumerGroup> Upgraded(const std::string& group, const ClassicGroup& classic,
                                          std::vector<GroupRecord>& records) const;
  void MaybeDowngrade(const std::string& group, Group& entry, std::vector<GroupRecord>& records);
  void JoinConsumers(const std::string& group, Group& entry, const JoinRequest& request,
                     JoinDone done);
  void SyncConsumers(const std::string& group, Group& entry, const SyncRequest& request,
                     SyncDone done);
  std::vector<absl::Status> LeaveConsumers(const std::string& group, Group& entry,
                                           const std::vector<MemberName>& members);
  // Appends `records`, and calls `then` once they, and all that the group has appended before, are
  // committed.
  void AppendOf(const std::string& group, Group& entry, std::vector<GroupRecord> records,
                StatusDone then);
  void Reload(const std::string& group);
  absl::Status CheckCommit(Group& entry, const OffsetCommit& commit);
  static bool SubscribesTo(const Group& group, const std::string& topic);

  const Env env_;
  GroupStore store_;
  bool leads_ = false;
  uint64_t leadership_ = 0;  // Completions of an earlier one say nothing any more.
  mutable absl::flat_hash_map<std::string, std::unique_ptr<Group>> groups_;  // While it leads.
  std::set<std::pair<MonoTime, std::string>> deadlines_;
  std::vector<Task> replies_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
