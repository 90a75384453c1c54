// The records of __consumer_offsets, in Kafka's own formats: a key that begins with its kind, a
// value that begins with its version. Those of consumer groups: consumer_records.h.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "coordinator/groups/group_types.h"
#include "proto/kafka/group_records.h"

namespace garam {

struct GroupRecord {
  Bytes key{};
  std::optional<Bytes> value{};  // Nothing: a tombstone.
};

GroupRecord OffsetRecord(const std::string& group, const TopicPartition& partition,
                         const CommittedOffset& offset);
GroupRecord OffsetTombstone(const std::string& group, const TopicPartition& partition);
GroupRecord MetadataRecord(const std::string& group, const kafka::GroupMetadataValue& value);
GroupRecord MetadataTombstone(const std::string& group);

// What a record is about. std::monostate: a kind that this broker does not know, as a newer one may
// have written.
using GroupRecordKey = std::variant<
    std::monostate, kafka::OffsetCommitKey, kafka::GroupMetadataKey,
    kafka::ConsumerGroupMetadataKey, kafka::ConsumerGroupMemberMetadataKey,
    kafka::ConsumerGroupTargetAssignmentMetadataKey, kafka::ConsumerGroupTargetAssignmentMemberKey,
    kafka::ConsumerGroupCurrentMemberAssignmentKey, kafka::ConsumerGroupRegularExpressionKey>;

// kCorruptRecord.
absl::StatusOr<GroupRecordKey> ParseKey(const Bytes& key);
absl::StatusOr<CommittedOffset> ParseOffset(const Bytes& value);
absl::StatusOr<kafka::GroupMetadataValue> ParseMetadata(const Bytes& value);

}  // namespace garam
