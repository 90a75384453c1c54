#include <gmock/gmock.h>

#include "proto/kafka/fetch.h"
#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using kafka::FetchRequest;
using kafka::FetchResponse;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FetchHandlerTest : public HandlerFixture {
 protected:
  FetchRequest From(std::string_view topic, std::vector<int32_t> partitions, int64_t offset = 0) {
    FetchRequest message;
    message.max_wait_ms = 500;
    message.min_bytes = 1;
    auto& asked = message.topics.emplace_back();
    asked.topic = topic;
    for (const int32_t partition : partitions) {
      auto& each = asked.partitions.emplace_back();
      each.partition = partition;
      each.fetch_offset = offset;
      each.partition_max_bytes = 1 << 20;
    }
    return message;
  }
  static const FetchResponse::PartitionData& First(const FetchResponse& response) {
    return response.responses.at(0).partitions.at(0);
  }
};

TEST_F(FetchHandlerTest, GivesTheVeryBytesOnEveryVersion) {
  auto partition = broker_.AddPartition("t", 0);
  partition->Append(BatchBuilder{}.Build());
  for (int16_t version = 4; version <= 12; ++version) {
    const auto response = Ask<FetchResponse>(From("t", {0}), version);
    EXPECT_EQ(First(response).error_code, ErrorCode::kNone);
    EXPECT_EQ(First(response).high_watermark, 1);
    EXPECT_EQ(First(response).records->Joined().view(), partition->batches()[0].view());
  }
}

TEST_F(FetchHandlerTest, NamesTopicsByIdFromVersion13On) {
  auto partition = broker_.AddPartition("t", 0);
  partition->Append(BatchBuilder{}.Build());
  FetchRequest message = From("", {0});
  message.topics[0].topic_id = partition->topic_id();
  for (int16_t version = 13; version <= 18; ++version) {
    const auto response = Ask<FetchResponse>(message, version);
    EXPECT_EQ(response.responses.at(0).topic_id, partition->topic_id());
    EXPECT_FALSE(First(response).records->empty());
  }
  message.topics[0].topic_id.bytes[9] = 1;
  EXPECT_EQ(First(Ask<FetchResponse>(message, 13)).error_code, ErrorCode::kUnknownTopicId);
}

TEST_F(FetchHandlerTest, LongPollsUntilACommit) {
  auto partition = broker_.AddPartition("t", 0, 1);
  Send(From("t", {0}), 11);
  Settle();
  EXPECT_FALSE(sink_->finished);
  partition->Append(BatchBuilder{}.Build());
  EXPECT_FALSE(First(Answer<FetchResponse>(11)).records->empty());
}

TEST_F(FetchHandlerTest, AConnectionThatGoesLeavesNoWatch) {
  auto partition = broker_.AddPartition("t", 0, 1);
  const RequestPtr request = Send(From("t", {0}), 11);
  Settle();
  EXPECT_EQ(partition->watches(), 1U);
  request->Cancel();
  Settle();
  EXPECT_EQ(partition->watches(), 0U);
  EXPECT_EQ(home_.timers(), 0U);
}

TEST_F(FetchHandlerTest, AClientThatSaysItIsABrokerIsRefused) {
  broker_.AddPartition("t", 0);
  FetchRequest message = From("t", {0});
  message.replica_id = 1;
  EXPECT_EQ(First(Ask<FetchResponse>(message, 4)).error_code,
            ErrorCode::kClusterAuthorizationFailed);
  EXPECT_EQ(Ask<FetchResponse>(message, 11).error_code, ErrorCode::kClusterAuthorizationFailed);
  message.replica_id = -1;
  message.replica_state.replica_id = 1;
  EXPECT_EQ(Ask<FetchResponse>(message, 15).error_code, ErrorCode::kClusterAuthorizationFailed);
}

