#include "coordinator/groups/group_coordinator.h"

#include <algorithm>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/uuid.h"
#include "coordinator/groups/consumer_protocol.h"
#include "coordinator/groups/consumer_records.h"
#include "coordinator/groups/group_errors.h"

namespace garam {
namespace {

absl::Status CheckGroupId(const std::string& group) {
  if (!group.empty()) return absl::OkStatus();
  return MakeError(Errc::kInvalidGroupId, "the group id is empty");
}

}  // namespace

GroupCoordinator::GroupCoordinator(Env env) : env_(std::move(env)) {}

GroupCoordinator::~GroupCoordinator() = default;

template <class Work>
auto GroupCoordinator::With(const std::string& group, Work work) {
  if constexpr (std::is_void_v<decltype(work())>) {
    work();
    Settle(group);
    RunReplies();
  } else {
    auto result = work();
    Settle(group);
    RunReplies();
    return result;
  }
}

absl::Status GroupCoordinator::Apply(const GroupRecord& record) { return store_.Apply(record); }

void GroupCoordinator::Clear() { store_.Clear(); }

void GroupCoordinator::Lead() {
  if (leads_) return;
  leads_ = true;
  ++leadership_;
  for (const auto& [name, stored] : store_.groups()) {
    Make(name, &stored);
    Settle(name);
  }
}

void GroupCoordinator::Resign() {
  if (!std::exchange(leads_, false)) return;
  for (auto& [name, group] : groups_) {
    if (group->classic) group->classic->Fail(NotCoordinator());
  }
  groups_.clear();
  deadlines_.clear();
  RunReplies();
}

// Null when there is none.
absl::StatusOr<GroupCoordinator::Group*> GroupCoordinator::Find(const std::string& group) const {
  if (!leads_) return NotCoordinator();
  RETURN_IF_ERROR(CheckGroupId(group));
  const auto found = groups_.find(group);
  if (found == groups_.end()) return nullptr;
  if (found->second->deleting) {
    return MakeError(Errc::kCoordinatorLoading, "the group is being deleted: try again");
  }
  if (found->second->reloading) {
    return Reading();
  }
  return found->second.get();
}

GroupCoordinator::Group& GroupCoordinator::Make(const std::string& group,
                                                const GroupStore::Group* stored) {
  auto& place = groups_[group];
  place = std::make_unique<Group>();
  const Moment now = env_.now();
  // A change of protocol that was stored by half leaves an empty group of the other one.
  const bool consumers = stored != nullptr && stored->consumer &&
                         (!stored->classic || !stored->consumer->members.empty());
  if (consumers) {
    place->consumer = std::make_unique<ConsumerGroup>(ConsumerEnvOf(group), *stored->consumer, now);
  } else if (stored != nullptr && stored->classic) {
    place->classic = std::make_unique<ClassicGroup>(EnvOf(group), *stored->classic, now);
  } else {
    place->classic = std::make_unique<ClassicGroup>(EnvOf(group), now);
  }
  return *place;
}

ClassicGroup::Env GroupCoordinator::EnvOf(const std::string& group) {
  auto write = [this, group](kafka::GroupMetadataValue value, StatusDone done) {
    Append({MetadataRecord(group, value)},
           [this, group, done = std::move(done)](absl::Status status) mutable {
             std::move(done)(std::move(status));
             Settle(group);
             RunReplies();
           });
  };
  return {env_.limits, std::move(write), replies_, env_.now};
}

// What comes after a change of leadership is nobody's any more.
void GroupCoordinator::Append(std::vector<GroupRecord> records, StatusDone done) {
  env_.append(std::move(records),
              [this, weak = std::weak_ptr<bool>(alive_), leadership = leadership_,
               done = std::move(done)](absl::Status status) mutable {
                if (weak.expired()) return;
                if (!leads_ || leadership != leadership_) status = NotCoordinator();
                std::move(done)(std::move(status));
              });
}

void GroupCoordinator::Settle(const std::string& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  Group& entry = *found->second;
  std::optional<MonoTime> next;
  if (!entry.reloading) {
    next = entry.consumer ? entry.consumer->NextDeadline() : entry.classic->NextDeadline();
  }
  if (next == entry.deadline) return;
  if (entry.deadline) deadlines_.erase({*entry.deadline, group});
  if (next) deadlines_.emplace(*next, group);
  entry.deadline = next;
}

void GroupCoordinator::Erase(const std::string& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  if (found->second->deadline) deadlines_.erase({*found->second->deadline, group});
  groups_.erase(found);
}

void GroupCoordinator::RunReplies() {
  while (!replies_.empty()) {
    for (Task& reply : std::exchange(replies_, {})) std::move(reply)();
  }
}

void GroupCoordinator::Tick() {
  const Moment now = env_.now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) {
    const std::string group = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    Group& entry = *groups_.at(group);
    entry.deadline.reset();
    With(group, [&] {
      if (entry.classic) return entry.classic->Tick(now);
      std::vector<GroupRecord> records;
      entry.consumer->Tick(now, records);
      MaybeDowngrade(group, entry, records);
      AppendOf(group, entry, std::move(records), [](absl::Status) {});
    });
  }
}

