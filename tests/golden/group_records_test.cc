// Holds whole records, prefixes and all, against those that Kafka's group coordinator writes. The
// values are those of tests/golden/java, GroupRecords.java.
#include "proto/kafka/group_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/status.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/message_ops.h"

namespace garam::kafka {
namespace {

// What a key begins with, and with it the version that its value begins with.
constexpr int16_t kOffsetCommit = 1;
constexpr int16_t kOffsetCommitVersion = 4;
constexpr int16_t kExpiringOffsetCommitVersion = 1;  // The last that has an expiry.
constexpr int16_t kGroupMetadata = 2;
constexpr int16_t kGroupMetadataVersion = 3;  // Not the newest that Kafka reads.
constexpr int16_t kConsumerGroupMetadata = 3;
constexpr int16_t kMemberMetadata = 5;
constexpr int16_t kTargetAssignmentMetadata = 6;
constexpr int16_t kTargetAssignmentMember = 7;
constexpr int16_t kCurrentMemberAssignment = 8;
constexpr int16_t kRegularExpression = 16;
constexpr int16_t kConsumerGroupVersion = 0;  // Of all that belongs to consumer groups.

constexpr int64_t kTimeMs = 1'700'000'000'123;

Uuid Topic() {
  return Uuid::FromRaw("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
}

template <class Message>
std::string Prefixed(int16_t prefix, const Message& message, int16_t version) {
  Writer writer;
  writer.Int(prefix);
  const absl::Status status = message.Encode(writer, version);
  EXPECT_TRUE(status.ok()) << status;
  return std::string(writer.FinishContiguous().view());
}

// A record that Kafka should have written just so.
struct Record {
  int16_t type;
  std::string_view key_message;
  std::string key;
  int16_t value_version = 0;
  std::string_view value_message = {};
  std::optional<std::string> value = std::nullopt;
};

using Records = std::map<std::string, Record>;

template <class Key>
Record Tombstone(int16_t type, const Key& key) {
  return {.type = type, .key_message = Key::kName, .key = Prefixed(type, key, 0)};
}

template <class Key, class Value>
Record Whole(int16_t type, const Key& key, int16_t version, const Value& value) {
  Record record = Tombstone(type, key);
  record.value_version = version;
  record.value_message = Value::kName;
  record.value = Prefixed(version, value, version);
  return record;
}

void AddOffsets(Records& all) {
  const OffsetCommitKey key{.group = "group", .topic = "topic", .partition = 3};
  OffsetCommitValue value;
  value.offset = 42;
  value.metadata = "note";
  value.commit_timestamp = kTimeMs;
  all["offset_commit_bare"] = Whole(kOffsetCommit, key, kOffsetCommitVersion, value);
  value.leader_epoch = 7;
  value.topic_id = Topic();
  all["offset_commit"] = Whole(kOffsetCommit, key, kOffsetCommitVersion, value);
  value.expire_timestamp = kTimeMs + 1;
  all["offset_commit_expiring"] = Whole(kOffsetCommit, key, kExpiringOffsetCommitVersion, value);
  all["offset_commit_tombstone"] = Tombstone(kOffsetCommit, key);
}

GroupMetadataValue::MemberMetadata ClassicMember(std::string id) {
  GroupMetadataValue::MemberMetadata member;
  member.member_id = std::move(id);
  member.client_id = "client";
  member.client_host = "/127.0.0.1";
  member.rebalance_timeout = 60'000;
  member.session_timeout = 10'000;
  member.subscription = Bytes::Copy("\x01\x02\x03");
  return member;
}

void AddClassicGroups(Records& all) {
  const GroupMetadataKey key{.group = "group"};
  GroupMetadataValue value;
  value.protocol.reset();
  value.leader.reset();
  value.current_state_timestamp = kTimeMs;
  all["group_metadata_new"] = Whole(kGroupMetadata, key, kGroupMetadataVersion, value);
  value.protocol_type = "consumer";
  value.generation = 6;
  all["group_metadata_empty"] = Whole(kGroupMetadata, key, kGroupMetadataVersion, value);
  value.generation = 5;
  value.protocol = "range";
  value.leader = "m1";
  value.members = {ClassicMember("m1"), ClassicMember("m2")};
  value.members[0].assignment = Bytes::Copy("\x05\x06");
  value.members[1].group_instance_id = "instance";
  all["group_metadata"] = Whole(kGroupMetadata, key, kGroupMetadataVersion, value);
  all["group_metadata_tombstone"] = Tombstone(kGroupMetadata, key);
}

void AddConsumerGroup(Records& all) {
  const ConsumerGroupMetadataKey key{.group_id = "group"};
  all["consumer_group_metadata"] =
      Whole(kConsumerGroupMetadata, key, kConsumerGroupVersion,
            ConsumerGroupMetadataValue{.epoch = 11, .metadata_hash = 0x1122334455667788});
  all["consumer_group_metadata_tombstone"] = Tombstone(kConsumerGroupMetadata, key);
  all["target_assignment_metadata"] =
      Whole(kTargetAssignmentMetadata,
            ConsumerGroupTargetAssignmentMetadataKey{.group_id = "group"}, kConsumerGroupVersion,
            ConsumerGroupTargetAssignmentMetadataValue{.assignment_epoch = 11,
                                                       .assignment_timestamp = kTimeMs});
  all["target_assignment_member"] =
      Whole(kTargetAssignmentMember,
            ConsumerGroupTargetAssignmentMemberKey{.group_id = "group", .member_id = "member"},
            kConsumerGroupVersion,
            ConsumerGroupTargetAssignmentMemberValue{
                .topic_partitions = {{.topic_id = Topic(), .partitions = {0, 1, 2}}}});
  all["regular_expression"] =
      Whole(kRegularExpression,
            ConsumerGroupRegularExpressionKey{.group_id = "group", .regular_expression = "t.*"},
            kConsumerGroupVersion,
            ConsumerGroupRegularExpressionValue{
                .topics = {"t1", "t2"}, .version = 33, .timestamp = kTimeMs});
}

void AddMembers(Records& all) {
  const ConsumerGroupMemberMetadataKey key{.group_id = "group", .member_id = "member"};
  ConsumerGroupMemberMetadataValue value;
  value.client_id = "client";
  value.client_host = "/127.0.0.1";
  value.rebalance_timeout_ms = 60'000;

  ConsumerGroupMemberMetadataValue plain = value;
  plain.instance_id.reset();
  plain.rack_id.reset();
  plain.server_assignor.reset();
  plain.classic_member_metadata.reset();
  plain.subscribed_topic_names = {"t1", "t2"};
  all["member_metadata"] = Whole(kMemberMetadata, key, kConsumerGroupVersion, plain);

  value.instance_id = "instance";
  value.rack_id = "rack";
  value.subscribed_topic_regex = "t.*";
  value.server_assignor = "uniform";
  auto& classic = value.classic_member_metadata.emplace();
  classic.session_timeout_ms = 10'000;
  classic.supported_protocols = {{.name = "range", .metadata = Bytes::Copy("\x01\x02\x03")}};
  all["member_metadata_full"] = Whole(kMemberMetadata, key, kConsumerGroupVersion, value);
}

void AddAssignments(Records& all) {
  const ConsumerGroupCurrentMemberAssignmentKey key{.group_id = "group", .member_id = "member"};
  ConsumerGroupCurrentMemberAssignmentValue value;
  value.previous_member_epoch = -1;
  all["current_member_assignment_empty"] =
      Whole(kCurrentMemberAssignment, key, kConsumerGroupVersion, value);
  value.member_epoch = 11;
  value.previous_member_epoch = 10;
  value.state = 1;
  value.assigned_partitions = {
      {.topic_id = Topic(), .partitions = {0, 1}, .assignment_epochs = {{11, 10}}}};
  value.partitions_pending_revocation = {
      {.topic_id = Topic(), .partitions = {2}, .assignment_epochs = {{9}}}};
  all["current_member_assignment"] =
      Whole(kCurrentMemberAssignment, key, kConsumerGroupVersion, value);
}

Records OurRecords() {
  Records all;
  AddOffsets(all);
  AddClassicGroups(all);
  AddConsumerGroup(all);
  AddMembers(all);
  AddAssignments(all);
  return all;
}

// Reads a whole key or value and writes it again.
void ExpectReadsBack(const Bytes& whole, int16_t prefix, std::string_view message,
                     int16_t version) {
  Reader reader(whole);
  EXPECT_EQ(reader.Int<int16_t>("prefix"), prefix);
  const Bytes body = whole.Slice(reader.position(), reader.remaining());
  for (const MessageOps& ops : AllMessages()) {
    if (ops.name != message) continue;
    const auto subject = ops.recode(body, version);
    ASSERT_TRUE(subject.ok()) << subject.status();
    EXPECT_EQ(subject->encoded.view(), body.view());
    EXPECT_EQ(subject->left_over, 0);
    return;
  }
  ADD_FAILURE() << "no schema for " << message;
}

TEST(GroupRecordsTest, AreThoseThatKafkaWrites) {
  Records ours = OurRecords();
  for (const GoldenRecord& golden : ReadGolden(GARAM_GOLDEN_DIR).records) {
    SCOPED_TRACE(golden.name);
    const auto found = ours.find(golden.name);
    ASSERT_NE(found, ours.end());
    const Record& record = found->second;
    EXPECT_EQ(golden.key.view(), record.key);
    ExpectReadsBack(golden.key, record.type, record.key_message, 0);
    ASSERT_EQ(golden.value.has_value(), record.value.has_value());
    if (golden.value.has_value()) {
      EXPECT_EQ(golden.value->view(), *record.value);
      ExpectReadsBack(*golden.value, record.value_version, record.value_message,
                      record.value_version);
    }
    ours.erase(found);
  }
  EXPECT_TRUE(ours.empty()) << "no golden record " << ours.begin()->first;
}

}  // namespace
}  // namespace garam::kafka
