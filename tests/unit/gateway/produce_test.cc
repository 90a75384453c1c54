#include "proto/kafka/produce.h"

#include <gmock/gmock.h>

#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/gateway/handler_fixture.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using kafka::ProduceRequest;
using kafka::ProduceResponse;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ProduceTest : public HandlerFixture {
 protected:
  ProduceRequest To(std::string_view topic, int32_t partition, Bytes batch, int16_t acks = -1) {
    ProduceRequest message;
    message.acks = acks;
    message.timeout_ms = 1000;
    auto& data = message.topic_data.emplace_back();
    data.name = topic;
    data.partition_data.push_back({partition, std::move(batch)});
    return message;
  }
  static const ProduceResponse::PartitionProduceResponse& First(const ProduceResponse& response) {
    return response.responses.at(0).partition_responses.at(0);
  }
  ErrorCode Code(const ProduceRequest& message, int16_t version) {
    return First(Ask<ProduceResponse>(message, version)).error_code;
  }

  BatchBuilder builder_;
};

TEST_F(ProduceTest, AnswersWithTheBaseOffsetOnEveryVersion) {
  auto partition = broker_.AddPartition("t", 0);
  int64_t offset = 0;
  for (int16_t version = 3; version <= 12; ++version) {
    const auto response = Ask<ProduceResponse>(To("t", 0, builder_.Build()), version);
    EXPECT_EQ(response.responses[0].name, "t");
    EXPECT_EQ(First(response).error_code, ErrorCode::kNone);
    EXPECT_EQ(First(response).base_offset, offset++);
    EXPECT_EQ(First(response).log_append_time_ms, -1);
  }
}

TEST_F(ProduceTest, FindsTheTopicByIdFromVersion13On) {
  auto partition = broker_.AddPartition("t", 0);
  ProduceRequest message = To("", 0, builder_.Build());
  message.topic_data[0].topic_id = partition->topic_id();
  const auto response = Ask<ProduceResponse>(message, 13);
  EXPECT_EQ(First(response).error_code, ErrorCode::kNone);
  EXPECT_EQ(response.responses[0].topic_id, partition->topic_id());
  message.topic_data[0].topic_id.bytes[5] = 1;
  EXPECT_EQ(Code(message, 13), ErrorCode::kUnknownTopicId);
}

TEST_F(ProduceTest, WaitsForTheCommit) {
  auto partition = broker_.AddPartition("t", 0);
  partition->commits_at_once = false;
  Send(To("t", 0, builder_.Build()), 9);
  EXPECT_FALSE(sink_->finished);
  partition->Commit();
  EXPECT_TRUE(sink_->finished);
}

TEST_F(ProduceTest, WaitsForAPartitionOfAnotherShard) {
  auto near = broker_.AddPartition("t", 0, 0);
  auto far = broker_.AddPartition("t", 1, 1);
  ProduceRequest message = To("t", 0, builder_.Build());
  message.topic_data[0].partition_data.push_back({1, builder_.Build()});
  Send(message, 9);
  EXPECT_FALSE(sink_->finished);
  EXPECT_THAT(far->batches(), IsEmpty()) << "touched by its own shard only";
  const auto response = Answer<ProduceResponse>(9);
  EXPECT_THAT(far->batches(), SizeIs(1));
  EXPECT_THAT(response.responses[0].partition_responses, SizeIs(2));
}

TEST_F(ProduceTest, AcksZeroHasNoAnswer) {
  broker_.AddPartition("t", 0);
  Send(To("t", 0, builder_.Build(), 0), 9);
  Settle();
  EXPECT_TRUE(sink_->finished);
  EXPECT_THAT(sink_->frame, IsEmpty());
}

TEST_F(ProduceTest, AnErrorWithAcksZeroClosesTheConnection) {
  Send(To("nowhere", 0, builder_.Build(), 0), 9);
  Settle();
  EXPECT_TRUE(sink_->closed.has_value());
}

TEST_F(ProduceTest, OtherAcksAreInvalid) {
  auto partition = broker_.AddPartition("t", 0);
  EXPECT_EQ(Code(To("t", 0, builder_.Build(), 2), 9), ErrorCode::kInvalidRequiredAcks);
  EXPECT_THAT(partition->batches(), IsEmpty());
}