TEST_F(FetchHandlerTest, OffsetsOutsideTheLogAreOutOfRange) {
  broker_.AddPartition("t", 0);
  const auto response = Ask<FetchResponse>(From("t", {0}, 5), 11);
  EXPECT_EQ(First(response).error_code, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(First(response).high_watermark, -1);
}

TEST_F(FetchHandlerTest, LeaderEpochsAreCompared) {
  auto partition = broker_.AddPartition("t", 0);
  partition->epoch = Term(3);
  FetchRequest message = From("t", {0});
  message.topics[0].partitions[0].current_leader_epoch = 2;
  EXPECT_EQ(First(Ask<FetchResponse>(message, 11)).error_code, ErrorCode::kFencedLeaderEpoch);
  message.topics[0].partitions[0].current_leader_epoch = 4;
  EXPECT_EQ(First(Ask<FetchResponse>(message, 11)).error_code, ErrorCode::kUnknownLeaderEpoch);
}

TEST_F(FetchHandlerTest, ADivergingEpochIsToldWithoutRecords) {
  auto partition = broker_.AddPartition("t", 0);
  partition->Append(BatchBuilder{}.Build());
  FetchRequest message = From("t", {0});
  message.topics[0].partitions[0].last_fetched_epoch = 7;
  const auto response = Ask<FetchResponse>(message, 12);
  EXPECT_EQ(First(response).diverging_epoch.epoch, 3);
  EXPECT_EQ(First(response).diverging_epoch.end_offset, 1);
  EXPECT_TRUE(First(response).records->empty());
}

TEST_F(FetchHandlerTest, NotLeaderNamesTheNewLeaderFromVersion16On) {
  StartCluster(3);
  const auto topic = Create({.name = "t",
                             .num_partitions = 1,
                             .replication_factor = 3,
                             .assignments = {},
                             .configs = {}});
  UseImage();
  broker_.states[{"t", 0}].leader = NodeId(3);
  broker_.states[{"t", 0}].leader_epoch = Term(4);
  auto partition = std::make_shared<FakePartition>("t", topic->id, 0, 0);
  partition->error = MakeError(Errc::kNotLeader, "moved");
  broker_.partitions.push_back(partition);
  FetchRequest message = From("", {0});
  message.topics[0].topic_id = topic->id;
  EXPECT_THAT(Ask<FetchResponse>(message, 15).node_endpoints, IsEmpty());
  const auto response = Ask<FetchResponse>(message, 16);
  EXPECT_EQ(First(response).error_code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(First(response).current_leader.leader_id, 3);
  EXPECT_EQ(First(response).current_leader.leader_epoch, 4);
  ASSERT_THAT(response.node_endpoints, SizeIs(1));
  EXPECT_EQ(response.node_endpoints[0].port, 9092);
}

TEST_F(FetchHandlerTest, AbortedTransactionsAreNullUnlessCommittedIsRead) {
  auto partition = broker_.AddPartition("t", 0);
  partition->Append(BatchBuilder{}.Build());
  FetchRequest message = From("t", {0});
  EXPECT_FALSE(First(Ask<FetchResponse>(message, 11)).aborted_transactions.has_value());
  message.isolation_level = 1;
  EXPECT_TRUE(First(Ask<FetchResponse>(message, 11)).aborted_transactions.has_value());
}

TEST_F(FetchHandlerTest, ASessionAnswersOnlyNews) {
  auto zero = broker_.AddPartition("t", 0);
  auto one = broker_.AddPartition("t", 1);
  zero->Append(BatchBuilder{}.Build());
  FetchRequest message = From("t", {0, 1});
  message.session_epoch = 0;
  const auto full = Ask<FetchResponse>(message, 11);
  ASSERT_NE(full.session_id, 0);
  EXPECT_THAT(full.responses[0].partitions, SizeIs(2));
  FetchRequest next;
  next.session_id = full.session_id;
  next.session_epoch = 1;
  next.max_wait_ms = 500;
  next.min_bytes = 1;
  next.topics = From("t", {0}, 1).topics;
  Send(next, 11);
  Settle();
  EXPECT_FALSE(sink_->finished);
  one->Append(BatchBuilder{}.Build());
  const auto news = Answer<FetchResponse>(11);
  EXPECT_EQ(news.session_id, full.session_id);
  ASSERT_THAT(news.responses.at(0).partitions, SizeIs(1));
  EXPECT_EQ(First(news).partition_index, 1);
  next.session_epoch = 7;
  EXPECT_EQ(Ask<FetchResponse>(next, 11).error_code, ErrorCode::kInvalidFetchSessionEpoch);
  next.session_id += 2;
  EXPECT_EQ(Ask<FetchResponse>(next, 11).error_code, ErrorCode::kFetchSessionIdNotFound);
}

TEST_F(FetchHandlerTest, AnIncrementalFetchWithoutNewsIsEmptyAtTheDeadline) {
  broker_.AddPartition("t", 0);
  FetchRequest message = From("t", {0});
  message.session_epoch = 0;
  message.max_wait_ms = 0;
  const auto full = Ask<FetchResponse>(message, 11);
  FetchRequest next;
  next.session_id = full.session_id;
  next.session_epoch = 1;
  next.max_wait_ms = 500;
  next.min_bytes = 1;
  Send(next, 11);
  home_.RunFor(Millis(500));
  EXPECT_THAT(Answer<FetchResponse>(11).responses, IsEmpty());
}

TEST_F(FetchHandlerTest, AFetchOfNothingIsAnsweredAtOnce) {
  broker_.AddPartition("t", 0);
  FetchRequest message = From("t", {0});
  message.session_epoch = 0;
  message.max_wait_ms = 0;
  FetchRequest close;
  close.session_id = Ask<FetchResponse>(message, 11).session_id;
  close.session_epoch = -1;
  close.max_wait_ms = 500;
  close.min_bytes = 1;
  Send(close, 11);
  Settle();
  ASSERT_TRUE(sink_->finished);
  EXPECT_EQ(Answer<FetchResponse>(11).error_code, ErrorCode::kNone);
}

TEST_F(FetchHandlerTest, AFullShareOfAnswersStillGivesTheFirstBatch) {
  auto partition = broker_.AddPartition("t", 0);
  partition->Append(BatchBuilder{}.Build());
  partition->Append(BatchBuilder{}.Build());
  const MemoryBudget::Charge unsent = memory_->answers.ChargeAnyway(memory_->answers.bytes_max());
  const auto response = Ask<FetchResponse>(From("t", {0}), 11);
  EXPECT_EQ(First(response).records->size_bytes(), partition->batches()[0].size());
}

// ---- Quotas ----------------------------------------------------------------------------------

class FetchQuotaTest : public FetchHandlerTest {
 protected:
  FetchQuotaTest() {
    partition_ = broker_.AddPartition("t", 0);
    BatchBuilder builder;
    builder.records = {{.value = std::string(1000, 'x')}};
    for (int i = 0; i < 5; ++i) partition_->Append(builder.Build());
  }
  // The client of the fixture is called "test".
  void SetQuota(double bytes) {
    broker_.quota_manager.SetQuotas({{{{"client-id", "test"}}, {{"consumer_byte_rate", bytes}}}});
  }
  // A window's worth is two batches; they are gone.
  void UseUpAQuota() {
    SetQuota(250);
    EXPECT_GT(BytesOf(Ask<FetchResponse>(From("t", {0}), 12)), 2000U);
  }
  static size_t BytesOf(const FetchResponse& response) {
    size_t bytes = 0;
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partitions) bytes += partition.records->size_bytes();
    }
    return bytes;
  }

  std::shared_ptr<FakePartition> partition_;
};

