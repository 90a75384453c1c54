#include "proto/kafka/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "proto/kafka/api_versions.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/metadata.h"

namespace garam::kafka {
namespace {

// What a connection hands on: the frame after its length.
Bytes Received(const std::vector<Bytes>& pieces) {
  std::string all;
  for (const Bytes& piece : pieces) all += piece.view();
  EXPECT_EQ(LoadBigEndian<int32_t>(all.data()), all.size() - 4);
  return Bytes::Copy(std::string_view(all).substr(4));
}

TEST(FrameTest, ARequestTravelsWithItsHeader) {
  for (const int16_t version : {int16_t{8}, int16_t{9}}) {
    MetadataRequest request;
    request.topics->emplace_back().name = "events";
    Reader reader(Received(*EncodeRequest(request, version, 42, "me")));
    const auto header = DecodeRequestHeader(reader);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->request_api_key, 3);
    EXPECT_EQ(header->request_api_version, version);
    EXPECT_EQ(header->correlation_id, 42);
    EXPECT_EQ(header->client_id, "me");
    const auto read = MetadataRequest::Decode(reader, version);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ((*read->topics)[0].name, "events");
    EXPECT_EQ(reader.remaining(), 0);
  }
}

TEST(FrameTest, AResponseTravelsWithItsHeader) {
  for (const int16_t version : {int16_t{8}, int16_t{9}}) {
    MetadataResponse response;
    response.controller_id = 5;
    Reader reader(Received(*EncodeResponse(response, version, 42)));
    const auto header = DecodeResponseHeader(reader, ApiKey::kMetadata, version);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->correlation_id, 42);
    const auto read = MetadataResponse::Decode(reader, version);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->controller_id, 5);
  }
}

TEST(FrameTest, ApiVersionsIsAnsweredWithTheOldHeaderAlways) {
  const ApiInfo& api = *FindApi(18);
  EXPECT_EQ(ResponseHeaderVersion(api, 4), 0);
  EXPECT_EQ(RequestHeaderVersion(api, 4), 2);
}

TEST(FrameTest, TheHeaderOfAFutureApiVersionsRequestCanBeRead) {
  Writer writer;
  const RequestHeader header{
      .request_api_key = 18, .request_api_version = 99, .correlation_id = 7, .client_id = "new"};
  ASSERT_TRUE(header.Encode(writer, 2).ok());
  Reader reader(writer.FinishContiguous());
  const auto read = DecodeRequestHeader(reader);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->correlation_id, 7);
  EXPECT_EQ(read->request_api_version, 99);
}

TEST(FrameTest, AnUnknownApiIsRefused) {
  Writer writer;
  const RequestHeader header{
      .request_api_key = 999, .request_api_version = 0, .correlation_id = 7, .client_id = {}};
  ASSERT_TRUE(header.Encode(writer, 1).ok());
  Reader reader(writer.FinishContiguous());
  EXPECT_EQ(ErrcOf(DecodeRequestHeader(reader).status()), Errc::kUnsupportedVersion);
}

TEST(FrameTest, AHeaderCutShortIsRefused) {
  Reader reader(Bytes::Copy(std::string_view("\x00\x03\x00", 3)));
  EXPECT_EQ(ErrcOf(DecodeRequestHeader(reader).status()), Errc::kInvalidRequest);
}

TEST(ApiTableTest, KnowsWhatKafkaAdvertises) {
  const ApiInfo& produce = *FindApi(0);
  EXPECT_EQ(produce.name, "Produce");
  EXPECT_EQ(produce.min_version, 3);
  EXPECT_EQ(produce.advertised_min_version, 0) << "librdkafka drops codecs otherwise";
  EXPECT_EQ(produce.max_version, 13);
  EXPECT_EQ(produce.first_flexible_version, 9);
  EXPECT_EQ(FindApi(-1), nullptr);
}

TEST(ErrorCodeTest, HasKafkasNamesAndNumbers) {
  EXPECT_EQ(static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition), 3);
  EXPECT_EQ(ErrorCodeName(ErrorCode::kUnknownTopicOrPartition), "UNKNOWN_TOPIC_OR_PARTITION");
  EXPECT_EQ(ErrorCodeName(static_cast<ErrorCode>(30'000)), "UNKNOWN");
  EXPECT_TRUE(IsRetriable(ErrorCode::kNotLeaderOrFollower));
  EXPECT_FALSE(IsRetriable(ErrorCode::kNone));
}

}  // namespace
}  // namespace garam::kafka
