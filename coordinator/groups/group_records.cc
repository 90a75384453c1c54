#include "coordinator/groups/group_records.h"

#include <utility>

#include "common/status.h"
#include "coordinator/groups/record_codec.h"
#include "proto/kafka/reader.h"

namespace garam {
namespace {

// What Kafka writes; others are read too. The one with an expiry time is the only one that has it.
constexpr int16_t kOffsetValueVersion = 4;
constexpr int16_t kExpiringOffsetValueVersion = 1;
constexpr int16_t kGroupValueVersion = 3;

template <class Key>
absl::StatusOr<GroupRecordKey> DecodeKey(kafka::Reader& reader) {
  absl::StatusOr<Key> key = Key::Decode(reader, 0);
  if (!key.ok()) return CorruptRecord(Key::kName, key.status());
  return GroupRecordKey(*std::move(key));
}

Bytes OffsetKey(const std::string& group, const TopicPartition& partition) {
  kafka::OffsetCommitKey key;
  key.group = group;
  key.topic = partition.first;
  key.partition = partition.second;
  return EncodeRecordKey(kOffsetKind, key);
}

Bytes GroupKey(const std::string& group) {
  kafka::GroupMetadataKey key;
  key.group = group;
  return EncodeRecordKey(kGroupKind, key);
}

}  // namespace

GroupRecord OffsetRecord(const std::string& group, const TopicPartition& partition,
                         const CommittedOffset& offset) {
  kafka::OffsetCommitValue value;
  value.offset = offset.offset.value();
  value.leader_epoch = offset.leader_epoch;
  value.metadata = offset.metadata;
  value.commit_timestamp = offset.commit_timestamp_ms;
  value.expire_timestamp = offset.expire_timestamp_ms;
  value.topic_id = offset.topic_id;
  const int16_t version =
      offset.expire_timestamp_ms == -1 ? kOffsetValueVersion : kExpiringOffsetValueVersion;
  return {OffsetKey(group, partition), EncodeRecordPart(version, value, version)};
}

GroupRecord OffsetTombstone(const std::string& group, const TopicPartition& partition) {
  return {OffsetKey(group, partition), std::nullopt};
}

GroupRecord MetadataRecord(const std::string& group, const kafka::GroupMetadataValue& value) {
  return {GroupKey(group), EncodeRecordPart(kGroupValueVersion, value, kGroupValueVersion)};
}

GroupRecord MetadataTombstone(const std::string& group) { return {GroupKey(group), std::nullopt}; }

absl::StatusOr<GroupRecordKey> ParseKey(const Bytes& key) {
  kafka::Reader reader(key);
  switch (reader.Int<int16_t>("kind")) {
    case kOldOffsetKind:
    case kOffsetKind:
      return DecodeKey<kafka::OffsetCommitKey>(reader);
    case kGroupKind:
      return DecodeKey<kafka::GroupMetadataKey>(reader);
    case kConsumerGroupKind:
      return DecodeKey<kafka::ConsumerGroupMetadataKey>(reader);
    case kConsumerMemberKind:
      return DecodeKey<kafka::ConsumerGroupMemberMetadataKey>(reader);
    case kConsumerTargetKind:
      return DecodeKey<kafka::ConsumerGroupTargetAssignmentMetadataKey>(reader);
    case kConsumerTargetMemberKind:
      return DecodeKey<kafka::ConsumerGroupTargetAssignmentMemberKey>(reader);
    case kConsumerAssignmentKind:
      return DecodeKey<kafka::ConsumerGroupCurrentMemberAssignmentKey>(reader);
    case kConsumerRegexKind:
      return DecodeKey<kafka::ConsumerGroupRegularExpressionKey>(reader);
    default:
      return GroupRecordKey();
  }
}

absl::StatusOr<CommittedOffset> ParseOffset(const Bytes& value) {
  ASSIGN_OR_RETURN(kafka::OffsetCommitValue parsed,
                   DecodeRecordValue<kafka::OffsetCommitValue>(value));
  return CommittedOffset{Offset(parsed.offset),      parsed.leader_epoch,
                         std::move(parsed.metadata), parsed.commit_timestamp,
                         parsed.expire_timestamp,    parsed.topic_id};
}

absl::StatusOr<kafka::GroupMetadataValue> ParseMetadata(const Bytes& value) {
  return DecodeRecordValue<kafka::GroupMetadataValue>(value);
}

}  // namespace garam
