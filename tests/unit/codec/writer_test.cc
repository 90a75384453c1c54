#include "proto/kafka/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "proto/kafka/fetch.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/metadata.h"
#include "proto/kafka/produce.h"

namespace garam::kafka {
namespace {

using ::testing::HasSubstr;

std::string Join(const std::vector<Bytes>& pieces) {
  std::string all;
  for (const Bytes& piece : pieces) all += piece.view();
  return all;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// One partition with those records.
FetchResponse ResponseWith(RecordsList records) {
  FetchResponse response;
  auto& partition = response.responses.emplace_back().partitions.emplace_back();
  partition.records = std::move(records);
  return response;
}

TEST(WriterTest, PassesLongRecordsOnWithoutCopyingThem) {
  const Bytes first = Bytes::Take(std::string(5000, 'a'));
  const Bytes second = Bytes::Take(std::string(6000, 'b'));
  RecordsList records;
  records.Add(first);
  records.Add(second);
  const auto pieces = EncodeResponse(ResponseWith(records), 12, 1);
  ASSERT_TRUE(pieces.ok());
  ASSERT_EQ(pieces->size(), 4);
  EXPECT_EQ((*pieces)[1].data(), first.data());
  EXPECT_EQ((*pieces)[2].data(), second.data());
}

TEST(WriterTest, CopiesShortRecordsIntoOnePiece) {
  const auto pieces = EncodeResponse(ResponseWith(Bytes::Copy("short")), 12, 1);
  ASSERT_TRUE(pieces.ok());
  EXPECT_EQ(pieces->size(), 1);
}

TEST(WriterTest, SplicedRecordsReadBackAsTheyWere) {
  RecordsList records;
  for (char c = 'a'; c <= 'f'; ++c)
    records.Add(Bytes::Take(std::string(c % 2 == 0 ? 4000 : 10, c)));
  Writer writer(16);
  ASSERT_TRUE(ResponseWith(records).Encode(writer, 16).ok());
  Reader reader(writer.FinishContiguous());
  const auto response = FetchResponse::Decode(reader, 16);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->responses[0].partitions[0].records->Joined().view(), records.Joined().view());
}

TEST(WriterTest, TheFramesLengthCountsSplicedRecordsToo) {
  const auto pieces = EncodeResponse(ResponseWith(Bytes::Take(std::string(70'000, 'x'))), 12, 1);
  ASSERT_TRUE(pieces.ok());
  const std::string frame = Join(*pieces);
  EXPECT_EQ(LoadBigEndian<int32_t>(frame.data()), frame.size() - 4);
}

TEST(WriterTest, GrowsWhileNothingIsLost) {
  MetadataResponse response;
  for (int i = 0; i < 3000; ++i)
    response.brokers.emplace_back().host = "host-" + std::to_string(i) + ".example";
  Writer writer(1);
  ASSERT_TRUE(response.Encode(writer, 12).ok());
  const size_t size = writer.size_bytes();
  Reader reader(writer.FinishContiguous());
  EXPECT_EQ(reader.remaining(), size);
  const auto read = MetadataResponse::Decode(reader, 12);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->brokers.size(), 3000);
  EXPECT_EQ(read->brokers[2999].host, "host-2999.example");
}

TEST(WriterTest, ATaggedFieldMayBeLongerThanOneByteOfSizeCanSay) {
  for (const size_t nodes : {size_t{1}, size_t{10}, size_t{2000}}) {
    FetchResponse response;
    for (size_t i = 0; i < nodes; ++i) response.node_endpoints.emplace_back().host = "a.example";
    Reader reader(*EncodeMessage(response, 16));
    const auto read = FetchResponse::Decode(reader, 16);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->node_endpoints.size(), nodes);
    EXPECT_EQ(read->node_endpoints.back().host, "a.example");
  }
}

TEST(WriterTest, FailsOnAFieldThatTheVersionCannotCarryNorIgnore) {
  ProduceResponse response;
  auto& partition = response.responses.emplace_back().partition_responses.emplace_back();
  partition.current_leader.leader_id = 3;
  EXPECT_TRUE(EncodeMessage(response, 10).ok());
  const absl::Status status = EncodeMessage(response, 9).status();
  EXPECT_EQ(ErrcOf(status), Errc::kUnsupportedVersion);
  EXPECT_THAT(Message(status),
              HasSubstr("ProduceResponse v9: PartitionProduceResponse.current_leader"));
}

TEST(WriterTest, DropsAnIgnorableFieldThatTheVersionDoesNotHave) {
  ProduceResponse with;
  with.responses.emplace_back().partition_responses.emplace_back().log_start_offset = 77;
  ProduceResponse without;
  without.responses.emplace_back().partition_responses.emplace_back();
  EXPECT_EQ(EncodeMessage(with, 4)->view(), EncodeMessage(without, 4)->view());
  EXPECT_NE(EncodeMessage(with, 5)->view(), EncodeMessage(without, 5)->view());
}

TEST(WriterTest, FailsOnNullWhereTheVersionHasNone) {
  MetadataRequest all_topics;
  all_topics.topics.reset();
  EXPECT_TRUE(EncodeMessage(all_topics, 1).ok());
  EXPECT_EQ(ErrcOf(EncodeMessage(all_topics, 0).status()), Errc::kUnsupportedVersion);
}

TEST(WriterTest, FailsOnAStringLongerThanKafkaAllows) {
  MetadataResponse response;
  response.brokers.emplace_back().host = std::string(0x8000, 'x');
  EXPECT_EQ(ErrcOf(EncodeMessage(response, 12).status()), Errc::kInvalidRequest);
}

}  // namespace
}  // namespace garam::kafka