std::optional<MonoTime> GroupCoordinator::NextDeadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::string GroupCoordinator::FreshMemberId(const JoinRequest& request) {
  return absl::StrCat(request.member.instance_id.value_or(request.client_id), "-",
                      Uuid::Generate(env_.random).ToHyphenated());
}

// For one group more.
absl::Status GroupCoordinator::CheckRoom() const {
  if (groups_.size() < env_.limits.groups_max) return absl::OkStatus();
  return MakeError(Errc::kGroupFull,
                   "the broker keeps no more groups: delete some, or raise garam.groups.max");
}

absl::Status GroupCoordinator::CheckJoin(const std::string& group,
                                         const JoinRequest& request) const {
  RETURN_IF_ERROR(CheckGroupId(group));
  if (request.session_timeout < env_.limits.session_timeout_min ||
      request.session_timeout > env_.limits.session_timeout_max) {
    return MakeError(Errc::kInvalidSessionTimeout,
                     "session.timeout.ms is not between the broker's group.min.session.timeout.ms "
                     "and group.max.session.timeout.ms");
  }
  return absl::OkStatus();
}

void GroupCoordinator::Join(const std::string& group, JoinRequest request, JoinDone done) {
  const auto refuse = [&](absl::Status status) {
    std::move(done)({std::move(status), request.member.id});
  };
  absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return refuse(found.status());
  if (absl::Status status = CheckJoin(group, request); !status.ok()) return refuse(status);
  if (*found == nullptr) {
    if (!request.member.id.empty()) return refuse(UnknownMember());
    if (absl::Status status = CheckRoom(); !status.ok()) return refuse(status);
    found = &Make(group, nullptr);
  }
  request.fresh_member_id = FreshMemberId(request);
  if ((*found)->consumer && !(*found)->consumer->empty()) {
    return With(group, [&] { JoinConsumers(group, **found, request, std::move(done)); });
  }
  if ((*found)->consumer) BecomeClassic(group, **found);
  With(group, [&] { (*found)->classic->Join(std::move(request), env_.now(), std::move(done)); });
}

void GroupCoordinator::Sync(const std::string& group, SyncRequest request, SyncDone done) {
  const auto refuse = [&](absl::Status status) { std::move(done)({std::move(status)}); };
  absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return refuse(found.status());
  if (*found == nullptr) return refuse(UnknownMember());
  if ((*found)->consumer) {
    return With(group, [&] { SyncConsumers(group, **found, request, std::move(done)); });
  }
  With(group, [&] { (*found)->classic->Sync(std::move(request), env_.now(), std::move(done)); });
}

absl::Status GroupCoordinator::Heartbeat(const std::string& group, const MemberName& member,
                                         int32_t generation) {
  ASSIGN_OR_RETURN(Group* const found, Find(group));
  if (found == nullptr) return UnknownMember();
  return With(group, [&] {
    return found->consumer ? found->consumer->Heartbeat(member, generation, env_.now())
                           : found->classic->Heartbeat(member, generation, env_.now());
  });
}