TEST_F(ProduceTest, AnUnknownPartitionIsOneErrorAmongAnswers) {
  broker_.AddPartition("t", 0);
  ProduceRequest message = To("t", 0, builder_.Build());
  message.topic_data[0].partition_data.push_back({9, builder_.Build()});
  const auto response = Ask<ProduceResponse>(message, 9);
  EXPECT_EQ(First(response).error_code, ErrorCode::kNone);
  EXPECT_EQ(response.responses[0].partition_responses[1].error_code,
            ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(response.responses[0].partition_responses[1].base_offset, -1);
}

TEST_F(ProduceTest, NullRecordsAreInvalid) {
  broker_.AddPartition("t", 0);
  ProduceRequest message = To("t", 0, Bytes());
  message.topic_data[0].partition_data[0].records = std::nullopt;
  EXPECT_EQ(Code(message, 9), ErrorCode::kInvalidRecord);
}

TEST_F(ProduceTest, ABadTimestampNamesItsRecordsAndAppendsNothing) {
  auto partition = broker_.AddPartition("t", 0);
  builder_.base_timestamp_ms = clock_.WallMs() + 7'200'000;
  const auto response = Ask<ProduceResponse>(To("t", 0, builder_.Build()), 8);
  EXPECT_EQ(First(response).error_code, ErrorCode::kInvalidTimestamp);
  EXPECT_THAT(First(response).record_errors, SizeIs(1));
  EXPECT_TRUE(First(response).error_message.has_value());
  EXPECT_THAT(partition->batches(), IsEmpty());
}

TEST_F(ProduceTest, KeepsTheCodecOfTheBatch) {
  auto partition = broker_.AddPartition("t", 0);
  builder_.codec = Compression::kZstd;
  const Bytes batch = builder_.Build();
  Ask<ProduceResponse>(To("t", 0, batch), 7);
  const RecordBatchView stored(partition->batches()[0].data());
  EXPECT_EQ(stored.codec_bits(), 4);
  EXPECT_EQ(stored.records(), RecordBatchView(batch.data()).records());
}

TEST_F(ProduceTest, ErrorsOfThePartitionComeThrough) {
  auto partition = broker_.AddPartition("t", 0);
  for (const auto& [errc, code] : std::vector<std::pair<Errc, ErrorCode>>{
           {Errc::kNotEnoughReplicas, ErrorCode::kNotEnoughReplicas},
           {Errc::kNotEnoughReplicasAfterAppend, ErrorCode::kNotEnoughReplicasAfterAppend},
           {Errc::kTimedOut, ErrorCode::kRequestTimedOut},
           {Errc::kStorage, ErrorCode::kKafkaStorageError}}) {
    partition->error = MakeError(errc, "no");
    EXPECT_EQ(Code(To("t", 0, builder_.Build()), 9), code);
  }
}

TEST_F(ProduceTest, NotLeaderNamesTheNewLeaderFromVersion10On) {
  StartCluster(3);
  Create({.name = "t",
          .num_partitions = 1,
          .replication_factor = 3,
          .assignments = {},
          .configs = {}});
  UseImage();
  broker_.AddPartition("t", 0);
  broker_.elsewhere.insert({"t", 0});
  broker_.states[{"t", 0}].leader = NodeId(2);
  broker_.states[{"t", 0}].leader_epoch = Term(8);
  const auto old = Ask<ProduceResponse>(To("t", 0, builder_.Build()), 9);
  EXPECT_EQ(First(old).error_code, ErrorCode::kNotLeaderOrFollower);
  const auto response = Ask<ProduceResponse>(To("t", 0, builder_.Build()), 10);
  EXPECT_EQ(First(response).error_code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(First(response).current_leader.leader_id, 2);
  EXPECT_EQ(First(response).current_leader.leader_epoch, 8);
  ASSERT_THAT(response.node_endpoints, SizeIs(1));
  EXPECT_EQ(response.node_endpoints[0].host, "broker-2");
}

TEST_F(ProduceTest, GarbageInsideAFrameClosesTheConnection) {
  std::string bytes("\0\0\0\x9\0\0\0\x1\0\0\0", 11);
  bytes += std::string(20, '\x7f');
  SendBytes(bytes);
  EXPECT_TRUE(sink_->closed.has_value());
}

}  // namespace
}  // namespace garam
