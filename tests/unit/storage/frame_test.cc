#include "storage/frame.h"

#include <gtest/gtest.h>

#include "common/random.h"
#include "storage/frame_scanner.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

Frame WholeFrame(const Bytes& bytes) {
  Frame frame;
  EXPECT_EQ(PeekFrame(bytes.view(), true, &frame), FrameFound::kFrame);
  EXPECT_EQ(frame.size, bytes.size());
  return frame;
}

TEST(FrameTest, APrivateFrameComesBackAsItWent) {
  Bytes bytes = EncodePrivateFrame(2, Offset(77), Term(5), LogIndex(9), "payload");
  Frame frame = WholeFrame(bytes);
  EXPECT_FALSE(frame.batch);
  EXPECT_EQ(frame.kind, 2);
  EXPECT_EQ(frame.offset, Offset(77));
  EXPECT_EQ(frame.term, Term(5));
  EXPECT_EQ(frame.index, LogIndex(9));
  EXPECT_EQ(frame.payload(), "payload");
  EXPECT_TRUE(FrameChecksOut(frame));
}

TEST(FrameTest, EveryFlippedBitOfAPrivateFrameIsNoticed) {
  const Bytes bytes = EncodePrivateFrame(2, Offset(77), Term(5), LogIndex(9), "payload");
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped(bytes.view());
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    Frame frame;
    if (PeekFrame(flipped, true, &frame) != FrameFound::kFrame) continue;
    // A length that reaches beyond the bytes is the walker's to notice.
    EXPECT_TRUE(frame.size > flipped.size() || !FrameChecksOut(frame)) << bit;
  }
}

TEST(FrameTest, HeaderAndFooterComeBackAsTheyWent) {
  const SegmentHeader header{GroupId(~uint64_t{0}), LogIndex(3), Offset(4), Term(2)};
  const Bytes header_bytes = EncodeHeader(header);
  EXPECT_EQ(header_bytes.size(), kHeaderBytes);
  EXPECT_EQ(DecodeHeader(WholeFrame(header_bytes)), header);
  const SegmentFooter footer{LogIndex(8), Term(7), Offset(6), 0xdeadbeef, true, 5, Offset(4)};
  const Bytes footer_bytes = EncodeFooter(footer);
  EXPECT_EQ(footer_bytes.size(), kFooterBytes);
  EXPECT_EQ(DecodeFooter(WholeFrame(footer_bytes)), footer);
  EXPECT_EQ(DecodeFooter(WholeFrame(header_bytes)), std::nullopt);
  EXPECT_EQ(DecodeHeader(WholeFrame(footer_bytes)), std::nullopt);
}

TEST(FrameTest, ZerosAndNothingAreTheEnd) {
  Frame frame;
  EXPECT_EQ(PeekFrame("", true, &frame), FrameFound::kEnd);
  EXPECT_EQ(PeekFrame(std::string(5, '\0'), true, &frame), FrameFound::kEnd);
  EXPECT_EQ(PeekFrame(std::string(100, '\0'), false, &frame), FrameFound::kEnd);
  EXPECT_EQ(PeekFrame("", false, &frame), FrameFound::kMore);
}

TEST(FrameTest, EveryPrefixOfABatchAsksForMoreOrIsBad) {
  const Bytes batch = MakeBatch(Offset(0), Term(1), 1, 0, "x");
  for (size_t size = 1; size < kFramePeekBytes; ++size) {
    Frame frame;
    EXPECT_EQ(PeekFrame(batch.view().substr(0, size), false, &frame), FrameFound::kMore);
    if (size > 11) {
      EXPECT_EQ(PeekFrame(batch.view().substr(0, size), true, &frame), FrameFound::kBad);
    }
  }
}

TEST(FrameTest, RandomBytesNeverReadBeyondTheBuffer) {
  SeededRandom random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random.Below(120), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Below(random.Below(2) == 0 ? 3 : 256));
    if (bytes.size() > 16) bytes[16] = random.Below(2) == 0 ? char{2} : static_cast<char>('G');
    Frame frame;
    if (PeekFrame(bytes, true, &frame) == FrameFound::kFrame && frame.size <= bytes.size()) {
      FrameChecksOut(frame);
      DecodeHeader(frame);
      DecodeFooter(frame);
    }
  }
}

TEST(FrameTest, NumbersThatNoLogReachesAreNoHeaderAndNoFooter) {
  const auto header = [](LogIndex index, Offset offset) {
    return DecodeHeader(WholeFrame(EncodeHeader({GroupId(1), index, offset, Term(0)})));
  };
  EXPECT_TRUE(header(LogIndex(1), Offset(0)).has_value());
  EXPECT_FALSE(header(LogIndex(0), Offset(0)).has_value());
  EXPECT_FALSE(header(LogIndex(1), Offset(-1)).has_value());
  EXPECT_FALSE(header(LogIndex(INT64_MAX), Offset(0)).has_value());
  EXPECT_FALSE(header(LogIndex(1), Offset(INT64_MAX)).has_value());
  const auto footer = [](LogIndex index, Offset offset) {
    return DecodeFooter(WholeFrame(EncodeFooter({index, Term(1), offset})));
  };
  EXPECT_TRUE(footer(LogIndex(0), Offset(0)).has_value());
  EXPECT_FALSE(footer(LogIndex(INT64_MAX), Offset(0)).has_value());
  EXPECT_FALSE(footer(LogIndex(1), Offset(-1)).has_value());
}

TEST(FrameTest, APointKnowsTheFirstBatchWithTheLargestTimestamp) {
  SegmentPoint at = FirstPoint({GroupId(1), LogIndex(1), Offset(0), Term(0)});
  const uint32_t empty = at.checksum;
  EXPECT_EQ(at.max_timestamp_ms, -1);
  for (int64_t stamp : {5, 9, 9, 3}) {
    const Bytes batch = MakeBatch(at.offset, Term(1), 2, stamp, "x");
    at = at.After(WholeFrame(batch));
  }
  EXPECT_EQ(at.max_timestamp_ms, 9);
  EXPECT_EQ(at.max_timestamp_offset, Offset(2));
  EXPECT_EQ(at.index, LogIndex(5));
  EXPECT_EQ(at.offset, Offset(8));
  EXPECT_EQ(at.position, static_cast<int64_t>(kHeaderBytes) + 4 * 62);
  EXPECT_NE(at.checksum, empty);
}

TEST(FrameScannerTest, FramesLargerThanTheWindowAreReadWhole) {
  FakeFileSystem fs;
  auto file = *fs.Open("f", FileSystem::Mode::kCreate);
  std::string content;
  Offset offset(0);
  for (size_t size : {10, 5000, 1, 300}) {
    content += MakeBatch(offset, Term(1), 1, 0, std::string(size, 'x')).view();
    offset += 1;
  }
  const std::string_view piece = content;
  ASSERT_TRUE(file->Write(0, {&piece, 1}).ok());
  FrameScanner scanner(*file, IoMode::kWait, 0, static_cast<int64_t>(content.size()), 128);
  for (int64_t expected = 0; expected < 4; ++expected) {
    Frame frame;
    ASSERT_EQ(*scanner.Peek(/*whole=*/true, &frame), FrameFound::kFrame);
    EXPECT_EQ(frame.offset, Offset(expected));
    EXPECT_TRUE(FrameChecksOut(frame));
    scanner.Skip(frame);
  }
  Frame frame;
  EXPECT_EQ(*scanner.Peek(/*whole=*/true, &frame), FrameFound::kEnd);
}

}  // namespace
}  // namespace garam::storage