absl::StatusOr<std::vector<absl::Status>> GroupCoordinator::Leave(
    const std::string& group, const std::vector<MemberName>& members) {
  ASSIGN_OR_RETURN(Group* const found, Find(group));
  return With(group, [&] {
    if (found != nullptr && found->consumer) return LeaveConsumers(group, *found, members);
    std::vector<absl::Status> statuses;
    for (const MemberName& member : members) {
      statuses.push_back(found == nullptr ? UnknownMember()
                                          : found->classic->Leave(member, env_.now()));
    }
    return statuses;
  });
}

void GroupCoordinator::CommitOffsets(const std::string& group, OffsetCommit commit,
                                     StatusDone done) {
  absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return std::move(done)(found.status());
  if (*found == nullptr) {
    // Whoever assigns partitions to itself needs no members to keep its offsets.
    if (commit.generation >= 0 && commit.knows_epochs) return std::move(done)(NoSuchGroup(group));
    if (commit.generation >= 0) {
      return std::move(done)(MakeError(Errc::kIllegalGeneration, "the group is gone: join again"));
    }
    if (absl::Status status = CheckRoom(); !status.ok()) return std::move(done)(status);
    found = &Make(group, nullptr);
  }
  const absl::Status status = With(group, [&] { return CheckCommit(**found, commit); });
  if (!status.ok()) return std::move(done)(status);
  std::vector<GroupRecord> records;
  records.reserve(commit.offsets.size());
  for (const auto& [partition, offset] : commit.offsets) {
    records.push_back(OffsetRecord(group, partition, offset));
  }
  if (records.empty()) return std::move(done)(absl::OkStatus());
  Append(std::move(records), std::move(done));
}

absl::StatusOr<const GroupStore::Offsets*> GroupCoordinator::OffsetsOf(
    const std::string& group, const std::optional<EpochOfMember>& by) const {
  if (!leads_) return NotCoordinator();
  const auto known = groups_.find(group);
  if (by && known != groups_.end() && known->second->consumer) {
    RETURN_IF_ERROR(known->second->consumer->CheckFetch(by->member, by->epoch));
  }
  const GroupStore::Group* const stored = store_.Find(group);
  return stored == nullptr ? nullptr : &stored->offsets;
}

void GroupCoordinator::DeleteGroup(const std::string& group, StatusDone done) {
  const absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return std::move(done)(found.status());
  if (*found == nullptr) return std::move(done)(NoSuchGroup(group));
  if (!(*found)->empty()) {
    return std::move(done)(GroupHasMembers());
  }
  std::vector<GroupRecord> records;
  if (const GroupStore::Group* stored = store_.Find(group); stored != nullptr) {
    for (const auto& [partition, offset] : stored->offsets) {
      records.push_back(OffsetTombstone(group, partition));
    }
    if (stored->classic) records.push_back(MetadataTombstone(group));
  }
  if ((*found)->consumer) AddConsumerTombstones(group, (*found)->consumer->state(), records);
  (*found)->deleting = true;
  auto finish = [this, group, done = std::move(done)](absl::Status status) mutable {
    const auto entry = groups_.find(group);
    if (entry != groups_.end() && status.ok()) {
      Erase(group);
    } else if (entry != groups_.end()) {
      entry->second->deleting = false;
    }
    std::move(done)(std::move(status));
  };
  if (records.empty()) return finish(absl::OkStatus());
  Append(std::move(records), std::move(finish));
}

void GroupCoordinator::DeleteOffsets(const std::string& group,
                                     const std::vector<TopicPartition>& partitions,
                                     DeletedDone done) {
  const absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return std::move(done)(found.status());
  if (*found == nullptr) return std::move(done)(NoSuchGroup(group));
  const Group& entry = **found;
  if (entry.classic && !entry.empty() && entry.classic->protocol_type() != kConsumerProtocolType) {
    return std::move(done)(GroupHasMembers());
  }
  std::vector<absl::Status> statuses;
  std::vector<GroupRecord> records;
  const GroupStore::Group* const stored = store_.Find(group);
  for (const TopicPartition& partition : partitions) {
    if (SubscribesTo(entry, partition.first)) {
      statuses.push_back(
          MakeError(Errc::kGroupSubscribed, "a consumer of the group is subscribed to the topic"));
      continue;
    }
    statuses.push_back(absl::OkStatus());
    if (stored != nullptr && stored->offsets.contains(partition)) {
      records.push_back(OffsetTombstone(group, partition));
    }
  }
  if (records.empty()) return std::move(done)(std::move(statuses));
  Append(std::move(records),
         [statuses = std::move(statuses), done = std::move(done)](absl::Status status) mutable {
           if (!status.ok()) return std::move(done)(std::move(status));
           std::move(done)(std::move(statuses));
         });
}

