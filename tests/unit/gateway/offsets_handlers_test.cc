// ListOffsets, OffsetForLeaderEpoch and DeleteRecords.
#include <gmock/gmock.h>

#include "proto/kafka/delete_records.h"
#include "proto/kafka/list_offsets.h"
#include "proto/kafka/offset_for_leader_epoch.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::DeleteRecordsRequest;
using kafka::DeleteRecordsResponse;
using kafka::ErrorCode;
using kafka::ListOffsetsRequest;
using kafka::ListOffsetsResponse;
using kafka::OffsetForLeaderEpochRequest;
using kafka::OffsetForLeaderEpochResponse;
using ::testing::ElementsAre;

class OffsetsHandlersTest : public HandlerFixture {
 protected:
  ListOffsetsRequest At(int64_t timestamp, int32_t epoch = -1) {
    ListOffsetsRequest message;
    message.replica_id = -1;
    auto& topic = message.topics.emplace_back();
    topic.name = "t";
    topic.partitions.push_back({0, epoch, timestamp});
    return message;
  }
  ListOffsetsResponse::ListOffsetsPartitionResponse List(const ListOffsetsRequest& message,
                                                         int16_t version) {
    return Ask<ListOffsetsResponse>(message, version).topics.at(0).partitions.at(0);
  }

  std::shared_ptr<FakePartition> partition_ = broker_.AddPartition("t", 0, 1);
};

TEST_F(OffsetsHandlersTest, FindsATimeOnEveryVersion) {
  for (int16_t version = 1; version <= 11; ++version) {
    const auto found = List(At(1000), version);
    EXPECT_EQ(found.error_code, ErrorCode::kNone);
    EXPECT_EQ(found.offset, 7);
    EXPECT_EQ(found.timestamp, 1001);
    if (version >= 4) {
      EXPECT_EQ(found.leader_epoch, 3);
    }
  }
}

TEST_F(OffsetsHandlersTest, SpecialTimesBelongToTheirVersions) {
  for (const auto& [time, first] :
       std::vector<std::pair<int64_t, int16_t>>{{-1, 1}, {-2, 1}, {-3, 7}, {-4, 8}, {-5, 9}}) {
    EXPECT_EQ(List(At(time), first).error_code, ErrorCode::kNone) << time;
    if (first > 1) {
      EXPECT_EQ(List(At(time), first - 1).error_code, ErrorCode::kUnsupportedVersion) << time;
    }
  }
  EXPECT_EQ(List(At(-17), 11).error_code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(
      partition_->specials,
      ElementsAre(SpecialOffset::kLatest, SpecialOffset::kEarliest, SpecialOffset::kMaxTimestamp,
                  SpecialOffset::kEarliestLocal, SpecialOffset::kLatestTiered));
}

TEST_F(OffsetsHandlersTest, AFreshLeaderDoesNotAnswerLatest) {
  partition_->error = MakeError(Errc::kLeaderNotReady, "fresh");
  EXPECT_EQ(List(At(-1), 4).error_code, ErrorCode::kLeaderNotAvailable);
  EXPECT_EQ(List(At(-1), 5).error_code, ErrorCode::kOffsetNotAvailable);
}

TEST_F(OffsetsHandlersTest, EpochsPartitionsAndReplicasAreChecked) {
  EXPECT_EQ(List(At(-1, 2), 4).error_code, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(List(At(-1, 9), 4).error_code, ErrorCode::kUnknownLeaderEpoch);
  ListOffsetsRequest message = At(-1);
  message.topics[0].partitions.push_back(message.topics[0].partitions[0]);
  message.topics[0].partitions.push_back({5, -1, -1});
  const auto response = Ask<ListOffsetsResponse>(message, 6);
  EXPECT_EQ(response.topics[0].partitions[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.topics[0].partitions[1].error_code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(response.topics[0].partitions[2].error_code, ErrorCode::kUnknownTopicOrPartition);
  message = At(-1);
  message.replica_id = 2;
  EXPECT_EQ(List(message, 6).error_code, ErrorCode::kClusterAuthorizationFailed);
}

TEST_F(OffsetsHandlersTest, TellsWhereAnEpochEnds) {
  partition_->high_watermark = Offset(42);
  OffsetForLeaderEpochRequest message;
  auto& topic = message.topics.emplace_back();
  topic.topic = "t";
  topic.partitions.push_back({0, 3, 2});
  topic.partitions.push_back({0, -1, 9});
  topic.partitions.push_back({0, 1, 1});
  topic.partitions.push_back({8, -1, 1});
  for (int16_t version = 2; version <= 4; ++version) {
    const auto response = Ask<OffsetForLeaderEpochResponse>(message, version);
    const auto& ends = response.topics.at(0).partitions;
    EXPECT_EQ(ends[0].leader_epoch, 2);
    EXPECT_EQ(ends[0].end_offset, 42);
    EXPECT_EQ(ends[1].error_code, ErrorCode::kNone);
    EXPECT_EQ(ends[1].end_offset, -1);
    EXPECT_EQ(ends[2].error_code, ErrorCode::kFencedLeaderEpoch);
    EXPECT_EQ(ends[3].error_code, ErrorCode::kUnknownTopicOrPartition);
  }
}

TEST_F(OffsetsHandlersTest, RecordsAreDeletedUpToAnOffsetOrUpToTheHighWatermark) {
  partition_->high_watermark = Offset(10);
  for (int16_t version = 0; version <= 2; ++version) {
    for (const auto& [offset, expected] :
         std::vector<std::pair<int64_t, int64_t>>{{4 + version, 4 + version}, {1, 4 + version}}) {
      DeleteRecordsRequest message;
      message.topics.push_back({"t", {{0, offset}}});
      message.timeout_ms = 1000;
      const auto answer = Ask<DeleteRecordsResponse>(message, version);
      EXPECT_EQ(answer.topics.at(0).partitions.at(0).error_code, ErrorCode::kNone);
      EXPECT_EQ(answer.topics.at(0).partitions.at(0).low_watermark, expected);
    }
  }
  DeleteRecordsRequest all;
  all.topics.push_back({"t", {{0, -1}}});
  EXPECT_EQ(Ask<DeleteRecordsResponse>(all, 2).topics.at(0).partitions.at(0).low_watermark, 10);
}

TEST_F(OffsetsHandlersTest, DeletionsThatCannotBeAreRefusedOneByOne) {
  partition_->high_watermark = Offset(10);
  TopicConfig compacted;
  compacted.cleanup_compact = true;
  compacted.cleanup_delete = false;
  broker_.AddPartition("compacted", 0, 1)->SetConfig(compacted);
  broker_.AddPartition("__consumer_offsets", 0, 1);
  DeleteRecordsRequest message;
  message.topics.push_back({"t", {{0, 11}, {0, 3}, {7, 3}}});
  message.topics.push_back({"compacted", {{0, 0}}});
  message.topics.push_back({"__consumer_offsets", {{0, 0}}});
  const auto response = Ask<DeleteRecordsResponse>(message, 2);
  std::vector<ErrorCode> codes;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      codes.push_back(partition.error_code);
      EXPECT_EQ(partition.low_watermark, -1);
    }
  }
  EXPECT_THAT(codes, ElementsAre(ErrorCode::kOffsetOutOfRange, ErrorCode::kInvalidRequest,
                                 ErrorCode::kUnknownTopicOrPartition, ErrorCode::kPolicyViolation,
                                 ErrorCode::kInvalidTopicException));
}

}  // namespace
}  // namespace garam
