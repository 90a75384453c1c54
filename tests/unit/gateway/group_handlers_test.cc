// The handlers of groups, over a coordinator whose log commits at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/random.h"
#include "coordinator/groups/group_coordinator.h"
#include "coordinator/groups/group_partition.h"
#include "proto/kafka/consumer_group_describe.h"
#include "proto/kafka/consumer_group_heartbeat.h"
#include "proto/kafka/delete_groups.h"
#include "proto/kafka/describe_groups.h"
#include "proto/kafka/find_coordinator.h"
#include "proto/kafka/heartbeat.h"
#include "proto/kafka/init_producer_id.h"
#include "proto/kafka/join_group.h"
#include "proto/kafka/leave_group.h"
#include "proto/kafka/list_groups.h"
#include "proto/kafka/offset_commit.h"
#include "proto/kafka/offset_delete.h"
#include "proto/kafka/offset_fetch.h"
#include "proto/kafka/sync_group.h"
#include "tests/unit/coordinator/groups/fake_topics.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;
using ::testing::StartsWith;

class GroupHandlersTest : public HandlerFixture {
 protected:
  // One broker, a topic that is read, and __consumer_offsets with one partition, on shard 1.
  void SetUp() override {
    StartCluster(1);
    Create({.name = "t", .num_partitions = 2});
    Create({.name = std::string(kOffsetsTopic), .num_partitions = 1});
    UseImage();
    broker_.states[{std::string(kOffsetsTopic), 0}].leader = NodeId(1);
    auto offsets = std::make_shared<FakePartition>(
        std::string(kOffsetsTopic), image_->FindTopic(std::string(kOffsetsTopic))->id, 0, 1);
    offsets->groups = &groups_;
    broker_.partitions.push_back(offsets);
    groups_.Lead();
  }

  GroupCoordinator::Env Env() {
    GroupLimits limits;
    limits.initial_rebalance_delay = Duration(0);
    limits.consumers.assignment_interval = Duration(0);
    return {limits,
            random_,
            [this] {
              return Moment{clock_.Mono(), clock_.WallMs()};
            },
            [this](std::vector<GroupRecord> records, GroupCoordinator::StatusDone done) {
              away_.Post([this, records = std::move(records), done = std::move(done)]() mutable {
                for (const GroupRecord& record : records) {
                  EXPECT_TRUE(groups_.Apply(record).ok());
                }
                std::move(done)(absl::OkStatus());
              });
            },
            [this] { return topics_.Now(); },
            [](const GroupCoordinator::StatusDone&) { FAIL() << "nothing has failed"; }};
  }

  kafka::JoinGroupRequest JoinMessage(std::string_view member = "") {
    kafka::JoinGroupRequest message;
    message.group_id = "g";
    message.member_id = member;
    message.session_timeout_ms = 10'000;
    message.rebalance_timeout_ms = 60'000;
    message.protocol_type = "consumer";
    message.protocols.push_back({"range", Bytes::Copy("m")});
    return message;
  }
  // A member that is in a stable generation.
  std::string Join() {
    const auto joined = Ask<kafka::JoinGroupResponse>(JoinMessage(), 3);
    kafka::SyncGroupRequest sync;
    sync.group_id = "g";
    sync.generation_id = joined.generation_id;
    sync.member_id = joined.member_id;
    sync.assignments.push_back({joined.member_id, Bytes::Copy("mine")});
    EXPECT_EQ(Ask<kafka::SyncGroupResponse>(sync, 3).assignment.view(), "mine");
    generation_ = joined.generation_id;
    return joined.member_id;
  }
  kafka::OffsetCommitRequest CommitMessage(int64_t offset, std::string_view metadata = "") {
    kafka::OffsetCommitRequest message;
    message.group_id = "g";
    auto& topic = message.topics.emplace_back();
    topic.name = "t";
    topic.topic_id = image_->FindTopic("t")->id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 1;
    partition.committed_offset = offset;
    partition.committed_metadata = metadata;
    return message;
  }
  ErrorCode Commit(const kafka::OffsetCommitRequest& message, int16_t version) {
    return Ask<kafka::OffsetCommitResponse>(message, version).topics[0].partitions[0].error_code;
  }

