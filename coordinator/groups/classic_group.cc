#include "coordinator/groups/classic_group.h"

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "coordinator/groups/consumer_protocol.h"
#include "coordinator/groups/group_errors.h"

namespace garam {
ClassicGroup::ClassicGroup(Env env, Moment now)
    : env_(std::move(env)), state_since_ms_(now.wall_ms) {}

ClassicGroup::ClassicGroup(Env env, const kafka::GroupMetadataValue& stored, Moment now)
    : env_(std::move(env)),
      state_(stored.members.empty() ? State::kEmpty : State::kStable),
      state_since_ms_(stored.current_state_timestamp),
      generation_(stored.generation),
      protocol_type_(stored.protocol_type),
      protocol_(stored.protocol),
      leader_(stored.leader.value_or("")) {
  for (const auto& kept : stored.members) {
    Member& member = members_[kept.member_id];
    member.instance_id = kept.group_instance_id;
    if (member.instance_id) static_ids_[*member.instance_id] = kept.member_id;
    member.client_id = kept.client_id;
    member.client_host = kept.client_host;
    member.session_timeout = Millis(kept.session_timeout);
    member.rebalance_timeout =
        Millis(kept.rebalance_timeout == -1 ? kept.session_timeout : kept.rebalance_timeout);
    // Of what it offered only what was chosen has been stored.
    member.protocols.push_back({protocol_.value_or(""), kept.subscription});
    member.assignment = kept.assignment;
    Hear(member, now);
  }
}

ClassicGroup::~ClassicGroup() = default;

std::string_view ClassicGroup::NameOf(State state) {
  switch (state) {
    case State::kEmpty:
      return "Empty";
    case State::kPreparingRebalance:
      return "PreparingRebalance";
    case State::kCompletingRebalance:
      return "CompletingRebalance";
    case State::kStable:
      return "Stable";
  }
  return "";
}

// Whether the request comes from who it says, and that one belongs to the group.
absl::Status ClassicGroup::CheckMember(const MemberName& member) const {
  if (member.instance_id) {
    const auto known = static_ids_.find(*member.instance_id);
    if (known == static_ids_.end()) return UnknownMember();
    if (known->second != member.id) {
      return InstanceFenced();
    }
  }
  return members_.contains(member.id) ? absl::OkStatus() : UnknownMember();
}

void ClassicGroup::Sync(SyncRequest request, Moment now, SyncDone done) {
  const auto refuse = [&](absl::Status status) { Reply(std::move(done), {std::move(status)}); };
  if (absl::Status status = CheckMember(request.member); !status.ok()) return refuse(status);
  if (request.generation != generation_) {
    return refuse(GenerationIsOver());
  }
  if ((request.protocol_type && *request.protocol_type != protocol_type_) ||
      (request.protocol && request.protocol != protocol_)) {
    return refuse(MakeError(Errc::kInconsistentGroupProtocol, "the group uses another protocol"));
  }
  if (state_ == State::kPreparingRebalance) return refuse(Rebalancing());
  if (state_ == State::kEmpty) return refuse(UnknownMember());
  Member& member = members_.at(request.member.id);
  member.has_synced = true;
  Hear(member, now);
  if (state_ == State::kStable) {
    return Reply(std::move(done), {absl::OkStatus(), protocol_type_, protocol_, member.assignment});
  }
  if (member.sync != nullptr) {
    Reply(std::move(member.sync), {Rebalancing()});
  }
  member.sync = std::move(done);
  if (request.member.id != leader_) return;
  // Whom the leader has forgotten gets nothing.
  std::map<std::string, Bytes> assignments;
  for (const auto& [id, other] : members_) {
    const auto given = request.assignments.find(id);
    assignments[id] = given == request.assignments.end() ? Bytes() : given->second;
  }
  kafka::GroupMetadataValue record = ToRecord(assignments, now);
  env_.write(std::move(record), [this, weak = std::weak_ptr<bool>(alive_), generation = generation_,
                                 assignments = std::move(assignments)](absl::Status status) {
    if (!weak.expired()) OnStored(generation, assignments, status);
  });
}

void ClassicGroup::OnStored(int32_t generation, const std::map<std::string, Bytes>& assignments,
                            const absl::Status& status) {
  if (state_ != State::kCompletingRebalance || generation != generation_) return;
  const Moment now = env_.now();
  if (!status.ok()) {
    FailSyncs(status);
    return PrepareRebalance(now);
  }
  Transition(State::kStable, now);
  for (auto& [id, member] : members_) {
    const auto given = assignments.find(id);
    member.assignment = given == assignments.end() ? Bytes() : given->second;
    if (member.sync == nullptr) continue;
    Hear(member, now);
    Reply(std::exchange(member.sync, nullptr),
          {absl::OkStatus(), protocol_type_, protocol_, member.assignment});
  }
}

void ClassicGroup::FailSyncs(const absl::Status& reason) {
  for (auto& [id, member] : members_) {
    if (member.sync == nullptr) continue;
    Reply(std::exchange(member.sync, nullptr), {reason});
  }
}

absl::Status ClassicGroup::Heartbeat(const MemberName& member, int32_t generation, Moment now) {
  RETURN_IF_ERROR(CheckMember(member));
  if (generation != generation_) {
    return GenerationIsOver();
  }
  if (state_ == State::kEmpty) return UnknownMember();
  Hear(members_.at(member.id), now);
  return state_ == State::kPreparingRebalance ? Rebalancing() : absl::OkStatus();
}

absl::Status ClassicGroup::CheckCommit(const MemberName& member, int32_t generation, Moment now) {
  // Whoever assigns partitions to itself has no generation; the group must have no members then.
  if (generation < 0 && state_ == State::kEmpty) return absl::OkStatus();
  if (generation < 0 && member.id.empty() && !member.instance_id) return UnknownMember();
  RETURN_IF_ERROR(CheckMember(member));
  if (generation != generation_) {
    return GenerationIsOver();
  }
  if (state_ == State::kCompletingRebalance) return Rebalancing();
  Hear(members_.at(member.id), now);
  return absl::OkStatus();
}

absl::Status ClassicGroup::Leave(const MemberName& member, Moment now) {
  // KIP-345: an administrator names static members by their instance.
  if (member.id.empty() && member.instance_id) {
    const auto known = static_ids_.find(*member.instance_id);
    if (known == static_ids_.end()) return UnknownMember();
    RemoveMember(members_.find(known->second), now);
    return absl::OkStatus();
  }
  if (pending_.erase(member.id) > 0) {
    TryCompleteJoin(now);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckMember(member));
  RemoveMember(members_.find(member.id), now);
  return absl::OkStatus();
}

void ClassicGroup::RemoveMember(Members::iterator member, Moment now) {
  Erase(member);
  MaybePrepareRebalance(now);
  TryCompleteJoin(now);
}

void ClassicGroup::Erase(Members::iterator member) {
  if (member->second.join != nullptr) {
    Reply(std::exchange(member->second.join, nullptr), {UnknownMember()});
  }
  if (member->second.sync != nullptr) {
    Reply(std::exchange(member->second.sync, nullptr), {UnknownMember()});
  }
  if (member->second.instance_id) static_ids_.erase(*member->second.instance_id);
  const bool led = member->first == leader_;
  members_.erase(member);
  if (led) leader_ = members_.empty() ? "" : members_.begin()->first;
}

void ClassicGroup::Fail(const absl::Status& reason) {
  FailSyncs(reason);
  for (auto& [id, member] : members_) {
    if (member.join == nullptr) continue;
    Reply(std::exchange(member.join, nullptr), {reason, id});
  }
}

std::vector<ClassicSeat> ClassicGroup::Seats() const {
  std::vector<ClassicSeat> seats;
  for (const auto& [id, member] : members_) {
    seats.push_back({id, member.instance_id, member.client_id, member.client_host,
                     member.session_timeout, member.rebalance_timeout, member.protocols,
                     member.assignment});
  }
  return seats;
}

void ClassicGroup::Hear(Member& member, Moment now) {
  if (member.is_new) return;
  member.expires_at = now.mono + member.session_timeout;
  next_check_ = std::min(next_check_, member.expires_at);
}

void ClassicGroup::Tick(Moment now) {
  if (now.mono >= next_check_) DropSilent(now);
  if (sync_until_ && now.mono >= *sync_until_) DropUnsynced(now);
  if (join_until_ && now.mono >= *join_until_) EndJoinTimer(now);
}

void ClassicGroup::DropSilent(Moment now) {
  std::vector<std::string> silent;
  next_check_ = MonoTime::max();
  for (auto& [id, member] : members_) {
    // Whoever waits for us is there.
    const bool waits = (member.join != nullptr || member.sync != nullptr) && !member.is_new;
    if (waits) member.expires_at = now.mono + member.session_timeout;
    if (member.expires_at <= now.mono) {
      silent.push_back(id);
    } else {
      next_check_ = std::min(next_check_, member.expires_at);
    }
  }
  bool dropped_pending = false;
  for (auto it = pending_.begin(); it != pending_.end();) {
    const auto entry = it++;
    if (entry->second <= now.mono) {
      pending_.erase(entry);
      dropped_pending = true;
    } else {
      next_check_ = std::min(next_check_, entry->second);
    }
  }
  for (const std::string& id : silent) {
    const auto found = members_.find(id);
    if (found != members_.end()) RemoveMember(found, now);
  }
  if (dropped_pending) TryCompleteJoin(now);
}

// Those that joined, and then did not ask for what they are to read.
void ClassicGroup::DropUnsynced(Moment now) {
  sync_until_.reset();
  std::vector<std::string> late;
  for (const auto& [id, member] : members_) {
    if (!member.has_synced) late.push_back(id);
  }
  if (late.empty()) return;
  for (const std::string& id : late) Erase(members_.find(id));
  MaybePrepareRebalance(now);
  TryCompleteJoin(now);
}

std::optional<MonoTime> ClassicGroup::NextDeadline() const {
  std::optional<MonoTime> next;
  if (next_check_ != MonoTime::max()) next = next_check_;
  for (const std::optional<MonoTime>& at : {join_until_, sync_until_}) {
    if (at) next = next ? std::min(*next, *at) : *at;
  }
  return next;
}

Duration ClassicGroup::RebalanceTimeout() const {
  Duration longest(0);
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

void ClassicGroup::Transition(State state, Moment now) {
  state_ = state;
  state_since_ms_ = now.wall_ms;
  if (state == State::kStable || state == State::kEmpty) sync_until_.reset();
}

Bytes ClassicGroup::MetadataOf(const Member& member) const {
  for (const ClassicProtocol& protocol : member.protocols) {
    if (protocol.name == protocol_) return protocol.metadata;
  }
  return Bytes();
}

kafka::GroupMetadataValue ClassicGroup::ToRecord(const std::map<std::string, Bytes>& assignments,
                                                 Moment now) const {
  kafka::GroupMetadataValue record;
  record.protocol_type = protocol_type_;
  record.generation = generation_;
  record.protocol = protocol_;
  record.leader = leader_.empty() ? std::nullopt : std::optional(leader_);
  record.current_state_timestamp = now.wall_ms;
  for (const auto& [id, member] : members_) {
    auto& kept = record.members.emplace_back();
    kept.member_id = id;
    kept.group_instance_id = member.instance_id;
    kept.client_id = member.client_id;
    kept.client_host = member.client_host;
    kept.rebalance_timeout =
        static_cast<int32_t>(std::chrono::duration_cast<Millis>(member.rebalance_timeout).count());
    kept.session_timeout =
        static_cast<int32_t>(std::chrono::duration_cast<Millis>(member.session_timeout).count());
    kept.subscription = MetadataOf(member);
    const auto given = assignments.find(id);
    kept.assignment = given == assignments.end() ? member.assignment : given->second;
  }
  return record;
}

GroupDescription ClassicGroup::Describe() const {
  GroupDescription description;
  description.state = NameOf(state_);
  description.protocol_type = protocol_type_;
  const bool settled = state_ == State::kStable;
  if (settled) description.protocol = protocol_.value_or("");
  for (const auto& [id, member] : members_) {
    auto& shown = description.members.emplace_back();
    shown.id = id;
    shown.instance_id = member.instance_id;
    shown.client_id = member.client_id;
    shown.client_host = member.client_host;
    if (!settled) continue;
    shown.metadata = MetadataOf(member);
    shown.assignment = member.assignment;
  }
  return description;
}

bool ClassicGroup::SubscribesTo(const std::string& topic) const {
  if (protocol_type_ != kConsumerProtocolType) return false;
  return std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
    return std::any_of(entry.second.protocols.begin(), entry.second.protocols.end(),
                       [&](const ClassicProtocol& protocol) {
                         const auto topics = SubscribedTopics(protocol.metadata);
                         return std::find(topics.begin(), topics.end(), topic) != topics.end();
                       });
  });
}

void ClassicGroup::Reply(JoinDone done, JoinAnswer answer) {
  env_.replies.push_back([done = std::move(done), answer = std::move(answer)]() mutable {
    std::move(done)(std::move(answer));
  });
}

void ClassicGroup::Reply(SyncDone done, SyncAnswer answer) {
  env_.replies.push_back([done = std::move(done), answer = std::move(answer)]() mutable {
    std::move(done)(std::move(answer));
  });
}

}  // namespace garam
