// Holds the records of consumer groups against those that Kafka's group coordinator writes. The
// values are those of tests/golden/java, GroupRecords.java.
#include "coordinator/groups/consumer_records.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "coordinator/groups/group_store.h"
#include "tests/golden/golden_file.h"

namespace garam {
namespace {

constexpr int64_t kTimeMs = 1'700'000'000'123;

TopicId Topic() {
  return Uuid::FromRaw("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
}

ConsumerFacts Facts() {
  ConsumerFacts facts;
  facts.client_id = "client";
  facts.client_host = "/127.0.0.1";
  facts.topics = {"t1", "t2"};
  facts.rebalance_timeout_ms = 60'000;
  return facts;
}

ConsumerMember Member() {
  ConsumerMember member;
  member.facts = Facts();
  member.epoch = 11;
  member.previous_epoch = 10;
  member.state = MemberState::kUnrevokedPartitions;
  member.assigned[Topic()] = {{0, 11}, {1, 10}};
  member.revoking[Topic()] = {{2, 9}};
  return member;
}

// In the order in which a coordinator may write them.
std::vector<std::pair<std::string, GroupRecord>> OurRecords() {
  ConsumerMember joining;
  joining.previous_epoch = -1;
  ConsumerFacts full;
  full.instance_id = "instance";
  full.rack = "rack";
  full.client_id = "client";
  full.client_host = "/127.0.0.1";
  full.topic_regex = "t.*";
  full.rebalance_timeout_ms = 60'000;
  full.assignor = "uniform";
  full.classic = ClassicFacts{10'000, {{"range", Bytes::Copy("\x01\x02\x03")}}};
  return {
      {"member_metadata_full", ConsumerFactsRecord("group", "member", full)},
      {"member_metadata", ConsumerFactsRecord("group", "member", Facts())},
      {"regular_expression", ConsumerRegexRecord("group", "t.*", {{"t1", "t2"}, 33, kTimeMs})},
      {"consumer_group_metadata", ConsumerEpochRecord("group", 11, 0x1122334455667788)},
      {"target_assignment_member", ConsumerTargetRecord("group", "member", {{Topic(), {0, 1, 2}}})},
      {"target_assignment_metadata", ConsumerTargetEpochRecord("group", 11, kTimeMs)},
      {"current_member_assignment_empty", ConsumerAssignmentRecord("group", "member", joining)},
      {"current_member_assignment", ConsumerAssignmentRecord("group", "member", Member())},
  };
}

TEST(ConsumerRecordsTest, AreThoseThatKafkaWrites) {
  std::map<std::string, kafka::GoldenRecord> golden;
  for (auto& record : kafka::ReadGolden(GARAM_GOLDEN_DIR).records) golden[record.name] = record;
  for (const auto& [name, ours] : OurRecords()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(golden.contains(name));
    EXPECT_EQ(ours.key.view(), golden.at(name).key.view());
    EXPECT_EQ(ours.value->view(), golden.at(name).value->view());
  }
  std::vector<GroupRecord> tombstones;
  AddConsumerTombstones("group", {}, tombstones);
  EXPECT_EQ(tombstones.back().key.view(),
            golden.at("consumer_group_metadata_tombstone").key.view());
}

TEST(ConsumerRecordsTest, AreReadBackAsTheyWere) {
  GroupStore store;
  for (const auto& [name, record] : OurRecords()) EXPECT_TRUE(store.Apply(record).ok()) << name;
  const GroupStore::Group* const group = store.Find("group");
  ASSERT_TRUE(group != nullptr && group->consumer);
  const ConsumerGroupState& state = *group->consumer;
  EXPECT_EQ(state.epoch, 11);
  EXPECT_EQ(state.topics_hash, 0x1122334455667788);
  EXPECT_EQ(state.assignment_epoch, 11);
  EXPECT_EQ(state.assigned_at_ms, kTimeMs);
  EXPECT_EQ(state.members.at("member"), Member());
  EXPECT_EQ(state.target.at("member"), (TopicPartitions{{Topic(), {0, 1, 2}}}));
  EXPECT_EQ(state.regexes.at("t.*").topics, (std::vector<std::string>{"t1", "t2"}));
  EXPECT_EQ(state.regexes.at("t.*").version, 33);
}

// What Kafka writes, and what an older Kafka left out.
TEST(ConsumerRecordsTest, EpochsThatWereNotStoredAreTheMembers) {
  kafka::ConsumerGroupCurrentMemberAssignmentValue value;
  value.member_epoch = 4;
  auto& row = value.assigned_partitions.emplace_back();
  row.topic_id = Topic();
  row.partitions = {3};
  row.assignment_epochs.reset();
  kafka::Writer writer;
  writer.Int<int16_t>(0);
  ASSERT_TRUE(value.Encode(writer, 0).ok());
  GroupRecord record = ConsumerAssignmentRecord("group", "member", {});
  record.value = writer.FinishContiguous();
  GroupStore store;
  EXPECT_TRUE(store.Apply(ConsumerFactsRecord("group", "member", Facts())).ok());
  EXPECT_TRUE(store.Apply(record).ok());
  EXPECT_EQ(store.Find("group")->consumer->members.at("member").assigned,
            (HeldPartitions{{Topic(), {{3, 4}}}}));
}

}  // namespace
}  // namespace garam
