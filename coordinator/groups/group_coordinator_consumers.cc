// What the coordinator does for groups of the consumer protocol.
#include <utility>

#include "common/status.h"
#include "common/uuid.h"
#include "coordinator/groups/consumer_protocol.h"
#include "coordinator/groups/consumer_records.h"
#include "coordinator/groups/group_coordinator.h"
#include "coordinator/groups/group_errors.h"

namespace garam {

ConsumerGroup::Env GroupCoordinator::ConsumerEnvOf(const std::string& group) const {
  ConsumerGroup::Env env{group, env_.limits, env_.topics};
  if (env_.times) env.times = [this, group] { return env_.times(group); };
  return env;
}

void GroupCoordinator::Heartbeat(const std::string& group, ConsumerHeartbeat request,
                                 ConsumerDone done) {
  const absl::StatusOr<Group*> found = Find(group);
  if (!found.ok()) return std::move(done)(found.status());
  const bool joins = request.epoch == kJoinEpoch;
  if (joins && request.member_id.empty()) {
    request.member_id = Uuid::Generate(env_.random).ToString();
  }
  // Nothing comes of a heartbeat that fails: not a new group either.
  std::vector<GroupRecord> records;
  std::unique_ptr<ConsumerGroup> fresh;
  if (*found == nullptr || !(*found)->consumer) {
    if (!joins) return std::move(done)(NoSuchGroup(group));
    if (*found == nullptr) {
      if (absl::Status status = CheckRoom(); !status.ok()) return std::move(done)(status);
    }
    const bool goes_on = *found != nullptr && !(*found)->empty();
    fresh = goes_on ? Upgraded(group, *(*found)->classic, records)
                    : std::make_unique<ConsumerGroup>(ConsumerEnvOf(group));
    if (fresh == nullptr) return std::move(done)(NoSuchGroup(group));
  }
  ConsumerGroup& consumers = fresh ? *fresh : *(*found)->consumer;
  absl::StatusOr<ConsumerHeartbeatAnswer> answer =
      consumers.Heartbeat(request, env_.now(), records);
  if (!answer.ok()) return std::move(done)(answer.status());
  Group& entry = fresh ? BecomeConsumer(group, std::move(fresh), records) : **found;
  MaybeDowngrade(group, entry, records);
  Settle(group);
  AppendOf(group, entry, std::move(records),
           [answer = *std::move(answer), done = std::move(done)](absl::Status status) mutable {
             if (!status.ok()) return std::move(done)(std::move(status));
             std::move(done)(std::move(answer));
           });
  RunReplies();
}

std::unique_ptr<ConsumerGroup> GroupCoordinator::Upgraded(const std::string& group,
                                                          const ClassicGroup& classic,
                                                          std::vector<GroupRecord>& records) const {
  const ConsumerGroupLimits& limits = env_.limits.consumers;
  if (!limits.upgrades || classic.protocol_type() != kConsumerProtocolType ||
      classic.size() > limits.group_size_max) {
    return nullptr;
  }
  std::optional<ConsumerGroupState> state = ConsumerGroup::FromClassic(classic, *env_.topics());
  if (!state) return nullptr;
  AddConsumerRecords(group, *state, records);
  return std::make_unique<ConsumerGroup>(ConsumerEnvOf(group), *std::move(state), env_.now());
}

// When nobody is left who uses the consumer protocol, those who are agree among themselves again.
void GroupCoordinator::MaybeDowngrade(const std::string& group, Group& entry,
                                      std::vector<GroupRecord>& records) {
  const Moment now = env_.now();
  if (!entry.consumer->IsClassic() || !env_.limits.consumers.downgrades ||
      entry.consumer->state().members.size() > env_.limits.group_size_max) {
    return;
  }
  const kafka::GroupMetadataValue value = entry.consumer->ToClassic(now);
  AddConsumerTombstones(group, entry.consumer->state(), records);
  records.push_back(MetadataRecord(group, value));
  entry.consumer.reset();
  entry.classic = std::make_unique<ClassicGroup>(EnvOf(group), value, now);
  entry.classic->Rebalance(now);
}

void GroupCoordinator::JoinConsumers(const std::string& group, Group& entry,
                                     const JoinRequest& request, JoinDone done) {
  const ConsumerGroupLimits& limits = env_.limits.consumers;
  if (!limits.upgrades && !limits.downgrades) {
    return std::move(done)({ProtocolDiffers(), request.member.id});
  }
  std::vector<GroupRecord> records;
  JoinAnswer answer = entry.consumer->Join(request, env_.now(), records);
  // A member that has changed its protocol may have been the last of the other.
  MaybeDowngrade(group, entry, records);
  AppendOf(group, entry, std::move(records),
           [answer = std::move(answer), done = std::move(done)](absl::Status status) mutable {
             if (!status.ok()) return std::move(done)({std::move(status), answer.member_id});
             std::move(done)(std::move(answer));
           });
}

void GroupCoordinator::SyncConsumers(const std::string& group, Group& entry,
                                     const SyncRequest& request, SyncDone done) {
  absl::StatusOr<SyncAnswer> answer = entry.consumer->Sync(request, env_.now());
  if (!answer.ok()) return std::move(done)({answer.status()});
  AppendOf(group, entry, {},
           [answer = *std::move(answer), done = std::move(done)](absl::Status status) mutable {
             if (!status.ok()) return std::move(done)({std::move(status)});
             std::move(done)(std::move(answer));
           });
}

std::vector<absl::Status> GroupCoordinator::LeaveConsumers(const std::string& group, Group& entry,
                                                           const std::vector<MemberName>& members) {
  std::vector<GroupRecord> records;
  std::vector<absl::Status> statuses;
  for (const MemberName& member : members) {
    statuses.push_back(entry.consumer->Leave(member, records));
  }
  MaybeDowngrade(group, entry, records);
  AppendOf(group, entry, std::move(records), [](absl::Status) {});
  return statuses;
}

GroupCoordinator::Group& GroupCoordinator::BecomeConsumer(const std::string& group,
                                                          std::unique_ptr<ConsumerGroup> consumer,
                                                          std::vector<GroupRecord>& records) {
  auto& place = groups_[group];
  if (place == nullptr) {
    place = std::make_unique<Group>();
  } else {
    records.insert(records.begin(), MetadataTombstone(group));
    if (place->classic) place->classic->Fail(Rebalancing());
    place->classic.reset();
  }
  place->consumer = std::move(consumer);
  return *place;
}

void GroupCoordinator::BecomeClassic(const std::string& group, Group& entry) {
  std::vector<GroupRecord> records;
  AddConsumerTombstones(group, entry.consumer->state(), records);
  entry.consumer.reset();
  entry.classic = std::make_unique<ClassicGroup>(EnvOf(group), env_.now());
  AppendOf(group, entry, std::move(records), [](absl::Status) {});
}

void GroupCoordinator::AppendOf(const std::string& group, Group& entry,
                                std::vector<GroupRecord> records, StatusDone then) {
  if (records.empty() && entry.last_append == nullptr) return std::move(then)(absl::OkStatus());
  if (records.empty()) return entry.last_append->push_back(std::move(then));
  auto waiting = std::make_shared<std::vector<StatusDone>>();
  waiting->push_back(std::move(then));
  entry.last_append = waiting;
  Append(std::move(records),
         [this, group, waiting, leadership = leadership_](const absl::Status& status) {
           const auto found = groups_.find(group);
           if (leads_ && leadership == leadership_ && found != groups_.end()) {
             Group& of = *found->second;
             if (of.last_append == waiting) of.last_append.reset();
             if (!status.ok()) Reload(group);
           }
           for (StatusDone& done : *waiting) std::move(done)(status);
         });
}

// The group went on from what is not in the log. What is, says how it stands: once all that is
// under way has been applied or lost.
void GroupCoordinator::Reload(const std::string& group) {
  if (std::exchange(groups_.at(group)->reloading, true)) return;
  Settle(group);
  env_.drain([this, weak = std::weak_ptr<bool>(alive_), group,
              leadership = leadership_](const absl::Status&) {
    if (weak.expired() || !leads_ || leadership != leadership_) return;
    const auto found = groups_.find(group);
    if (found != groups_.end() && found->second->classic) {
      found->second->classic->Fail(Reading());
    }
    Erase(group);
    if (const GroupStore::Group* const stored = store_.Find(group); stored != nullptr) {
      Make(group, stored);
      Settle(group);
    }
    RunReplies();
  });
}

absl::StatusOr<ConsumerGroupDescription> GroupCoordinator::DescribeConsumers(
    const std::string& group) const {
  ASSIGN_OR_RETURN(const Group* const found, Find(group));
  if (found == nullptr || !found->consumer) return NoSuchGroup(group);
  return found->consumer->Describe();
}

absl::Status GroupCoordinator::CheckCommit(Group& entry, const OffsetCommit& commit) {
  if (entry.classic)
    return entry.classic->CheckCommit(commit.member, commit.generation, env_.now());
  const auto& members = entry.consumer->state().members;
  const auto member = members.find(commit.member.id);
  if (!commit.knows_epochs && member != members.end() && !member->second.facts.classic) {
    return MakeError(Errc::kUnsupportedVersion,
                     "OffsetCommit version 9 or above must be used by members using the consumer "
                     "group protocol");
  }
  return entry.consumer->CheckCommit(commit.member.id, commit.generation, commit.offsets);
}

bool GroupCoordinator::SubscribesTo(const Group& group, const std::string& topic) {
  return group.consumer ? group.consumer->SubscribesTo(topic) : group.classic->SubscribesTo(topic);
}

}  // namespace garam
