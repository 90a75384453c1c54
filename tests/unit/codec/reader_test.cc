#include "proto/kafka/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "proto/kafka/fetch.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/metadata.h"
#include "proto/kafka/produce.h"

namespace garam::kafka {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Bytes Raw(std::string_view bytes) { return Bytes::Copy(bytes); }

std::string Message(const absl::Status& status) { return std::string(status.message()); }

FetchRequest TwoTopics() {
  FetchRequest request;
  request.topics.resize(2);
  request.topics[0].topic = "first";
  request.topics[1].topic = "second";
  request.topics[1].partitions.resize(3);
  return request;
}

TEST(ReaderTest, NamesTheFieldAndTheByteWhereAMessageIsCutShort) {
  const Bytes whole = *EncodeMessage(TwoTopics(), 12);
  // What follows the last partition: its tags, its topic's tags, forgotten topics, rack, tags.
  Reader reader(whole.Slice(0, whole.size() - 6));
  const absl::Status status = FetchRequest::Decode(reader, 12).status();
  EXPECT_EQ(ErrcOf(status), Errc::kInvalidRequest);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("FetchRequest v12"),
                                     HasSubstr("topics[1].partitions[2].partition_max_bytes"),
                                     HasSubstr("needs 4 bytes, 3 are left")));
}

TEST(ReaderTest, KeepsTheFirstFailure) {
  Reader reader(Raw("\x01"));
  reader.Int<int32_t>("first");
  reader.Int<int8_t>("second");
  EXPECT_THAT(Message(reader.status("M", 1)), HasSubstr("first at byte 0"));
}

TEST(ReaderTest, ReadsNothingAfterAFailure) {
  Reader reader(Raw(std::string("\x00\x05zz", 4)));
  EXPECT_EQ(reader.String(false, "text"), "");
  EXPECT_EQ(reader.Int<int8_t>("more"), 0);
  EXPECT_EQ(reader.ArrayCount(false, true, 1, 1, "array"), 0);
  EXPECT_EQ(reader.remaining(), 0);
}

TEST(ReaderTest, BelievesNoCountThatTheBytesLeftCannotHold) {
  // Produce v9: no transactional id, acks, timeout, and 2^28 topics in no bytes.
  Reader reader(Raw(std::string("\x00\x00\x01\x00\x00\x00\x01\x80\x80\x80\x80\x01", 12)));
  const absl::Status status = ProduceRequest::Decode(reader, 9).status();
  EXPECT_THAT(Message(status), AllOf(HasSubstr("topic_data at byte 7"), HasSubstr("cannot be in")));
}

TEST(ReaderTest, RefusesElementsThatWouldTakeFarMoreMemoryThanTheFrame) {
  // A topic of Metadata v9 takes 2 bytes at the least, and 20 times that in memory.
  const uint32_t topics = 1 << 20;
  Writer writer;
  writer.UnsignedVarint(topics + 1);
  for (uint32_t i = 0; i < topics; ++i) writer.Int<int16_t>(0x0100);
  writer.Int<int32_t>(0);
  Reader reader(writer.FinishContiguous());
  const absl::Status status = MetadataRequest::Decode(reader, 9).status();
  EXPECT_THAT(Message(status), HasSubstr("too much memory"));
}

TEST(ReaderTest, RefusesANegativeCountThatDoesNotMeanNull) {
  Reader reader(Raw("\xff\xff\xff\xfe"));
  EXPECT_EQ(reader.ArrayCount(false, true, 1, 1, "array"), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(ReaderTest, RefusesNullWhereTheVersionHasNone) {
  // Metadata v0 has no null topics; from v1 on they mean all topics.
  const Bytes null_array = Raw("\xff\xff\xff\xff");
  Reader zero(null_array);
  EXPECT_EQ(ErrcOf(MetadataRequest::Decode(zero, 0).status()), Errc::kInvalidRequest);
  Reader one(null_array);
  const auto request = MetadataRequest::Decode(one, 1);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->topics.has_value());
}

TEST(ReaderTest, RefusesAVarintOverThirtyTwoBits) {
  Reader wide(Raw("\xff\xff\xff\xff\x7f"));
  wide.UnsignedVarint("count");
  EXPECT_FALSE(wide.ok());
  Reader endless(Raw("\xff\xff\xff\xff\xff\xff"));
  endless.UnsignedVarint("count");
  EXPECT_FALSE(endless.ok());
  Reader largest(Raw("\xff\xff\xff\xff\x0f"));
  EXPECT_EQ(largest.UnsignedVarint("count"), UINT32_MAX);
}

TEST(ReaderTest, RefusesAStringLongerThanKafkaAllows) {
  Writer writer;
  writer.UnsignedVarint(0x8000 + 1);
  const Bytes head = writer.FinishContiguous();
  Reader reader(Raw(std::string(head.view()) + std::string(0x8000, 'x')));
  reader.String(true, "text");
  EXPECT_THAT(Message(reader.status("M", 1)), HasSubstr("a string cannot have 32768 bytes"));
}

TEST(ReaderTest, RefusesATaggedFieldThatDoesNotTakeItsSize) {
  FetchRequest request;
  request.replica_state.replica_id = 7;
  std::string bytes(EncodeMessage(request, 15)->view());
  // The last tag: number 1, size 13, then the 13 bytes of ReplicaState.
  ASSERT_EQ(bytes[bytes.size() - 14], 13);
  bytes[bytes.size() - 14] = 12;
  Reader reader(Raw(bytes));
  EXPECT_THAT(Message(FetchRequest::Decode(reader, 15).status()),
              HasSubstr("replica_state at byte"));
}

TEST(ReaderTest, RefusesMoreTagsThanTheBytesLeftCanHold) {
  Reader reader(Raw("\x05\x01\x00"));
  reader.SkipTags();
  EXPECT_FALSE(reader.ok());
}

TEST(ReaderTest, RefusesAVersionWithoutASchema) {
  Reader reader(Raw(""));
  EXPECT_EQ(ErrcOf(ProduceRequest::Decode(reader, 2).status()), Errc::kUnsupportedVersion);
  EXPECT_EQ(ErrcOf(ProduceRequest::Decode(reader, 14).status()), Errc::kUnsupportedVersion);
}

TEST(ReaderTest, RecordsShareTheFrameAndKeepItAlive) {
  ProduceRequest request;
  request.topic_data.resize(1);
  request.topic_data[0].partition_data.resize(1);
  request.topic_data[0].partition_data[0].records = Bytes::Copy("some records");
  auto frame = std::make_optional(*EncodeMessage(request, 9));
  const char* begin = frame->data();
  const char* end = begin + frame->size();
  std::optional<Bytes> records;
  {
    Reader reader(*frame);
    records = ProduceRequest::Decode(reader, 9)->topic_data[0].partition_data[0].records;
  }
  EXPECT_TRUE(records->data() > begin && records->data() < end) << "not copied";
  frame.reset();
  EXPECT_EQ(records->view(), "some records");
}

}  // namespace
}  // namespace garam::kafka