  // A member of the consumer protocol, at `epoch`.
  kafka::ConsumerGroupHeartbeatRequest HeartbeatMessage(int32_t epoch) {
    kafka::ConsumerGroupHeartbeatRequest message;
    message.group_id = "g";
    message.member_id = "m";
    message.member_epoch = epoch;
    if (epoch != 0) return message;
    message.rebalance_timeout_ms = 60'000;
    message.subscribed_topic_names = std::vector<std::string_view>{"t"};
    message.topic_partitions.emplace();
    return message;
  }
  kafka::ConsumerGroupHeartbeatResponse JoinConsumers() {
    topics_.Set("t", 2);
    return Ask<kafka::ConsumerGroupHeartbeatResponse>(HeartbeatMessage(0), 1);
  }
  kafka::ConsumerGroupDescribeResponse::DescribedGroup DescribeConsumers(std::string_view group) {
    kafka::ConsumerGroupDescribeRequest message;
    message.group_ids = {group};
    message.include_authorized_operations = true;
    return Ask<kafka::ConsumerGroupDescribeResponse>(message, 1).groups.at(0);
  }

  FakeTopics topics_;
  SeededRandom random_{3};
  GroupCoordinator groups_{Env()};
  int32_t generation_ = 0;
};

TEST_F(GroupHandlersTest, TheCoordinatorIsWhoeverLeadsThePartitionOfTheGroup) {
  kafka::FindCoordinatorRequest one;
  one.key = "g";
  for (int16_t version = 0; version <= 3; ++version) {
    const auto response = Ask<kafka::FindCoordinatorResponse>(one, version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    EXPECT_EQ(response.node_id, 1);
  }
  kafka::FindCoordinatorRequest many;
  many.coordinator_keys = {"g", ""};
  const auto response = Ask<kafka::FindCoordinatorResponse>(many, 4);
  ASSERT_THAT(response.coordinators, SizeIs(2));
  EXPECT_EQ(response.coordinators[0].node_id, 1);
  EXPECT_EQ(response.coordinators[1].error_code, ErrorCode::kInvalidGroupId);
}

TEST_F(GroupHandlersTest, WithoutALeaderThereIsNoCoordinatorYet) {
  broker_.states.clear();
  kafka::FindCoordinatorRequest one;
  one.key = "g";
  const auto response = Ask<kafka::FindCoordinatorResponse>(one, 3);
  EXPECT_EQ(response.error_code, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(response.node_id, -1);
}

TEST_F(GroupHandlersTest, WhoeverAsksFirstHasTheTopicMade) {
  broker_.SetImage(MetadataImage::Empty());
  kafka::FindCoordinatorRequest one;
  one.key = "g";
  EXPECT_EQ(Ask<kafka::FindCoordinatorResponse>(one, 3).error_code,
            ErrorCode::kCoordinatorNotAvailable);
  ASSERT_THAT(broker_.created, SizeIs(1));
  EXPECT_EQ(broker_.created[0].name, kOffsetsTopic);
  EXPECT_EQ(broker_.created[0].num_partitions, 50);
  // Offsets do not go because they are old.
  EXPECT_THAT(broker_.created[0].configs,
              Contains(ConfigEntry{.name = "cleanup.policy", .value = "compact"}));
}

TEST_F(GroupHandlersTest, AMemberJoinsSyncsBeatsAndLeavesInEveryVersion) {
  for (int16_t version = 0; version <= 9; ++version) {
    std::string member;
    if (version >= 4) {
      const auto told = Ask<kafka::JoinGroupResponse>(JoinMessage(), version);
      EXPECT_EQ(told.error_code, ErrorCode::kMemberIdRequired);
      EXPECT_THAT(told.member_id, StartsWith("test-"));
      member = told.member_id;
    }
    const auto joined = Ask<kafka::JoinGroupResponse>(JoinMessage(member), version);
    EXPECT_EQ(joined.error_code, ErrorCode::kNone);
    EXPECT_EQ(joined.leader, joined.member_id);
    EXPECT_EQ(joined.protocol_name, "range");
    ASSERT_THAT(joined.members, SizeIs(1));
    EXPECT_EQ(joined.members[0].metadata.view(), "m");

    kafka::HeartbeatRequest beat;
    beat.group_id = "g";
    beat.generation_id = joined.generation_id;
    beat.member_id = joined.member_id;
    EXPECT_EQ(Ask<kafka::HeartbeatResponse>(beat, std::min<int16_t>(version, 4)).error_code,
              ErrorCode::kNone);
    kafka::LeaveGroupRequest leave;
    leave.group_id = "g";
    const auto leave_version = std::min<int16_t>(version, 5);
    if (leave_version < 3) {
      leave.member_id = joined.member_id;
    } else {
      leave.members.emplace_back().member_id = joined.member_id;
    }
    const auto left = Ask<kafka::LeaveGroupResponse>(leave, leave_version);
    EXPECT_EQ(left.error_code, ErrorCode::kNone);
    if (leave_version >= 3) {
      EXPECT_EQ(left.members[0].error_code, ErrorCode::kNone);
    }
  }
}

TEST_F(GroupHandlersTest, AnotherBrokersGroupsAreRefused) {
  groups_.Resign();
  EXPECT_EQ(Ask<kafka::JoinGroupResponse>(JoinMessage(), 3).error_code, ErrorCode::kNotCoordinator);
  kafka::SyncGroupRequest sync;
  sync.group_id = "g";
  EXPECT_EQ(Ask<kafka::SyncGroupResponse>(sync, 3).error_code, ErrorCode::kNotCoordinator);
  EXPECT_EQ(Commit(CommitMessage(1), 7), ErrorCode::kNotCoordinator);
  EXPECT_THAT(Ask<kafka::ListGroupsResponse>(kafka::ListGroupsRequest(), 4).groups, SizeIs(0));
  broker_.partitions.clear();
  EXPECT_EQ(Ask<kafka::JoinGroupResponse>(JoinMessage(), 3).error_code, ErrorCode::kNotCoordinator);
}

TEST_F(GroupHandlersTest, CommitsAndFetchesInEveryVersion) {
  for (int16_t version = 2; version <= 10; ++version) {
    EXPECT_EQ(Commit(CommitMessage(100 + version, "note"), version), ErrorCode::kNone);
  }
  for (int16_t version = 1; version <= 7; ++version) {
    kafka::OffsetFetchRequest fetch;
    fetch.group_id = "g";
    fetch.topics->push_back({"t", {0, 1}});
    const auto response = Ask<kafka::OffsetFetchResponse>(fetch, version);
    ASSERT_THAT(response.topics, SizeIs(1));
    ASSERT_THAT(response.topics[0].partitions, SizeIs(2));
    EXPECT_EQ(response.topics[0].partitions[0].committed_offset, -1);
    EXPECT_EQ(response.topics[0].partitions[1].committed_offset, 110);
    EXPECT_EQ(response.topics[0].partitions[1].metadata, "note");
  }
  for (int16_t version = 8; version <= 10; ++version) {
    kafka::OffsetFetchRequest fetch;
    auto& all = fetch.groups.emplace_back();
    all.group_id = "g";
    all.topics.reset();
    fetch.groups.emplace_back().group_id = "unknown";
    const auto response = Ask<kafka::OffsetFetchResponse>(fetch, version);
    ASSERT_THAT(response.groups, SizeIs(2));
    ASSERT_THAT(response.groups[0].topics, SizeIs(1));
    EXPECT_EQ(response.groups[0].topics[0].partitions[0].committed_offset, 110);
    EXPECT_EQ(response.groups[1].error_code, ErrorCode::kNone);
  }
}

TEST_F(GroupHandlersTest, ACommitIsRefusedForWhatIsNotThereOrTooLong) {
  auto unknown = CommitMessage(1);
  unknown.topics[0].partitions[0].partition_index = 9;
  EXPECT_EQ(Commit(unknown, 7), ErrorCode::kUnknownTopicOrPartition);
  unknown.topics[0].topic_id = Uuid();
  EXPECT_EQ(Commit(unknown, 10), ErrorCode::kUnknownTopicId);
  const std::string text(5000, 'x');
  EXPECT_EQ(Commit(CommitMessage(1, text), 7), ErrorCode::kOffsetMetadataTooLarge);
  Join();
  EXPECT_EQ(Commit(CommitMessage(1), 7), ErrorCode::kUnknownMemberId);
}

TEST_F(GroupHandlersTest, GroupsAreListedDescribedAndDeleted) {
  const std::string member = Join();
  kafka::ListGroupsRequest list;
  list.states_filter = {"stable"};
  const auto listed = Ask<kafka::ListGroupsResponse>(list, 5);
  ASSERT_THAT(listed.groups, SizeIs(1));
  EXPECT_EQ(listed.groups[0].group_type, "classic");
  list.states_filter = {"Empty"};
  EXPECT_THAT(Ask<kafka::ListGroupsResponse>(list, 5).groups, SizeIs(0));

  kafka::DescribeGroupsRequest describe;
  describe.groups = {"g", "none"};
  const auto described = Ask<kafka::DescribeGroupsResponse>(describe, 5);
  ASSERT_THAT(described.groups, SizeIs(2));
  EXPECT_EQ(described.groups[0].group_state, "Stable");
  EXPECT_EQ(described.groups[0].members[0].member_id, member);
  EXPECT_EQ(described.groups[0].members[0].client_host, "/127.0.0.1");
  EXPECT_EQ(described.groups[1].group_state, "Dead");
  EXPECT_EQ(described.groups[1].error_code, ErrorCode::kNone);
  EXPECT_EQ(Ask<kafka::DescribeGroupsResponse>(describe, 6).groups[1].error_code,
            ErrorCode::kGroupIdNotFound);

  kafka::DeleteGroupsRequest remove;
  remove.groups_names = {"g", "none"};
  const auto removed = Ask<kafka::DeleteGroupsResponse>(remove, 2);
  EXPECT_EQ(removed.results[0].error_code, ErrorCode::kNonEmptyGroup);
  EXPECT_EQ(removed.results[1].error_code, ErrorCode::kGroupIdNotFound);
}

TEST_F(GroupHandlersTest, CommittedOffsetsAreForgottenOnRequest) {
  EXPECT_EQ(Commit(CommitMessage(5), 7), ErrorCode::kNone);
  kafka::OffsetDeleteRequest forget;
  forget.group_id = "g";
  auto& topic = forget.topics.emplace_back();
  topic.name = "t";
  topic.partitions = {{1}, {7}};
  const auto response = Ask<kafka::OffsetDeleteResponse>(forget, 0);
  EXPECT_EQ(response.topics[0].partitions[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.topics[0].partitions[1].error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_TRUE(groups_.store().groups().empty());
  forget.group_id = "none";
  EXPECT_EQ(Ask<kafka::OffsetDeleteResponse>(forget, 0).error_code, ErrorCode::kGroupIdNotFound);
}

TEST_F(GroupHandlersTest, AConsumerJoinsStaysAndLeavesInEveryVersion) {
  topics_.Set("t", 2);
  for (int16_t version = 0; version <= 1; ++version) {
    auto message = HeartbeatMessage(0);
    if (version == 0) message.member_id = "";  // The broker names it.
    const auto joined = Ask<kafka::ConsumerGroupHeartbeatResponse>(message, version);
    EXPECT_EQ(joined.error_code, ErrorCode::kNone);
    EXPECT_EQ(joined.heartbeat_interval_ms, 5000);
    ASSERT_TRUE(joined.assignment.has_value());
    ASSERT_THAT(joined.assignment->topic_partitions, SizeIs(1));
    EXPECT_EQ(joined.assignment->topic_partitions[0].topic_id, topics_.IdOf("t"));
    EXPECT_THAT(joined.assignment->topic_partitions[0].partitions, ElementsAre(0, 1));
    auto next = HeartbeatMessage(joined.member_epoch);
    next.member_id = *joined.member_id;
    const auto stays = Ask<kafka::ConsumerGroupHeartbeatResponse>(next, version);
    EXPECT_EQ(stays.error_code, ErrorCode::kNone);
    EXPECT_FALSE(stays.assignment.has_value());
    next.member_epoch = -1;
    const auto left = Ask<kafka::ConsumerGroupHeartbeatResponse>(next, version);
    EXPECT_EQ(left.error_code, ErrorCode::kNone);
    EXPECT_EQ(left.member_epoch, -1);
  }
}

TEST_F(GroupHandlersTest, HeartbeatsThatSayNothingSensibleAreRefusedWithAReason) {
  auto nobody = HeartbeatMessage(0);
  nobody.member_id = "";
  const auto refused = Ask<kafka::ConsumerGroupHeartbeatResponse>(nobody, 1);
  EXPECT_EQ(refused.error_code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(refused.error_message, "MemberId can't be empty.");
  auto assignor = HeartbeatMessage(0);
  assignor.server_assignor = "best";
  EXPECT_EQ(Ask<kafka::ConsumerGroupHeartbeatResponse>(assignor, 1).error_code,
            ErrorCode::kUnsupportedAssignor);
  auto regex = HeartbeatMessage(0);
  regex.subscribed_topic_regex = "[";
  EXPECT_EQ(Ask<kafka::ConsumerGroupHeartbeatResponse>(regex, 1).error_code,
            ErrorCode::kInvalidRegularExpression);
  EXPECT_EQ(Ask<kafka::ConsumerGroupHeartbeatResponse>(HeartbeatMessage(3), 1).error_code,
            ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(JoinConsumers().error_code, ErrorCode::kNone);
  EXPECT_EQ(Ask<kafka::ConsumerGroupHeartbeatResponse>(HeartbeatMessage(3), 1).error_code,
            ErrorCode::kFencedMemberEpoch);
  groups_.Resign();
  EXPECT_EQ(JoinConsumers().error_code, ErrorCode::kNotCoordinator);
}

TEST_F(GroupHandlersTest, ConsumerGroupsAreDescribedAsWhatTheyAre) {
  EXPECT_EQ(DescribeConsumers("g").error_code, ErrorCode::kGroupIdNotFound);
  JoinConsumers();
  const auto group = DescribeConsumers("g");
  EXPECT_EQ(group.error_code, ErrorCode::kNone);
  EXPECT_EQ(group.group_state, "Stable");
  EXPECT_EQ(group.group_epoch, 1);
  EXPECT_EQ(group.assignment_epoch, 1);
  EXPECT_EQ(group.assignor_name, "uniform");
  EXPECT_EQ(group.authorized_operations, 3400);
  ASSERT_THAT(group.members, SizeIs(1));
  const auto& member = group.members[0];
  EXPECT_EQ(member.member_id, "m");
  EXPECT_EQ(member.client_id, "test");
  EXPECT_EQ(member.client_host, "/127.0.0.1");
  EXPECT_THAT(member.subscribed_topic_names, ElementsAre("t"));
  EXPECT_FALSE(member.subscribed_topic_regex.has_value());
  EXPECT_EQ(member.member_type, 1);
  EXPECT_EQ(member.assignment.topic_partitions.at(0).topic_name, "t");
  EXPECT_THAT(member.target_assignment.topic_partitions.at(0).partitions, ElementsAre(0, 1));

  kafka::DescribeGroupsRequest classic;
  classic.groups = {"g"};
  EXPECT_EQ(Ask<kafka::DescribeGroupsResponse>(classic, 5).groups[0].group_state, "Dead");
  EXPECT_EQ(Ask<kafka::DescribeGroupsResponse>(classic, 6).groups[0].error_code,
            ErrorCode::kGroupIdNotFound);
  kafka::ListGroupsRequest list;
  list.types_filter = {"Consumer"};
  list.states_filter = {"stable"};
  const auto listed = Ask<kafka::ListGroupsResponse>(list, 5);
  ASSERT_THAT(listed.groups, SizeIs(1));
  EXPECT_EQ(listed.groups[0].group_type, "consumer");
  EXPECT_EQ(listed.groups[0].protocol_type, "consumer");
}

TEST_F(GroupHandlersTest, ConsumersCommitAndFetchInTheirEpoch) {
  JoinConsumers();
  auto commit = CommitMessage(5);
  commit.member_id = "m";
  commit.generation_id_or_member_epoch = 1;
  EXPECT_EQ(Commit(commit, 8), ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(Commit(commit, 9), ErrorCode::kNone);
  commit.generation_id_or_member_epoch = 2;
  EXPECT_EQ(Commit(commit, 10), ErrorCode::kStaleMemberEpoch);
  commit.member_id = "who";
  EXPECT_EQ(Commit(commit, 10), ErrorCode::kUnknownMemberId);
  commit.group_id = "gone";
  EXPECT_EQ(Commit(commit, 8), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit(commit, 9), ErrorCode::kGroupIdNotFound);

  kafka::OffsetFetchRequest fetch;
  auto& group = fetch.groups.emplace_back();
  group.group_id = "g";
  group.topics.reset();
  group.member_id = "m";
  group.member_epoch = 1;
  EXPECT_EQ(Ask<kafka::OffsetFetchResponse>(fetch, 9).groups[0].error_code, ErrorCode::kNone);
  fetch.groups[0].member_epoch = 2;
  EXPECT_EQ(Ask<kafka::OffsetFetchResponse>(fetch, 9).groups[0].error_code,
            ErrorCode::kStaleMemberEpoch);
  fetch.groups[0].member_id.reset();
  fetch.groups[0].member_epoch = -1;
  EXPECT_EQ(Ask<kafka::OffsetFetchResponse>(fetch, 9).groups[0].error_code, ErrorCode::kNone);
}

TEST_F(GroupHandlersTest, ProducersGetIdsAndTransactionsAReason) {
  kafka::InitProducerIdRequest message;
  message.transactional_id.reset();
  for (int16_t version = 0; version <= 5; ++version) {
    const auto response = Ask<kafka::InitProducerIdResponse>(message, version);
    EXPECT_EQ(response.error_code, ErrorCode::kNone);
    EXPECT_EQ(response.producer_id, 4000);
    EXPECT_EQ(response.producer_epoch, 0);
  }
  message.transactional_id = "t";
  EXPECT_EQ(Ask<kafka::InitProducerIdResponse>(message, 2).error_code,
            ErrorCode::kTransactionalIdAuthorizationFailed);
  message.transactional_id.reset();
  broker_.new_producer_id = MakeError(Errc::kTimedOut, "nobody answers");
  EXPECT_EQ(Ask<kafka::InitProducerIdResponse>(message, 2).error_code,
            ErrorCode::kCoordinatorNotAvailable);
}

TEST(GroupPartitionTest, IsWhatJavaComputes) {
  EXPECT_EQ(GroupPartition("g1", 50), 42);
  EXPECT_EQ(GroupPartition("my-group", 50), 36);  // A negative hash.
  EXPECT_EQ(GroupPartition("그룹", 50), 19);
  EXPECT_EQ(GroupPartition("😀x", 50), 39);  // Two units of UTF-16.
  EXPECT_EQ(GroupPartition("", 50), 0);
}

}  // namespace
}  // namespace garam
