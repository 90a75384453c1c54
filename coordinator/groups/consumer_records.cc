#include "coordinator/groups/consumer_records.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "coordinator/groups/record_codec.h"

namespace garam {
namespace {

constexpr int16_t kValueVersion = 0;  // Of all of them.

template <class Value>
Bytes EncodeValue(const Value& value) {
  return EncodeRecordPart(kValueVersion, value, kValueVersion);
}

Bytes GroupKey(const std::string& group) {
  kafka::ConsumerGroupMetadataKey key;
  key.group_id = group;
  return EncodeRecordKey(kConsumerGroupKind, key);
}

Bytes TargetKey(const std::string& group) {
  kafka::ConsumerGroupTargetAssignmentMetadataKey key;
  key.group_id = group;
  return EncodeRecordKey(kConsumerTargetKind, key);
}

template <class Key>
Bytes MemberKey(RecordKind kind, const std::string& group, const std::string& member) {
  Key key;
  key.group_id = group;
  key.member_id = member;
  return EncodeRecordKey(kind, key);
}

Bytes FactsKey(const std::string& group, const std::string& member) {
  return MemberKey<kafka::ConsumerGroupMemberMetadataKey>(kConsumerMemberKind, group, member);
}

Bytes TargetMemberKey(const std::string& group, const std::string& member) {
  return MemberKey<kafka::ConsumerGroupTargetAssignmentMemberKey>(kConsumerTargetMemberKind, group,
                                                                  member);
}

Bytes AssignmentKey(const std::string& group, const std::string& member) {
  return MemberKey<kafka::ConsumerGroupCurrentMemberAssignmentKey>(kConsumerAssignmentKind, group,
                                                                   member);
}

Bytes RegexKey(const std::string& group, const std::string& expression) {
  kafka::ConsumerGroupRegularExpressionKey key;
  key.group_id = group;
  key.regular_expression = expression;
  return EncodeRecordKey(kConsumerRegexKind, key);
}

using StoredPartitions =
    std::vector<kafka::ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions>;

StoredPartitions ToStored(const HeldPartitions& held) {
  StoredPartitions stored;
  for (const auto& [topic, partitions] : held) {
    auto& row = stored.emplace_back();
    row.topic_id = topic;
    row.assignment_epochs.emplace();
    for (const auto& [partition, epoch] : partitions) {
      row.partitions.push_back(partition);
      row.assignment_epochs->push_back(epoch);
    }
  }
  return stored;
}

// Who stored no epochs had the partitions in the member's.
HeldPartitions ToHeld(const StoredPartitions& stored, int32_t member_epoch) {
  HeldPartitions held;
  for (const auto& row : stored) {
    const bool epochs =
        row.assignment_epochs && row.assignment_epochs->size() == row.partitions.size();
    for (size_t i = 0; i < row.partitions.size(); ++i) {
      held[row.topic_id][row.partitions[i]] = epochs ? (*row.assignment_epochs)[i] : member_epoch;
    }
  }
  return held;
}

// A state that only a newer broker knows: what the member is to have is looked at anew.
MemberState ToState(int8_t stored) {
  switch (static_cast<MemberState>(stored)) {
    case MemberState::kStable:
      return MemberState::kStable;
    case MemberState::kUnrevokedPartitions:
      return MemberState::kUnrevokedPartitions;
    default:
      return MemberState::kUnreleasedPartitions;
  }
}

ConsumerFacts ToFacts(kafka::ConsumerGroupMemberMetadataValue value) {
  ConsumerFacts facts;
  facts.instance_id = std::move(value.instance_id);
  facts.rack = std::move(value.rack_id);
  facts.client_id = std::move(value.client_id);
  facts.client_host = std::move(value.client_host);
  facts.topics = std::move(value.subscribed_topic_names);
  std::sort(facts.topics.begin(), facts.topics.end());
  facts.topic_regex = value.subscribed_topic_regex.value_or("");
  facts.rebalance_timeout_ms = value.rebalance_timeout_ms;
  facts.assignor = std::move(value.server_assignor);
  if (value.classic_member_metadata &&
      !value.classic_member_metadata->supported_protocols.empty()) {
    ClassicFacts& classic = facts.classic.emplace();
    classic.session_timeout_ms = value.classic_member_metadata->session_timeout_ms;
    for (auto& protocol : value.classic_member_metadata->supported_protocols) {
      // The batch is larger, and would be kept with it.
      classic.protocols.push_back(
          {std::move(protocol.name), Bytes::Copy(protocol.metadata.view())});
    }
  }
  return facts;
}

// What each kind of record does to the state. Without a value: it is a tombstone.
struct Applier {
  ConsumerGroupState& state;
  const std::optional<Bytes>& value;

