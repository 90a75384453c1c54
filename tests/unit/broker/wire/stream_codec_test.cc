#include "broker/wire/stream_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "common/endian.h"
#include "common/status.h"
#include "raft/messages.h"

namespace garam {
namespace {

constexpr size_t kNoLimit = size_t{1} << 30;

LogEntry Entry(int64_t index, EntryKind kind, std::string bytes) {
  return {LogIndex(index), Term(4), kind, Bytes::Take(std::move(bytes))};
}

GroupMessage SomeAppend() {
  raft::Append append;
  append.term = Term(5);
  append.session = 6;
  append.prev_index = LogIndex(7);
  append.prev_term = Term(4);
  append.commit = LogIndex(3);
  append.leader_last = LogIndex(12);
  append.to = Incarnation(13);
  append.leader_first = LogIndex(14);
  append.round = 15;
  append.life = 16;
  append.compact_before = LogIndex(17);
  append.entries.push_back(Entry(8, EntryKind::kNoop, ""));
  append.entries.push_back(Entry(9, EntryKind::kBatch, "a batch"));
  append.entries.push_back(Entry(10, EntryKind::kRoll, "r"));
  return {GroupId(0x0102030405060708), append};
}

StreamHello SomeHello() {
  StreamHello hello;
  hello.self = {NodeId(1), Incarnation(0xABCDEF), StartId(99), "a cluster"};
  hello.to = NodeId(2);
  hello.shard = 3;
  hello.refusal = "no";
  return hello;
}

std::string Encoded(const GroupMessage& message) {
  std::string out;
  EncodeMessage(message, out);
  return out;
}

absl::StatusOr<GroupMessage> Decoded(std::string_view frame) {
  return DecodeMessage(frame, [](std::string_view part) { return Bytes::Copy(part); });
}

// Every kind of message, each field with a value of its own.
std::vector<GroupMessage> OfEveryKind() {
  return {
      {GroupId(1), raft::VoteRequest{Term(2), true, false, Incarnation(3), LogIndex(4), Term(5)}},
      {GroupId(2), raft::VoteRequest{Term(2), false, true, Incarnation(3), LogIndex(4), Term(5)}},
      {GroupId(2),
       raft::VoteRequest{Term(2), false, false, Incarnation(3), LogIndex(4), Term(5), true}},
      {GroupId(3), raft::VoteReply{Term(7), true, false}},
      {GroupId(3), raft::VoteReply{Term(7), true, false, true, Incarnation(8)}},
      {GroupId(4), raft::VoteReply{Term(7), false, true}},
      {GroupId(5), raft::AppendReply{Term(1), 2, true, LogIndex(3), LogIndex(4), LogIndex(5),
                                     LogIndex(6), LogIndex(7), Term(8), Incarnation(9), 10, 11}},
      {GroupId(6), raft::TimeoutNow{Term(9)}},
  };
}

TEST(StreamCodecTest, AnAppendHasTheseBytes) {
  EXPECT_EQ(absl::BytesToHexString(Encoded(SomeAppend())),
            // Magic, format, kind; head and entry bytes; checksum.
            "4752"
            "01"
            "02"
            "00000088"
            "00000008"
            "1ea86619"
            // Group, kind of message.
            "0102030405060708"
            "03"
            // Term, session, previous index and term, commit, the leader's last index, to whom,
            // the leader's first index, round, life, what may be compacted.
            "00000005"
            "00000006"
            "0000000000000007"
            "00000004"
            "0000000000000003"
            "000000000000000c"
            "000000000000000d"
            "000000000000000e"
            "000000000000000f"
            "00000010"
            "0000000000000011"
            // Entries: index, term, kind, size.
            "00000003"
            "0000000000000008"
            "00000004"
            "01"
            "00000000"
            "0000000000000009"
            "00000004"
            "00"
            "00000007"
            "000000000000000a"
            "00000004"
            "04"
            "00000001"
            // Their bytes.
            "61206261746368"
            "72");
}

TEST(StreamCodecTest, AnAppendSurvivesTheWay) {
  const GroupMessage sent = SomeAppend();
  const absl::StatusOr<GroupMessage> received = Decoded(Encoded(sent));
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->group, sent.group);
  const auto& before = std::get<raft::Append>(sent.message);
  const auto& after = std::get<raft::Append>(received->message);
  EXPECT_EQ(after.term, before.term);
  EXPECT_EQ(after.session, before.session);
  EXPECT_EQ(after.prev_index, before.prev_index);
  EXPECT_EQ(after.prev_term, before.prev_term);
  EXPECT_EQ(after.commit, before.commit);
  EXPECT_EQ(after.to, before.to);
  EXPECT_EQ(after.life, before.life);
  EXPECT_EQ(after.compact_before, before.compact_before);
  EXPECT_EQ(after.leader_last, before.leader_last);
  EXPECT_EQ(after.leader_first, before.leader_first);
  EXPECT_EQ(after.round, before.round);
  ASSERT_EQ(after.entries.size(), before.entries.size());
  for (size_t i = 0; i < after.entries.size(); ++i) {
    EXPECT_EQ(after.entries[i].index, before.entries[i].index);
    EXPECT_EQ(after.entries[i].term, before.entries[i].term);
    EXPECT_EQ(after.entries[i].kind, before.entries[i].kind);
    EXPECT_EQ(after.entries[i].bytes.view(), before.entries[i].bytes.view());
  }
}

template <class M>
void ExpectSame(const GroupMessage& sent, const GroupMessage& received) {
  if (!std::holds_alternative<M>(sent.message)) return;
  ASSERT_TRUE(std::holds_alternative<M>(received.message));
  EXPECT_EQ(std::get<M>(sent.message), std::get<M>(received.message));
}

TEST(StreamCodecTest, EveryOtherKindSurvivesTheWayInOneEnvelope) {
  const std::vector<GroupMessage> sent = OfEveryKind();
  std::string bytes;
  for (const GroupMessage& message : sent) EncodeMessage(message, bytes);
  const absl::StatusOr<std::vector<GroupMessage>> received = DecodeMessages(bytes);
  ASSERT_TRUE(received.ok()) << received.status();
  ASSERT_EQ(received->size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ((*received)[i].group, sent[i].group);
    ExpectSame<raft::VoteRequest>(sent[i], (*received)[i]);
    ExpectSame<raft::VoteReply>(sent[i], (*received)[i]);
    ExpectSame<raft::AppendReply>(sent[i], (*received)[i]);
    ExpectSame<raft::TimeoutNow>(sent[i], (*received)[i]);
  }
}

TEST(StreamCodecTest, AHelloSurvivesTheWay) {
  std::string bytes;
  EncodeHello(SomeHello(), bytes);
  const absl::StatusOr<StreamHello> hello = DecodeHello(bytes);
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->self.node, NodeId(1));
  EXPECT_EQ(hello->self.incarnation, Incarnation(0xABCDEF));
  EXPECT_EQ(hello->self.start_id, StartId(99));
  EXPECT_EQ(hello->self.cluster_id, "a cluster");
  EXPECT_EQ(hello->to, NodeId(2));
  EXPECT_EQ(hello->shard, 3u);
  EXPECT_EQ(hello->refusal, "no");
  EXPECT_EQ(hello->protocol.max, ProtocolRange().max);
}

