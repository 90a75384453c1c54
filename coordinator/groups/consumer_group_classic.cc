// Members of the classic protocol in a group of the consumer protocol, and groups that go from one
// protocol to the other with their members (KIP-848's migration).
#include <algorithm>
#include <utility>

#include "common/status.h"
#include "coordinator/groups/consumer_group.h"
#include "coordinator/groups/group_errors.h"
#include "coordinator/groups/member_reconciler.h"

namespace garam {
namespace {

int32_t MillisOf(Duration time) {
  return static_cast<int32_t>(std::chrono::duration_cast<Millis>(time).count());
}

TopicPartitions WithIds(const PartitionsByName& named, const GroupTopics& topics) {
  TopicPartitions partitions;
  for (const auto& [name, numbers] : named) {
    const std::optional<AssignorTopic> topic = topics.Find(name);
    if (!topic || numbers.empty()) continue;
    std::vector<int32_t>& sorted = partitions[topic->id];
    sorted = numbers;
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  }
  return partitions;
}

bool Offers(const std::vector<ClassicProtocol>& protocols, const std::string& name) {
  return std::any_of(protocols.begin(), protocols.end(),
                     [&](const ClassicProtocol& protocol) { return protocol.name == name; });
}

// What the member's JoinGroup is in the words of the consumer protocol.
ConsumerHeartbeat ToHeartbeat(const JoinRequest& request, const Subscription& subscription,
                              const GroupTopics& topics) {
  ConsumerHeartbeat heartbeat;
  heartbeat.member_id = request.member.id.empty() ? request.fresh_member_id : request.member.id;
  heartbeat.epoch = kJoinEpoch;
  heartbeat.instance_id = request.member.instance_id;
  heartbeat.rack = subscription.rack;
  heartbeat.rebalance_timeout_ms = MillisOf(request.rebalance_timeout);
  heartbeat.topics = subscription.topics;
  heartbeat.topic_regex = "";
  heartbeat.owned = WithIds(subscription.owned, topics);
  heartbeat.client_id = request.client_id;
  heartbeat.client_host = request.client_host;
  heartbeat.classic = ClassicFacts{MillisOf(request.session_timeout), request.protocols};
  return heartbeat;
}

}  // namespace

// Whether there is a protocol that every classic member supports as well.
bool ConsumerGroup::SupportsProtocols(const JoinRequest& request) const {
  if (request.protocol_type != kConsumerProtocolType) return false;
  return std::any_of(
      request.protocols.begin(), request.protocols.end(), [&](const ClassicProtocol& offered) {
        return std::all_of(state_.members.begin(), state_.members.end(), [&](const auto& entry) {
          const std::optional<ClassicFacts>& theirs = entry.second.facts.classic;
          return entry.first == request.member.id || !theirs ||
                 Offers(theirs->protocols, offered.name);
        });
      });
}

JoinAnswer ConsumerGroup::Join(const JoinRequest& request, Moment now, Records& records) {
  const auto refuse = [&](absl::Status status) {
    JoinAnswer refused;
    refused.status = std::move(status);
    refused.member_id = request.member.id;
    return refused;
  };
  if (!SupportsProtocols(request)) return refuse(ProtocolDiffers());
  const std::optional<Subscription> subscription =
      ParseSubscription(request.protocols.front().metadata);
  if (!subscription) return refuse(ProtocolDiffers());
  const std::shared_ptr<const GroupTopics> topics = env_.topics();
  const ConsumerHeartbeat heartbeat = ToHeartbeat(request, *subscription, *topics);
  if (request.member.instance_id && !request.member.id.empty()) {
    if (absl::Status status = CheckStatic(request.member.id, *request.member.instance_id);
        !status.ok()) {
      return refuse(std::move(status));
    }
  }
  absl::StatusOr<Sender> sender = Check(heartbeat, *topics, now);
  if (!sender.ok()) return refuse(sender.status());
  JoinAnswer answer;
  answer.member_id = heartbeat.member_id;
  if (request.needs_known_id && request.member.id.empty()) {
    answer.status = MakeError(Errc::kMemberIdRequired, "join again with this member id");
    return answer;
  }
  Take(heartbeat, *std::move(sender), *topics, now, records);
  Timer& timer = timers_[heartbeat.member_id];
  timer.join_until.reset();
  timer.sync_until = now.mono + request.rebalance_timeout;
  Watch(*timer.sync_until);
  answer.generation = state_.members.at(heartbeat.member_id).epoch;
  answer.protocol_type = std::string(kConsumerProtocolType);
  answer.protocol = request.protocols.front().name;
  return answer;
}

// Whether the member is the one that it says, and of the classic protocol.
absl::Status ConsumerGroup::CheckClassic(const MemberName& member) const {
  if (member.instance_id) RETURN_IF_ERROR(CheckStatic(member.id, *member.instance_id));
  const auto found = state_.members.find(member.id);
  if (found == state_.members.end() || !found->second.facts.classic) return UnknownMember();
  return absl::OkStatus();
}

absl::StatusOr<SyncAnswer> ConsumerGroup::Sync(const SyncRequest& request, Moment now) {
  RETURN_IF_ERROR(CheckClassic(request.member));
  const std::string& id = request.member.id;
  const ConsumerMember& member = state_.members.at(id);
  const ClassicProtocol& protocol = member.facts.classic->protocols.front();
  if (request.generation != member.epoch) return GenerationIsOver();
  if (request.protocol_type.value_or(std::string(kConsumerProtocolType)) != kConsumerProtocolType ||
      request.protocol.value_or(protocol.name) != protocol.name) {
    return MakeError(Errc::kInconsistentGroupProtocol, "the group uses another protocol");
  }
  Timer& timer = timers_[id];
  // One that is to give partitions up has to hear of it first.
  if (member.epoch < state_.epoch && member.state != MemberState::kUnrevokedPartitions) {
    if (!timer.join_until) timer.join_until = now.mono + Millis(member.facts.rebalance_timeout_ms);
    Watch(*timer.join_until);
    return Rebalancing();
  }
  timer.sync_until.reset();
  Hear(id, now);
  SyncAnswer answer;
  answer.protocol_type = std::string(kConsumerProtocolType);
  answer.protocol = protocol.name;
  answer.assignment = AssignmentBytes(protocol.metadata, member);
  return answer;
}

absl::Status ConsumerGroup::Heartbeat(const MemberName& name, int32_t generation, Moment now) {
  RETURN_IF_ERROR(CheckClassic(name));
  const ConsumerMember& member = state_.members.at(name.id);
  if (generation != member.epoch) return GenerationIsOver();
  Hear(name.id, now);
  const bool may_have_more =
      member.state == MemberState::kUnreleasedPartitions && !WaitsForOthers(name.id, member);
  if (member.epoch >= state_.epoch && member.state != MemberState::kUnrevokedPartitions &&
      !may_have_more) {
    return absl::OkStatus();
  }
  Timer& timer = timers_[name.id];
  if (!timer.join_until) timer.join_until = now.mono + Millis(member.facts.rebalance_timeout_ms);
  Watch(*timer.join_until);
  return Rebalancing();
}

bool ConsumerGroup::WaitsForOthers(const std::string& id, const ConsumerMember& member) const {
  const auto target = state_.target.find(id);
  if (target == state_.target.end()) return false;
  return std::any_of(target->second.begin(), target->second.end(), [&](const auto& topic) {
    const auto own = member.assigned.find(topic.first);
    return std::any_of(topic.second.begin(), topic.second.end(), [&](int32_t partition) {
      const bool has = own != member.assigned.end() && own->second.contains(partition);
      return !has && holders_.contains({topic.first, partition});
    });
  });
}

absl::Status ConsumerGroup::Leave(const MemberName& name, Records& records) {
  MemberName member = name;
  // KIP-345: an administrator names static members by their instance.
  if (member.id.empty() && member.instance_id) {
    const auto holder = static_ids_.find(*member.instance_id);
    if (holder == static_ids_.end()) return UnknownMember();
    member.id = holder->second;
  }
  RETURN_IF_ERROR(CheckClassic(member));
  Fence({member.id}, records);
  return absl::OkStatus();
}

bool ConsumerGroup::IsClassic() const {
  return !empty() && std::all_of(state_.members.begin(), state_.members.end(),
                                 [](const auto& m) { return m.second.facts.classic.has_value(); });
}

PartitionsByName ConsumerGroup::Named(const TopicPartitions& partitions) const {
  const std::shared_ptr<const GroupTopics> topics = env_.topics();
  PartitionsByName named;
  for (const auto& [id, numbers] : partitions) {
    if (const std::optional<std::string> name = topics->NameOf(id)) named[*name] = numbers;
  }
  return named;
}

// What `member` has, in the version that its `subscription` is written in.
Bytes ConsumerGroup::AssignmentBytes(const Bytes& subscription,
                                     const ConsumerMember& member) const {
  const std::optional<Subscription> parsed = ParseSubscription(subscription);
  return EncodeAssignment(parsed ? parsed->version : int16_t{0},
                          Named(WithoutEpochs(member.assigned)));
}

kafka::GroupMetadataValue ConsumerGroup::ToClassic(Moment now) const {
  kafka::GroupMetadataValue value;
  value.protocol_type = std::string(kConsumerProtocolType);
  value.generation = state_.epoch;
  value.leader.reset();
  value.current_state_timestamp = now.wall_ms;
  // Every one of the members has let in the next by a protocol that all of them support.
  const auto& first = state_.members.begin()->second.facts.classic->protocols;
  const auto common = std::find_if(first.begin(), first.end(), [&](const ClassicProtocol& offered) {
    return std::all_of(state_.members.begin(), state_.members.end(), [&](const auto& entry) {
      return Offers(entry.second.facts.classic->protocols, offered.name);
    });
  });
  value.protocol = common == first.end() ? first.front().name : common->name;
  for (const auto& [id, member] : state_.members) {
    auto& seat = value.members.emplace_back();
    seat.member_id = id;
    seat.group_instance_id = member.facts.instance_id;
    seat.client_id = member.facts.client_id;
    seat.client_host = member.facts.client_host;
    seat.rebalance_timeout = member.facts.rebalance_timeout_ms;
    seat.session_timeout = member.facts.classic->session_timeout_ms;
    for (const ClassicProtocol& protocol : member.facts.classic->protocols) {
      if (protocol.name == value.protocol) seat.subscription = protocol.metadata;
    }
    seat.assignment = AssignmentBytes(seat.subscription, member);
  }
  return value;
}

std::optional<ConsumerGroupState> ConsumerGroup::FromClassic(const ClassicGroup& group,
                                                             const GroupTopics& topics) {
  ConsumerGroupState state;
  state.epoch = state.assignment_epoch = group.generation();
  for (ClassicSeat& seat : group.Seats()) {
    if (seat.protocols.empty()) return std::nullopt;
    const std::optional<Subscription> subscription =
        ParseSubscription(seat.protocols.front().metadata);
    const std::optional<PartitionsByName> assignment = ParseAssignment(seat.assignment);
    if (!subscription || !assignment) return std::nullopt;
    ConsumerMember& member = state.members[seat.id];
    member.facts.instance_id = std::move(seat.instance_id);
    member.facts.rack = subscription->rack;
    member.facts.client_id = std::move(seat.client_id);
    member.facts.client_host = std::move(seat.client_host);
    member.facts.topics = subscription->topics;
    std::sort(member.facts.topics.begin(), member.facts.topics.end());
    member.facts.rebalance_timeout_ms = MillisOf(seat.rebalance_timeout);
    member.facts.classic = ClassicFacts{MillisOf(seat.session_timeout), std::move(seat.protocols)};
    member.epoch = member.previous_epoch = group.generation();
    const TopicPartitions partitions = WithIds(*assignment, topics);
    for (const auto& [topic, numbers] : partitions) {
      for (const int32_t number : numbers) member.assigned[topic][number] = group.generation();
    }
    state.target[seat.id] = partitions;
  }
  return state;
}

}  // namespace garam
