#include "coordinator/groups/group_records.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "proto/kafka/reader.h"
#include "proto/kafka/writer.h"

namespace garam {
namespace {

// Kafka's numbers. Keys of kind 0 were written by brokers before 0.9; they mean the same as 1.
enum Kind : int16_t { kOldOffset = 0, kOffset = 1, kGroup = 2 };

// What Kafka writes; others are read too. The one with an expiry time is the only one that has it.
constexpr int16_t kOffsetValueVersion = 4;
constexpr int16_t kExpiringOffsetValueVersion = 1;
constexpr int16_t kGroupValueVersion = 3;

// `number` is the kind of a key, the version of a value.
template <class Message>
Bytes Encode(int16_t number, const Message& message, int16_t version) {
  kafka::Writer writer;
  writer.Int<int16_t>(number);
  // Only strings over 32 KiB could fail, and no request has them.
  const absl::Status status = message.Encode(writer, version);
  assert(status.ok());
  static_cast<void>(status);
  return writer.FinishContiguous();
}

absl::Status Corrupt(std::string_view what, const absl::Status& why) {
  return MakeError(Errc::kCorruptRecord, absl::StrCat("__consumer_offsets: ", std::string(what),
                                                      ": ", std::string(why.message())));
}

template <class Message>
absl::StatusOr<Message> DecodeValue(const Bytes& value) {
  kafka::Reader reader(value);
  const auto version = reader.Int<int16_t>("version");
  if (version < Message::kMinVersion || version > Message::kMaxVersion) {
    return MakeError(Errc::kUnsupportedVersion,
                     absl::StrCat("__consumer_offsets: ", std::string(Message::kName), " version ",
                                  version, " is newer than this broker: upgrade it"));
  }
  absl::StatusOr<Message> message = Message::Decode(reader, version);
  if (!message.ok()) return Corrupt(Message::kName, message.status());
  return message;
}

template <class Key>
absl::StatusOr<GroupRecordKey> DecodeKey(kafka::Reader& reader) {
  absl::StatusOr<Key> key = Key::Decode(reader, 0);
  if (!key.ok()) return Corrupt(Key::kName, key.status());
  return GroupRecordKey(*std::move(key));
}

Bytes OffsetKey(const std::string& group, const TopicPartition& partition) {
  kafka::OffsetCommitKey key;
  key.group = group;
  key.topic = partition.first;
  key.partition = partition.second;
  return Encode(kOffset, key, 0);
}

Bytes GroupKey(const std::string& group) {
  kafka::GroupMetadataKey key;
  key.group = group;
  return Encode(kGroup, key, 0);
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
  return {OffsetKey(group, partition), Encode(version, value, version)};
}

GroupRecord OffsetTombstone(const std::string& group, const TopicPartition& partition) {
  return {OffsetKey(group, partition), std::nullopt};
}

GroupRecord MetadataRecord(const std::string& group, const kafka::GroupMetadataValue& value) {
  return {GroupKey(group), Encode(kGroupValueVersion, value, kGroupValueVersion)};
}

GroupRecord MetadataTombstone(const std::string& group) { return {GroupKey(group), std::nullopt}; }

absl::StatusOr<GroupRecordKey> ParseKey(const Bytes& key) {
  kafka::Reader reader(key);
  switch (reader.Int<int16_t>("kind")) {
    case kOldOffset:
    case kOffset:
      return DecodeKey<kafka::OffsetCommitKey>(reader);
    case kGroup:
      return DecodeKey<kafka::GroupMetadataKey>(reader);
    default:
      return GroupRecordKey();
  }
}

absl::StatusOr<CommittedOffset> ParseOffset(const Bytes& value) {
  ASSIGN_OR_RETURN(kafka::OffsetCommitValue parsed, DecodeValue<kafka::OffsetCommitValue>(value));
  return CommittedOffset{Offset(parsed.offset),      parsed.leader_epoch,
                         std::move(parsed.metadata), parsed.commit_timestamp,
                         parsed.expire_timestamp,    parsed.topic_id};
}

absl::StatusOr<kafka::GroupMetadataValue> ParseMetadata(const Bytes& value) {
  return DecodeValue<kafka::GroupMetadataValue>(value);
}

}  // namespace garam
