#include "broker/replication/send_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace garam {
namespace {

// What is queued, by the pieces that a write would get.
std::string Content(const SendQueue& queue) {
  std::vector<iovec> pieces(1000);
  pieces.resize(queue.Gather(pieces.data(), pieces.size()));
  std::string all;
  for (const iovec& piece : pieces) {
    all.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return all;
}

size_t Pieces(const SendQueue& queue) {
  std::vector<iovec> pieces(1000);
  return queue.Gather(pieces.data(), pieces.size());
}

TEST(SendQueueTest, SmallPiecesBecomeOneAndLargeOnesAreShared) {
  SendQueue queue;
  const Bytes large = Bytes::Copy(std::string(SendQueue::kCopyBelow, 'L'));
  queue.Copy("head ");
  queue.Share(Bytes::Copy("small "));
  queue.Copy("head ");
  EXPECT_EQ(Pieces(queue), 1u);
  queue.Share(large);
  queue.Copy("tail");
  EXPECT_EQ(Pieces(queue), 3u);
  EXPECT_EQ(Content(queue), "head small head " + std::string(large.view()) + "tail");
  EXPECT_EQ(queue.bytes(), Content(queue).size());
  iovec pieces[3];
  queue.Gather(pieces, 3);
  EXPECT_EQ(pieces[1].iov_base, large.data());
}

TEST(SendQueueTest, WhatWasSentInPartsIsDroppedInParts) {
  SendQueue queue;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string head = "head " + std::to_string(i) + " ";
    const std::string body(static_cast<size_t>(i) * 7 % 1500, static_cast<char>('a' + i % 26));
    queue.Copy(head);
    queue.Share(Bytes::Copy(body));
    expected += head + body;
  }
  std::string sent;
  for (size_t step = 1; !queue.empty(); step = step * 3 % 1009 + 1) {
    const size_t count = std::min(step, queue.bytes());
    sent += Content(queue).substr(0, count);
    queue.Consume(count);
    if (step % 5 == 0) {
      queue.Copy("more");
      expected += "more";
    }
  }
  EXPECT_EQ(sent, expected);
}

TEST(SendQueueTest, ABlockIsUsedAgainWhenAllOfItWasSent) {
  SendQueue queue;
  queue.Copy("one");
  iovec first;
  queue.Gather(&first, 1);
  queue.Consume(3);
  queue.Copy("two");
  iovec second;
  queue.Gather(&second, 1);
  EXPECT_EQ(first.iov_base, second.iov_base);
  EXPECT_EQ(Content(queue), "two");
}

TEST(SendQueueTest, ACopyLargerThanABlockIsQueuedWhole) {
  SendQueue queue;
  const std::string large(100'000, 'x');
  queue.Copy("a");
  queue.Copy(large);
  queue.Copy("b");
  EXPECT_EQ(Content(queue), "a" + large + "b");
  queue.Clear();
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace garam
