// The records of consumer groups (KIP-848) in __consumer_offsets, in Kafka's own formats: one for
// the group, two for each member, two for what it is to have, and one for each regular expression.
//
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/groups/consumer_types.h"
#include "coordinator/groups/group_records.h"

namespace garam {

GroupRecord ConsumerEpochRecord(const std::string& group, int32_t epoch, int64_t topics_hash);
GroupRecord ConsumerFactsRecord(const std::string& group, const std::string& member,
                                const ConsumerFacts& facts);
GroupRecord ConsumerTargetRecord(const std::string& group, const std::string& member,
                                 const TopicPartitions& target);
// After those of the members: with it the assignment is there.
GroupRecord ConsumerTargetEpochRecord(const std::string& group, int32_t epoch, int64_t now_ms);
// Its epochs and partitions; what it says of itself is in ConsumerFactsRecord.
GroupRecord ConsumerAssignmentRecord(const std::string& group, const std::string& id,
                                     const ConsumerMember& member);
GroupRecord ConsumerRegexRecord(const std::string& group, const std::string& expression,
                                const ResolvedRegex& resolved);
GroupRecord ConsumerRegexTombstone(const std::string& group, const std::string& expression);

// Everything that is kept of the member goes.
void AddMemberTombstones(const std::string& group, const std::string& member,
                         std::vector<GroupRecord>& records);
// Everything that is kept of the group, its offsets apart.
void AddConsumerRecords(const std::string& group, const ConsumerGroupState& state,
                        std::vector<GroupRecord>& records);
// And everything of it goes.
void AddConsumerTombstones(const std::string& group, const ConsumerGroupState& state,
                           std::vector<GroupRecord>& records);

// Takes a record into `state`; records with other keys change nothing. kCorruptRecord,
// kUnsupportedVersion. A group whose own record is a tombstone is gone: that is the caller's.
absl::Status ApplyConsumerRecord(const GroupRecordKey& key, const std::optional<Bytes>& value,
                                 ConsumerGroupState& state);

// The group that a record of a consumer group is about; null for other records.
const std::string* ConsumerGroupOf(const GroupRecordKey& key);

}  // namespace garam
