// One group of the consumer protocol (KIP-848): the broker assigns, and each member comes to what
// it is to have by its own heartbeats, without waiting for the others.
//
//   members change, or topics do ──► the group's epoch rises ──► a target is made for it ──► each
//   member goes to that epoch, giving up and taking partitions (member_reconciler.h)
//
// A partition never has two members: it goes to its new one after the old one has said that it does
// not have it, has left, or has been given up as gone.
//
// Pure: time is passed in, and what is to be stored is added to `records`. The caller appends each
// call's records together, and gives the answer once they are committed; the next call may come
// before that. A call that fails has changed nothing and adds no records.
//
// Threads:   its owner's.
// Ownership: what Env refers to outlives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/groups/classic_group.h"
#include "coordinator/groups/consumer_protocol.h"
#include "coordinator/groups/consumer_types.h"
#include "coordinator/groups/group_records.h"
#include "coordinator/groups/group_topics.h"
#include "coordinator/groups/group_types.h"

namespace garam {

// What can be said of a heartbeat without knowing the group. `names_itself`: the member must have
// chosen its id (version 1 on). kInvalidRequest, kUnsupportedAssignor.
absl::Status CheckHeartbeat(std::string_view group, const ConsumerHeartbeat& request,
                            bool names_itself, const ConsumerGroupLimits& limits);

class ConsumerGroup {
 public:
  using Records = std::vector<GroupRecord>;

  struct Env {
    std::string name;
    const GroupLimits& limits;
    std::function<std::shared_ptr<const GroupTopics>()> topics;
    std::function<ConsumerTimes()> times{};  // In force for this group; none: those of `limits`.
  };

  explicit ConsumerGroup(Env env);
  // As it was stored; every member has a whole session to be heard of again.
  ConsumerGroup(Env env, ConsumerGroupState stored, Moment now);

  // Also joins and leaves; `request` has passed CheckHeartbeat and has a member id.
  // kUnknownMemberId, kFencedMemberEpoch, kFencedInstanceId, kUnreleasedInstanceId, kGroupFull,
  // kInvalidRegex.
  absl::StatusOr<ConsumerHeartbeatAnswer> Heartbeat(const ConsumerHeartbeat& request, Moment now,
                                                    Records& records);

  // Members that use the classic protocol, in a group that has members of both
  // (consumer_group_classic.cc): they are told by their heartbeats to join again, and learn by
  // SyncGroup what they are to read. Their generation is their epoch. Errors as ClassicGroup's.
  JoinAnswer Join(const JoinRequest& request, Moment now, Records& records);
  absl::StatusOr<SyncAnswer> Sync(const SyncRequest& request, Moment now);
  absl::Status Heartbeat(const MemberName& member, int32_t generation, Moment now);
  absl::Status Leave(const MemberName& member, Records& records);
  // Whether nobody is left who uses the consumer protocol.
  bool IsClassic() const;
  // The group as one of the classic protocol, and the other way round. Nothing: its members have an
  // assignor of their own.
  kafka::GroupMetadataValue ToClassic(Moment now) const;
  static std::optional<ConsumerGroupState> FromClassic(const ClassicGroup& group,
                                                       const GroupTopics& topics);

  // Whether the member may commit these offsets (KIP-1251: of an older epoch, what it has had
  // since). kUnknownMemberId, kStaleMemberEpoch.
  using Offsets = std::span<const std::pair<TopicPartition, CommittedOffset>>;
  absl::Status CheckCommit(const std::string& member, int32_t epoch, Offsets offsets) const;
  // The same for reading them.
  absl::Status CheckFetch(const std::string& member, int32_t epoch) const;

  // Members that are silent, or do not give up what they are to, are members no more.
  void Tick(Moment now, Records& records);
  // Not later than anything is due.
  std::optional<MonoTime> NextDeadline() const;

