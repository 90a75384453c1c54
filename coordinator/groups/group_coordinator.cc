#include "coordinator/groups/group_coordinator.h"

#include <algorithm>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/uuid.h"
#include "coordinator/groups/consumer_protocol.h"

namespace garam {
namespace {

absl::Status NotCoordinator() {
  return MakeError(Errc::kNotCoordinator, "another broker coordinates this group: look it up anew");
}

absl::Status UnknownMember() {
  return MakeError(Errc::kUnknownMemberId, "the group has no such member: join anew");
}

absl::Status NoSuchGroup() { return MakeError(Errc::kGroupNotFound, "there is no such group"); }

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
    Make(name, stored.classic ? &*stored.classic : nullptr);
    Settle(name);
  }
}

void GroupCoordinator::Resign() {
  if (!std::exchange(leads_, false)) return;
  for (auto& [name, group] : groups_) group->classic->Fail(NotCoordinator());
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
  return found->second.get();
}

GroupCoordinator::Group& GroupCoordinator::Make(const std::string& group,
                                                const kafka::GroupMetadataValue* stored) {
  auto& place = groups_[group];
  place = std::make_unique<Group>();
  place->classic = stored == nullptr
                       ? std::make_unique<ClassicGroup>(EnvOf(group), env_.now())
                       : std::make_unique<ClassicGroup>(EnvOf(group), *stored, env_.now());
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
  const std::optional<MonoTime> next = entry.classic->NextDeadline();
  if (next == entry.deadline) return;
  if (entry.deadline) deadlines_.erase({*entry.deadline, group});
  if (next) deadlines_.emplace(*next, group);
  entry.deadline = next;
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
    With(group, [&] { entry.classic->Tick(now); });
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
    JoinAnswer answer;
    answer.status = std::move(status);
    answer.member_id = request.member.id;
    std::move(done)(std::move(answer));
  };
  absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return refuse(found.status());
  if (absl::Status status = CheckJoin(group, request); !status.ok()) return refuse(status);
  if (*found == nullptr) {
    if (!request.member.id.empty()) return refuse(UnknownMember());
    found = &Make(group, nullptr);
  }
  request.fresh_member_id = FreshMemberId(request);
  With(group, [&] { (*found)->classic->Join(std::move(request), env_.now(), std::move(done)); });
}

void GroupCoordinator::Sync(const std::string& group, SyncRequest request, SyncDone done) {
  const auto refuse = [&](absl::Status status) {
    SyncAnswer answer;
    answer.status = std::move(status);
    std::move(done)(std::move(answer));
  };
  absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return refuse(found.status());
  if (*found == nullptr) return refuse(UnknownMember());
  With(group, [&] { (*found)->classic->Sync(std::move(request), env_.now(), std::move(done)); });
}

absl::Status GroupCoordinator::Heartbeat(const std::string& group, const MemberName& member,
                                         int32_t generation) {
  ASSIGN_OR_RETURN(Group* const found, Find(group));
  if (found == nullptr) return UnknownMember();
  return With(group, [&] { return found->classic->Heartbeat(member, generation, env_.now()); });
}

absl::StatusOr<std::vector<absl::Status>> GroupCoordinator::Leave(
    const std::string& group, const std::vector<MemberName>& members) {
  ASSIGN_OR_RETURN(Group* const found, Find(group));
  return With(group, [&] {
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
    if (commit.generation >= 0) {
      return std::move(done)(MakeError(Errc::kIllegalGeneration, "the group is gone: join again"));
    }
    found = &Make(group, nullptr);
  }
  const absl::Status status = With(group, [&] {
    return (*found)->classic->CheckCommit(commit.member, commit.generation, env_.now());
  });
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
    const std::string& group) const {
  if (!leads_) return NotCoordinator();
  const GroupStore::Group* const stored = store_.Find(group);
  return stored == nullptr ? nullptr : &stored->offsets;
}

void GroupCoordinator::DeleteGroup(const std::string& group, StatusDone done) {
  const absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return std::move(done)(found.status());
  if (*found == nullptr) return std::move(done)(NoSuchGroup());
  if (!(*found)->classic->empty()) {
    return std::move(done)(
        MakeError(Errc::kGroupNotEmpty, "the group has members: stop its consumers first"));
  }
  std::vector<GroupRecord> records;
  if (const GroupStore::Group* stored = store_.Find(group); stored != nullptr) {
    for (const auto& [partition, offset] : stored->offsets) {
      records.push_back(OffsetTombstone(group, partition));
    }
    if (stored->classic) records.push_back(MetadataTombstone(group));
  }
  (*found)->deleting = true;
  auto finish = [this, group, done = std::move(done)](absl::Status status) mutable {
    const auto entry = groups_.find(group);
    if (entry != groups_.end() && status.ok()) {
      if (entry->second->deadline) deadlines_.erase({*entry->second->deadline, group});
      groups_.erase(entry);
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
  if (*found == nullptr) return std::move(done)(NoSuchGroup());
  const ClassicGroup& classic = *(*found)->classic;
  if (!classic.empty() && classic.protocol_type() != kConsumerProtocolType) {
    return std::move(done)(
        MakeError(Errc::kGroupNotEmpty, "the group has members: stop its consumers first"));
  }
  std::vector<absl::Status> statuses;
  std::vector<GroupRecord> records;
  const GroupStore::Group* const stored = store_.Find(group);
  for (const TopicPartition& partition : partitions) {
    if (classic.SubscribesTo(partition.first)) {
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
  if (found == nullptr) {
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
    listings.push_back({name, group->classic->protocol_type(),
                        std::string(ClassicGroup::NameOf(group->classic->state())), "classic"});
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
  const ClassicGroup& classic = *groups_.at(group)->classic;
  const bool consumers = classic.protocol_type() == kConsumerProtocolType;
  std::vector<GroupRecord> records;
  if (!classic.empty() && !(consumers && classic.state() == ClassicGroup::State::kStable)) {
    return records;
  }
  const int64_t kept_ms = std::chrono::duration_cast<Millis>(env_.limits.offsets_retention).count();
  for (const auto& [partition, offset] : stored.offsets) {
    if (!classic.empty() && classic.SubscribesTo(partition.first)) continue;
    const bool was_joined = classic.empty() && !classic.protocol_type().empty();
    const int64_t since = was_joined
                              ? std::max(classic.state_since_ms(), offset.commit_timestamp_ms)
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
    Group& group = *groups_.at(name);
    if (group.deleting) continue;
    std::vector<GroupRecord> records = Expired(name, stored, now_ms);
    const bool all = records.size() == stored.offsets.size();
    if (all && group.classic->empty()) {
      over.push_back(name);
    } else if (!records.empty()) {
      Append(std::move(records), [](absl::Status) {});
    }
  }
  for (const std::string& name : over) DeleteGroup(name, [](absl::Status) {});
}

}  // namespace garam