absl::StatusOr<GroupDescription> GroupCoordinator::Describe(const std::string& group) const {
  ASSIGN_OR_RETURN(const Group* const found, Find(group));
  if (found == nullptr || found->consumer) {
    GroupDescription dead;
    dead.state = "Dead";
    return dead;
  }
  return found->classic->Describe();
}

absl::StatusOr<std::vector<GroupListing>> GroupCoordinator::List() const {
  if (!leads_) return NotCoordinator();
  std::vector<GroupListing> listings;
  listings.reserve(groups_.size());
  for (const auto& [name, group] : groups_) {
    if (group->consumer) {
      listings.push_back({name, std::string(kConsumerProtocolType),
                          std::string(group->consumer->StateName()), "consumer"});
    } else {
      listings.push_back({name, group->classic->protocol_type(),
                          std::string(ClassicGroup::NameOf(group->classic->state())), "classic"});
    }
  }
  return listings;
}

void GroupCoordinator::DropTopic(const std::string& topic) {
  if (!leads_) return;
  std::vector<GroupRecord> records;
  for (const auto& [name, stored] : store_.groups()) {
    for (const auto& [partition, offset] : stored.offsets) {
      if (partition.first == topic) records.push_back(OffsetTombstone(name, partition));
    }
  }
  if (!records.empty()) Append(std::move(records), [](absl::Status) {});
}

std::vector<GroupRecord> GroupCoordinator::Expired(const std::string& group,
                                                   const GroupStore::Group& stored,
                                                   int64_t now_ms) const {
  const Group& entry = *groups_.at(group);
  const ClassicGroup* const classic = entry.classic.get();
  std::vector<GroupRecord> records;
  if (classic != nullptr && !classic->empty()) {
    const bool consumers = classic->protocol_type() == kConsumerProtocolType;
    if (!consumers || classic->state() != ClassicGroup::State::kStable) return records;
  }
  const int64_t kept_ms = std::chrono::duration_cast<Millis>(env_.limits.offsets_retention).count();
  for (const auto& [partition, offset] : stored.offsets) {
    if (!entry.empty() && SubscribesTo(entry, partition.first)) continue;
    const bool was_joined =
        classic != nullptr && classic->empty() && !classic->protocol_type().empty();
    const int64_t since = was_joined
                              ? std::max(classic->state_since_ms(), offset.commit_timestamp_ms)
                              : offset.commit_timestamp_ms;
    const bool over = offset.expire_timestamp_ms != -1 ? now_ms >= offset.expire_timestamp_ms
                                                       : now_ms - since >= kept_ms;
    if (over) records.push_back(OffsetTombstone(group, partition));
  }
  return records;
}

void GroupCoordinator::ExpireOffsets() {
  if (!leads_) return;
  const int64_t now_ms = env_.now().wall_ms;
  std::vector<std::string> over;
  for (const auto& [name, stored] : store_.groups()) {
    // What was committed while its group was being deleted has made it anew.
    if (!groups_.contains(name)) Make(name, &stored);
    const Group& group = *groups_.at(name);
    if (group.deleting || group.reloading) continue;
    std::vector<GroupRecord> records = Expired(name, stored, now_ms);
    const bool all = records.size() == stored.offsets.size();
    if (all && group.empty()) {
      over.push_back(name);
    } else if (!records.empty()) {
      Append(std::move(records), [](absl::Status) {});
    }
  }
  for (const std::string& name : over) DeleteGroup(name, [](absl::Status) {});
}

}  // namespace garam