TEST(StreamCodecTest, EntriesShareWhatKeepGaveThem) {
  const std::string frame = Encoded(SomeAppend());
  Bytes kept;
  const auto message = DecodeMessage(frame, [&](std::string_view part) {
    kept = Bytes::Copy(part);
    return kept;
  });
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(kept.view(), "a batchr");
  EXPECT_EQ(std::get<raft::Append>(message->message).entries[1].bytes.data(), kept.data());
}

TEST(StreamCodecTest, AFrameCutAnywhereIsAnError) {
  const std::string frame = Encoded(SomeAppend());
  for (size_t size = 0; size < frame.size(); ++size) {
    // A copy of just that size, so that a read beyond it is seen by the sanitizer.
    const std::vector<char> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(Decoded({cut.data(), cut.size()}).ok()) << size;
  }
  std::string hello;
  EncodeHello(SomeHello(), hello);
  for (size_t size = 0; size < hello.size(); ++size) {
    const std::vector<char> cut(hello.begin(), hello.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(DecodeHello({cut.data(), cut.size()}).ok()) << size;
  }
}

TEST(StreamCodecTest, AFlippedBitInHeaderOrHeadIsAnError) {
  const std::string frame = Encoded(SomeAppend());
  const size_t covered = frame.size() - 8;  // The entries' bytes carry checksums of their own.
  for (size_t at = 0; at < covered; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = frame;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_FALSE(Decoded(damaged).ok()) << at << "." << bit;
    }
  }
}

TEST(StreamCodecTest, AFrameOverTheLimitIsRefusedByItsHeader) {
  const std::string frame = Encoded(SomeAppend());
  EXPECT_TRUE(ParseFrameHeader(frame, frame.size()).ok());
  EXPECT_EQ(ErrcOf(ParseFrameHeader(frame, frame.size() - 1).status()), Errc::kCorruptRecord);
  // The largest sizes that the fields can say must not overflow the sum.
  std::string huge = frame;
  huge.replace(4, 8, 8, '\xff');
  EXPECT_FALSE(ParseFrameHeader(huge, kNoLimit).ok());
}

TEST(StreamCodecTest, ANewerFormatIsRefusedByName) {
  std::string frame = Encoded(SomeAppend());
  frame[2] = 2;
  const absl::Status status = ParseFrameHeader(frame, kNoLimit).status();
  EXPECT_EQ(ErrcOf(status), Errc::kUnsupportedVersion);
  EXPECT_EQ(status.message(), "frame format 2, this broker reads 1");
}

TEST(StreamCodecTest, OnlyAppendRepliesGoBackOnTheConnection) {
  EXPECT_FALSE(IsAnswer(SomeAppend()));
  for (const GroupMessage& message : OfEveryKind()) {
    EXPECT_EQ(IsAnswer(message), std::holds_alternative<raft::AppendReply>(message.message));
  }
}

}  // namespace
}  // namespace garam
