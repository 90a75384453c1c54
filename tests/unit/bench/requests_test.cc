#include "bench/requests.h"

#include <gtest/gtest.h>

#include "bench/batch_encoder.h"
#include "common/bytes.h"
#include "common/endian.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/metadata.h"
#include "proto/kafka/produce.h"

namespace garam::bench {
namespace {

// What a client reads of a response's frame: what follows the length and the correlation id.
template <class Response>
std::string BodyOf(const Response& response, int16_t version) {
  std::string frame;
  const auto pieces = kafka::EncodeResponse(response, version, 7);
  for (const Bytes& piece : *pieces) frame += piece.view();
  return frame.substr(8);
}

TEST(RequestsTest, AProduceFrameCarriesTheBatchUntouched) {
  const std::string batch = EncodeBatch(3, 50, 1, 1);
  const std::string frame = ProduceRequest("orders", -1, 1500, {{4, batch}});
  EXPECT_EQ(LoadBigEndian<int32_t>(frame.data()), static_cast<int32_t>(frame.size() - 4));
  EXPECT_EQ(LoadBigEndian<int32_t>(frame.data() + kCorrelationAt), 0);
  kafka::Reader reader(Bytes::Copy(frame), 4);
  const auto header = kafka::DecodeRequestHeader(reader);
  ASSERT_TRUE(header.ok());
  const auto request = kafka::ProduceRequest::Decode(reader, header->request_api_version);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->acks, -1);
  EXPECT_EQ(request->timeout_ms, 1500);
  EXPECT_EQ(request->topic_data.at(0).name, "orders");
  EXPECT_EQ(request->topic_data.at(0).partition_data.at(0).index, 4);
  EXPECT_EQ(request->topic_data.at(0).partition_data.at(0).records->view(), batch);
}

TEST(RequestsTest, AProduceAnswerGivesTheHintOfTheNewLeader) {
  kafka::ProduceResponse response;
  auto& partition = response.responses.emplace_back().partition_responses.emplace_back();
  partition.index = 3;
  partition.error_code = kafka::ErrorCode::kNotLeaderOrFollower;
  partition.current_leader = {.leader_id = 2, .leader_epoch = 9};
  response.node_endpoints.push_back(
      {.node_id = 2, .host = "127.0.0.1", .port = 9093, .rack = std::nullopt});
  const auto answer = ParseProduce(BodyOf(response, 12));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->partition, 3);
  EXPECT_EQ(answer->error, 6);
  EXPECT_EQ(answer->leader_hint, 2);
  EXPECT_EQ(answer->leader_hint_epoch, 9);
  ASSERT_EQ(answer->endpoints.size(), 1u);
  EXPECT_EQ(answer->endpoints[0].port, 9093);
}

TEST(RequestsTest, AnAnswerForSeveralPartitionsIsThatOfTheFirstRefused) {
  kafka::ProduceResponse response;
  auto& topic = response.responses.emplace_back();
  for (const int32_t index : {0, 1, 2}) {
    topic.partition_responses.emplace_back().index = index;
  }
  EXPECT_EQ(ParseProduce(BodyOf(response, 12))->error, 0);
  topic.partition_responses[1].error_code = kafka::ErrorCode::kNotEnoughReplicas;
  const auto answer = ParseProduce(BodyOf(response, 12));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->partition, 1);
  EXPECT_EQ(answer->error, 19);
}

TEST(RequestsTest, AnAnswerThatEndsTooEarlyIsAnError) {
  kafka::ProduceResponse response;
  response.responses.emplace_back().partition_responses.emplace_back();
  const std::string whole = BodyOf(response, 12);
  ASSERT_TRUE(ParseProduce(whole).ok());
  EXPECT_FALSE(ParseProduce(whole.substr(0, whole.size() / 2)).ok());
}

TEST(RequestsTest, MetadataGivesPartitionsInOrder) {
  kafka::MetadataResponse response;
  response.controller_id = 1;
  response.brokers.push_back({.node_id = 1, .host = "h", .port = 9092, .rack = std::nullopt});
  auto& topic = response.topics.emplace_back();
  topic.name = "t";
  for (const int32_t index : {2, 0, 1}) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = index;
    partition.leader_id = 1;
    partition.leader_epoch = 10 + index;
  }
  const auto state = ParseMetadata(BodyOf(response, 12));
  ASSERT_TRUE(state.ok());
  const TopicState* found = state->Find("t");
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->partitions.size(), 3u);
  for (int32_t index = 0; index < 3; ++index) {
    EXPECT_EQ(found->partitions[static_cast<size_t>(index)].leader_epoch, 10 + index);
  }
  EXPECT_EQ(state->Find("other"), nullptr);
}

}  // namespace
}  // namespace garam::bench
