#include "broker/wire/frame_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "broker/wire/stream_codec.h"
#include "common/random.h"
#include "raft/messages.h"

namespace garam {
namespace {

constexpr size_t kFrameMax = size_t{4} << 20;

std::string Frame(uint64_t group, size_t entry_bytes) {
  raft::Append append;
  append.term = Term(1);
  append.entries.push_back({LogIndex(1), Term(1), EntryKind::kBatch,
                            Bytes::Take(std::string(entry_bytes, static_cast<char>(group)))});
  std::string out;
  EncodeMessage({GroupId(group), append}, out);
  return out;
}

// Feeds `stream` in pieces that `next_size` chooses, and keeps every message that comes out.
// `largest_space`: the largest that the buffer offered.
template <class NextSize>
std::vector<GroupMessage> Feed(FrameBuffer& buffer, std::string_view stream, NextSize next_size,
                               size_t* largest_space = nullptr) {
  std::vector<GroupMessage> messages;
  while (!stream.empty()) {
    const FrameBuffer::Space space = buffer.Prepare();
    EXPECT_GT(space.size, 0u);
    if (largest_space != nullptr) *largest_space = std::max(*largest_space, space.size);
    const size_t count = std::min({space.size, stream.size(), next_size()});
    std::memcpy(space.data, stream.data(), count);
    stream.remove_prefix(count);
    buffer.Commit(count);
    while (true) {
      auto frame = buffer.Next();
      EXPECT_TRUE(frame.ok()) << frame.status();
      if (!frame.ok() || !frame->has_value()) break;
      auto message =
          DecodeMessage(**frame, [&](std::string_view part) { return buffer.Keep(part); });
      EXPECT_TRUE(message.ok()) << message.status();
      if (message.ok()) messages.push_back(*std::move(message));
    }
  }
  return messages;
}

// That each message is the one that Frame(its number, its size) made, after all were received.
void ExpectIntact(const std::vector<GroupMessage>& messages, const std::vector<size_t>& sizes) {
  ASSERT_EQ(messages.size(), sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(messages[i].group, GroupId(i));
    const Bytes& bytes = std::get<raft::Append>(messages[i].message).entries[0].bytes;
    ASSERT_EQ(bytes.size(), sizes[i]);
    const bool intact = std::all_of(bytes.data(), bytes.data() + bytes.size(),
                                    [i](char c) { return c == static_cast<char>(i); });
    EXPECT_TRUE(intact) << i;
  }
}

TEST(FrameBufferTest, FramesOfAllSizesComeOutWholeHoweverTheyArrive) {
  std::vector<size_t> sizes;
  std::string stream;
  SeededRandom random(1);
  for (size_t i = 0; i < 200; ++i) {
    // Around every border: of sharing, of the chunk, and of its largest size.
    const size_t border[] = {0, 100, FrameBuffer::kShareFrom, FrameBuffer::kChunkBytesMin,
                             FrameBuffer::kChunkBytesMax};
    sizes.push_back(border[random.Below(5)] + random.Below(300));
    stream += Frame(i, sizes.back());
  }
  for (size_t largest : {size_t{5000}, size_t{100'000}, size_t{10'000'000}}) {
    FrameBuffer buffer(kFrameMax);
    SeededRandom cuts(largest);
    ExpectIntact(Feed(buffer, stream, [&] { return 1 + cuts.Below(largest); }), sizes);
  }
}

TEST(FrameBufferTest, FramesComeOutWholeWhenBytesArriveOneByOne) {
  FrameBuffer buffer(kFrameMax);
  const std::vector<size_t> sizes = {0, 1, 700, 20'000, 3, 70'000, 5};
  std::string stream;
  for (size_t i = 0; i < sizes.size(); ++i) stream += Frame(i, sizes[i]);
  ExpectIntact(Feed(buffer, stream, [] { return size_t{1}; }), sizes);
}

TEST(FrameBufferTest, SmallEntriesDoNotPinTheChunk) {
  FrameBuffer buffer(kFrameMax);
  const auto all = [] { return SIZE_MAX; };
  const auto first = Feed(buffer, Frame(1, 100), all);
  const char* const where = buffer.Prepare().data;
  Feed(buffer, Frame(2, 100), all);
  EXPECT_EQ(buffer.Prepare().data, where);  // The same memory, from its start.
  EXPECT_EQ(std::get<raft::Append>(first[0].message).entries[0].bytes.view(),
            std::string(100, '\1'));
}

TEST(FrameBufferTest, LargeEntriesAreSharedAndNeverWrittenAgain) {
  FrameBuffer buffer(kFrameMax);
  const FrameBuffer::Space space = buffer.Prepare();
  const auto messages = Feed(buffer, Frame(1, FrameBuffer::kShareFrom), [] { return SIZE_MAX; });
  const Bytes& bytes = std::get<raft::Append>(messages[0].message).entries[0].bytes;
  EXPECT_GE(bytes.data(), space.data);
  EXPECT_LT(bytes.data(), space.data + space.size);
  const FrameBuffer::Space next = buffer.Prepare();
  std::memset(next.data, 'z', next.size);
  EXPECT_EQ(bytes.view(), std::string(FrameBuffer::kShareFrom, '\1'));
}

TEST(FrameBufferTest, TheChunkGrowsUnderABurstAndShrinksAfterIt) {
  FrameBuffer buffer(kFrameMax);
  std::string burst;
  for (uint64_t i = 0; i < 200; ++i) burst += Frame(i, 30'000);
  size_t largest = 0;
  Feed(
      buffer, burst, [] { return SIZE_MAX; }, &largest);
  EXPECT_GT(largest, FrameBuffer::kChunkBytesMax / 2);
  for (uint64_t i = 0; i < 10; ++i) Feed(buffer, Frame(i, 10), [] { return SIZE_MAX; });
  EXPECT_LE(buffer.Prepare().size, FrameBuffer::kChunkBytesMin);
}

TEST(FrameBufferTest, AFrameOverTheLimitIsAnErrorBeforeItsBytesCome) {
  FrameBuffer buffer(1000);
  const std::string frame = Frame(1, 2000);
  const FrameBuffer::Space space = buffer.Prepare();
  std::memcpy(space.data, frame.data(), kFrameHeaderBytes);
  buffer.Commit(kFrameHeaderBytes);
  EXPECT_FALSE(buffer.Next().ok());
}

TEST(FrameBufferTest, WhatIsNoFrameIsAnError) {
  FrameBuffer buffer(kFrameMax);
  const FrameBuffer::Space space = buffer.Prepare();
  std::memcpy(space.data, "GET / HTTP/1.1\r\n\r\n", 18);
  buffer.Commit(18);
  EXPECT_FALSE(buffer.Next().ok());
}

}  // namespace
}  // namespace garam