  bool empty() const { return state_.members.empty(); }
  const ConsumerGroupState& state() const { return state_; }
  // "Empty", "Assigning", "Reconciling" or "Stable".
  std::string_view StateName() const;
  ConsumerGroupDescription Describe() const;
  bool SubscribesTo(const std::string& topic) const;

 private:
  ConsumerTimes Times() const;
  struct Timer {
    MonoTime session_until;
    std::optional<MonoTime> revoked_until{};  // While it has partitions to give up.
    // A classic member's: told to join again, and joined but not synced.
    std::optional<MonoTime> join_until{};
    std::optional<MonoTime> sync_until{};
    MonoTime first() const;
  };
  // Whom a heartbeat comes from, and what of it has to be settled before anything changes.
  struct Sender {
    std::optional<std::string> replaced{};    // The static member whose place it takes.
    std::optional<ResolvedRegex> resolved{};  // Of a regular expression that is new here.
  };

  absl::StatusOr<Sender> Check(const ConsumerHeartbeat& request, const GroupTopics& topics,
                               Moment now) const;
  absl::StatusOr<std::optional<std::string>> CheckMember(const ConsumerHeartbeat& request) const;
  absl::Status CheckEpoch(const ConsumerMember& member, const ConsumerHeartbeat& request) const;
  absl::Status CheckStatic(const std::string& member, const std::string& instance) const;
  absl::StatusOr<ConsumerHeartbeatAnswer> Leave(const ConsumerHeartbeat& request, Records& records);
  // What a heartbeat that may be does to its sender and to the group; whether what the sender has
  // has changed.
  bool Take(const ConsumerHeartbeat& request, Sender sender, const GroupTopics& topics, Moment now,
            Records& records);
  bool SupportsProtocols(const JoinRequest& request) const;
  absl::Status CheckClassic(const MemberName& member) const;
  // Whether some of what it is to have is still another's.
  bool WaitsForOthers(const std::string& id, const ConsumerMember& member) const;
  PartitionsByName Named(const TopicPartitions& partitions) const;
  Bytes AssignmentBytes(const Bytes& subscription, const ConsumerMember& member) const;
  void Hear(const std::string& id, Moment now);
  void Replace(const std::string& old_id, const std::string& id, Records& records);
  // Whether its subscription has changed.
  bool Update(const ConsumerHeartbeat& request, std::optional<ResolvedRegex> resolved,
              Records& records);
  void Fence(const std::set<std::string>& members, Records& records);

  void RefreshTopics(const GroupTopics& topics, bool changed, Moment now, Records& records);
  void RefreshRegexes(const GroupTopics& topics, Moment now, Records& records);
  void DropUnusedRegexes(Records& records);
  void BeginEpoch(int64_t topics_hash, Records& records);
  int64_t HashOf(const GroupTopics& topics) const;
  // What members are subscribed to, as far as it exists, by name.
  std::map<std::string, AssignorTopic> TopicsOf(const GroupTopics& topics) const;
  std::set<std::string> NamesOf(const ConsumerFacts& facts) const;
  std::string Assignor() const;
  void MaybeAssign(const GroupTopics& topics, Moment now, Records& records);
  // Whether what the member has has changed.
  bool Advance(const std::string& id, const GroupTopics& topics, bool subscription_changed,
               const TopicPartitions* owned, Moment now, Records& records);
  // Counts who has which partition.
  void Hold(const HeldPartitions& partitions, int32_t by);
  void Hold(const ConsumerMember& member, int32_t by);
  void Watch(MonoTime deadline) { next_check_ = std::min(next_check_, deadline); }

  const Env env_;
  ConsumerGroupState state_;
  std::map<std::string, std::string> static_ids_;  // Instance id to member id.
  absl::flat_hash_map<std::pair<TopicId, int32_t>, int32_t> holders_;
  std::map<std::string, Timer> timers_;
  MonoTime next_check_ = MonoTime::max();
  int64_t topics_version_ = -1;  // That the epoch has been looked at for.
};

}  // namespace garam