TEST_F(FetchQuotaTest, AnAnswerHoldsNoMoreThanTheQuotaOfAWindow) {
  SetQuota(250);
  const auto response = Ask<FetchResponse>(From("t", {0}), 12);
  EXPECT_EQ(response.throttle_time_ms, 0);
  EXPECT_GT(BytesOf(response), 2000U);
  EXPECT_LE(BytesOf(response), 2500U);
}

TEST_F(FetchQuotaTest, OverTheQuotaTheAnswerIsEmptyAndSaysForHowLong) {
  UseUpAQuota();
  const RequestPtr request = Send(From("t", {0}), 12);
  const auto response = Answer<FetchResponse>(12);
  EXPECT_EQ(BytesOf(response), 0U);
  EXPECT_THAT(response.responses, IsEmpty());
  EXPECT_GT(response.throttle_time_ms, 0);
  EXPECT_EQ(request->throttle(), Millis(response.throttle_time_ms));
}

TEST_F(FetchQuotaTest, WhatWasNotSentIsSentLater) {
  FetchRequest full = From("t", {0});
  full.session_epoch = 0;
  const auto first = Ask<FetchResponse>(full, 12);
  ASSERT_NE(first.session_id, 0);
  UseUpAQuota();
  FetchRequest next;
  next.max_wait_ms = 0;
  next.session_id = first.session_id;
  next.session_epoch = 1;
  const auto throttled = Ask<FetchResponse>(next, 12);
  EXPECT_EQ(throttled.session_id, first.session_id);
  EXPECT_GT(throttled.throttle_time_ms, 0);
  EXPECT_EQ(BytesOf(throttled), 0U);
  broker_.quota_manager.SetQuotas({});
  next.session_epoch = 2;
  EXPECT_EQ(BytesOf(Ask<FetchResponse>(next, 12)), BytesOf(first));
}

TEST_F(FetchQuotaTest, ABatchLargerThanAWindowsWorthGoesOnceAndIsWaitedFor) {
  SetQuota(10);
  const auto first = Ask<FetchResponse>(From("t", {0}), 12);
  EXPECT_GT(BytesOf(first), 1000U);
  EXPECT_GT(first.throttle_time_ms, 80'000);
  const auto again = Ask<FetchResponse>(From("t", {0}), 12);
  EXPECT_EQ(BytesOf(again), 0U);
  clock_.Advance(Millis(first.throttle_time_ms) + std::chrono::seconds(11));
  EXPECT_GT(BytesOf(Ask<FetchResponse>(From("t", {0}), 12)), 1000U);
}

TEST_F(FetchQuotaTest, AThrottledFullFetchOpensNoSession) {
  UseUpAQuota();
  FetchRequest full = From("t", {0});
  full.session_epoch = 0;
  EXPECT_EQ(Ask<FetchResponse>(full, 12).session_id, 0);
  EXPECT_EQ(services_->sessions.size(), 0U);
}

}  // namespace
}  // namespace garam