  template <class Message, class Take>
  absl::Status With(Take take) const {
    absl::StatusOr<Message> message = DecodeRecordValue<Message>(*value);
    if (!message.ok()) return message.status();
    take(*std::move(message));
    return absl::OkStatus();
  }

  absl::Status operator()(const kafka::ConsumerGroupMetadataKey&) const {
    if (!value) return absl::OkStatus();
    return With<kafka::ConsumerGroupMetadataValue>([&](const auto& group) {
      state.epoch = group.epoch;
      state.topics_hash = group.metadata_hash;
    });
  }
  absl::Status operator()(const kafka::ConsumerGroupMemberMetadataKey& key) const {
    if (!value) {
      state.members.erase(key.member_id);
      return absl::OkStatus();
    }
    return With<kafka::ConsumerGroupMemberMetadataValue>(
        [&](auto member) { state.members[key.member_id].facts = ToFacts(std::move(member)); });
  }
  absl::Status operator()(const kafka::ConsumerGroupTargetAssignmentMetadataKey&) const {
    if (!value) {
      state.assignment_epoch = 0;
      state.assigned_at_ms = 0;
      return absl::OkStatus();
    }
    return With<kafka::ConsumerGroupTargetAssignmentMetadataValue>([&](const auto& target) {
      state.assignment_epoch = target.assignment_epoch;
      state.assigned_at_ms = target.assignment_timestamp;
    });
  }
  absl::Status operator()(const kafka::ConsumerGroupTargetAssignmentMemberKey& key) const {
    if (!value) {
      state.target.erase(key.member_id);
      return absl::OkStatus();
    }
    return With<kafka::ConsumerGroupTargetAssignmentMemberValue>([&](auto target) {
      TopicPartitions partitions;
      for (auto& topic : target.topic_partitions) {
        std::sort(topic.partitions.begin(), topic.partitions.end());
        partitions[topic.topic_id] = std::move(topic.partitions);
      }
      state.target[key.member_id] = std::move(partitions);
    });
  }
  absl::Status operator()(const kafka::ConsumerGroupCurrentMemberAssignmentKey& key) const {
    const auto member = state.members.find(key.member_id);
    // A member's own record comes before it, and goes after it.
    if (member == state.members.end()) return absl::OkStatus();
    if (!value) {
      ConsumerFacts facts = std::move(member->second.facts);
      member->second = ConsumerMember();
      member->second.facts = std::move(facts);
      return absl::OkStatus();
    }
    return With<kafka::ConsumerGroupCurrentMemberAssignmentValue>([&](const auto& stored) {
      member->second.epoch = stored.member_epoch;
      member->second.previous_epoch = stored.previous_member_epoch;
      member->second.state = ToState(stored.state);
      member->second.assigned = ToHeld(stored.assigned_partitions, stored.member_epoch);
      member->second.revoking = ToHeld(stored.partitions_pending_revocation, stored.member_epoch);
    });
  }
  absl::Status operator()(const kafka::ConsumerGroupRegularExpressionKey& key) const {
    if (!value) {
      state.regexes.erase(key.regular_expression);
      return absl::OkStatus();
    }
    return With<kafka::ConsumerGroupRegularExpressionValue>([&](auto stored) {
      std::sort(stored.topics.begin(), stored.topics.end());
      state.regexes[key.regular_expression] = {std::move(stored.topics), stored.version,
                                               stored.timestamp};
    });
  }
  template <class Other>
  absl::Status operator()(const Other&) const {
    return absl::OkStatus();
  }
};

}  // namespace

GroupRecord ConsumerEpochRecord(const std::string& group, int32_t epoch, int64_t topics_hash) {
  kafka::ConsumerGroupMetadataValue value;
  value.epoch = epoch;
  value.metadata_hash = topics_hash;
  return {GroupKey(group), EncodeValue(value)};
}

GroupRecord ConsumerFactsRecord(const std::string& group, const std::string& member,
                                const ConsumerFacts& facts) {
  kafka::ConsumerGroupMemberMetadataValue value;
  value.instance_id = facts.instance_id;
  value.rack_id = facts.rack;
  value.client_id = facts.client_id;
  value.client_host = facts.client_host;
  value.subscribed_topic_names = facts.topics;
  value.subscribed_topic_regex = facts.topic_regex;
  value.rebalance_timeout_ms = facts.rebalance_timeout_ms;
  value.server_assignor = facts.assignor;
  value.classic_member_metadata.reset();
  if (facts.classic) {
    auto& classic = value.classic_member_metadata.emplace();
    classic.session_timeout_ms = facts.classic->session_timeout_ms;
    for (const ClassicProtocol& protocol : facts.classic->protocols) {
      classic.supported_protocols.push_back({protocol.name, protocol.metadata});
    }
  }
  return {FactsKey(group, member), EncodeValue(value)};
}

GroupRecord ConsumerTargetRecord(const std::string& group, const std::string& member,
                                 const TopicPartitions& target) {
  kafka::ConsumerGroupTargetAssignmentMemberValue value;
  for (const auto& [topic, partitions] : target) {
    auto& row = value.topic_partitions.emplace_back();
    row.topic_id = topic;
    row.partitions = partitions;
  }
  return {TargetMemberKey(group, member), EncodeValue(value)};
}

GroupRecord ConsumerTargetEpochRecord(const std::string& group, int32_t epoch, int64_t now_ms) {
  kafka::ConsumerGroupTargetAssignmentMetadataValue value;
  value.assignment_epoch = epoch;
  value.assignment_timestamp = now_ms;
  return {TargetKey(group), EncodeValue(value)};
}

GroupRecord ConsumerAssignmentRecord(const std::string& group, const std::string& id,
                                     const ConsumerMember& member) {
  kafka::ConsumerGroupCurrentMemberAssignmentValue value;
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  value.state = static_cast<int8_t>(member.state);
  value.assigned_partitions = ToStored(member.assigned);
  value.partitions_pending_revocation = ToStored(member.revoking);
  return {AssignmentKey(group, id), EncodeValue(value)};
}

GroupRecord ConsumerRegexRecord(const std::string& group, const std::string& expression,
                                const ResolvedRegex& resolved) {
  kafka::ConsumerGroupRegularExpressionValue value;
  value.topics = resolved.topics;
  value.version = resolved.version;
  value.timestamp = resolved.timestamp_ms;
  return {RegexKey(group, expression), EncodeValue(value)};
}

GroupRecord ConsumerRegexTombstone(const std::string& group, const std::string& expression) {
  return {RegexKey(group, expression), std::nullopt};
}

void AddMemberTombstones(const std::string& group, const std::string& member,
                         std::vector<GroupRecord>& records) {
  records.push_back({AssignmentKey(group, member), std::nullopt});
  records.push_back({TargetMemberKey(group, member), std::nullopt});
  records.push_back({FactsKey(group, member), std::nullopt});
}

void AddConsumerRecords(const std::string& group, const ConsumerGroupState& state,
                        std::vector<GroupRecord>& records) {
  for (const auto& [id, member] : state.members) {
    records.push_back(ConsumerFactsRecord(group, id, member.facts));
  }
  for (const auto& [expression, resolved] : state.regexes) {
    records.push_back(ConsumerRegexRecord(group, expression, resolved));
  }
  records.push_back(ConsumerEpochRecord(group, state.epoch, state.topics_hash));
  for (const auto& [id, target] : state.target) {
    records.push_back(ConsumerTargetRecord(group, id, target));
  }
  records.push_back(ConsumerTargetEpochRecord(group, state.assignment_epoch, state.assigned_at_ms));
  for (const auto& [id, member] : state.members) {
    records.push_back(ConsumerAssignmentRecord(group, id, member));
  }
}

void AddConsumerTombstones(const std::string& group, const ConsumerGroupState& state,
                           std::vector<GroupRecord>& records) {
  for (const auto& [id, member] : state.members) AddMemberTombstones(group, id, records);
  records.push_back({TargetKey(group), std::nullopt});
  for (const auto& [expression, resolved] : state.regexes) {
    records.push_back(ConsumerRegexTombstone(group, expression));
  }
  records.push_back({GroupKey(group), std::nullopt});
}

absl::Status ApplyConsumerRecord(const GroupRecordKey& key, const std::optional<Bytes>& value,
                                 ConsumerGroupState& state) {
  return std::visit(Applier{state, value}, key);
}

const std::string* ConsumerGroupOf(const GroupRecordKey& key) {
  return std::visit(
      [](const auto& known) -> const std::string* {
        if constexpr (requires { known.group_id; }) {
          return &known.group_id;
        } else {
          return nullptr;
        }
      },
      key);
}

}  // namespace garam
