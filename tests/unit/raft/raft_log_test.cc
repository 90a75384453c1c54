#include "raft/raft_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace garam::raft {
namespace {

using ::testing::SizeIs;

class RaftLogTest : public ::testing::Test {
 protected:
  void Append(int term, int count = 1, const std::string& payload = "payload") {
    for (int i = 0; i < count; ++i) {
      log_.Append({log_.last_index() + 1, Term(term), EntryKind::kBatch, Bytes::Copy(payload)});
    }
  }
  // Hands what is new to the disk, which has not begun yet.
  uint64_t Hand() {
    log_.TakeWrite(++seq_, &truncate_from_, &entries_);
    return seq_;
  }

  RaftLog log_{LogIndex(1), LogIndex(0), {}};
  uint64_t seq_ = 0;
  std::optional<LogIndex> truncate_from_;
  std::vector<LogEntry> entries_;
};

TEST_F(RaftLogTest, ACompletionCoversAllEarlierOnes) {
  Append(1, 2);
  Hand();
  Append(1, 3);
  const uint64_t second = Hand();
  EXPECT_TRUE(log_.OnWritten(second));
  EXPECT_EQ(log_.written_index(), LogIndex(5));
  EXPECT_EQ(log_.durable_index(), LogIndex(0));
  EXPECT_TRUE(log_.OnDurable(second));
  EXPECT_EQ(log_.durable_index(), LogIndex(5));
  EXPECT_FALSE(log_.OnDurable(second));
}

TEST_F(RaftLogTest, DurableImpliesWritten) {
  Append(1);
  log_.OnDurable(Hand());
  EXPECT_EQ(log_.written_index(), LogIndex(1));
}

TEST_F(RaftLogTest, Pitfall8AnOldCompletionDoesNotVouchForTheEntriesThatCameInstead) {
  Append(1, 3);
  const uint64_t old = Hand();
  log_.TruncateFrom(LogIndex(2));
  Append(2, 2);
  const uint64_t newer = Hand();
  EXPECT_EQ(truncate_from_, LogIndex(2));
  log_.OnDurable(old);
  EXPECT_EQ(log_.durable_index(), LogIndex(1));
  log_.OnDurable(newer);
  EXPECT_EQ(log_.durable_index(), LogIndex(3));
}

TEST_F(RaftLogTest, Pitfall9TruncationLowersWhatIsWrittenAndDurable) {
  Append(1, 3);
  log_.OnDurable(Hand());
  log_.TruncateFrom(LogIndex(2));
  EXPECT_EQ(log_.written_index(), LogIndex(1));
  EXPECT_EQ(log_.durable_index(), LogIndex(1));
  Append(2);
  EXPECT_EQ(log_.durable_index(), LogIndex(1));
}

TEST_F(RaftLogTest, WhatWasNeverHandedOutIsTruncatedWithoutTheDisk) {
  Append(1);
  Hand();
  Append(1, 2);
  log_.TruncateFrom(LogIndex(2));
  Append(2);
  Hand();
  EXPECT_EQ(truncate_from_, std::nullopt);
  ASSERT_THAT(entries_, SizeIs(1));
  EXPECT_EQ(entries_[0].term, Term(2));
}

TEST_F(RaftLogTest, OfSeveralTruncationsTheLowestReachesTheDisk) {
  Append(1, 5);
  Hand();
  log_.TruncateFrom(LogIndex(4));
  Append(2);
  log_.TruncateFrom(LogIndex(2));
  Append(3);
  Hand();
  EXPECT_EQ(truncate_from_, LogIndex(2));
  ASSERT_THAT(entries_, SizeIs(1));
  EXPECT_EQ(entries_[0].index, LogIndex(2));
}

TEST_F(RaftLogTest, Pitfall36FindsWhereTwoLogsCanAgreeAtMost) {
  Append(1, 3);
  Append(4, 2);
  Append(6, 2);
  EXPECT_EQ(log_.LastAtOrBelow(LogIndex(7), Term(6)), LogIndex(7));
  EXPECT_EQ(log_.LastAtOrBelow(LogIndex(7), Term(5)), LogIndex(5));
  EXPECT_EQ(log_.LastAtOrBelow(LogIndex(4), Term(5)), LogIndex(4));
  EXPECT_EQ(log_.LastAtOrBelow(LogIndex(7), Term(3)), LogIndex(3));
  EXPECT_EQ(log_.LastAtOrBelow(LogIndex(99), Term(0)), LogIndex(0));
}

TEST_F(RaftLogTest, ForgetsFromMemoryOnlyWhatIsWrittenAndCommitted) {
  Append(1, 4);
  log_.OnWritten(Hand());
  Append(1, 4);
  log_.TrimTail(0, LogIndex(3));
  EXPECT_EQ(log_.tail().first(), LogIndex(4));
  log_.TrimTail(0, LogIndex(8));
  EXPECT_EQ(log_.tail().first(), LogIndex(5));
}

TEST_F(RaftLogTest, Pitfall27KeepsTheTermJustBelowItsStart) {
  Append(1, 3);
  Append(2, 3);
  log_.DropPrefix(LogIndex(5));
  EXPECT_EQ(log_.TermAt(LogIndex(4)), Term(2));
  EXPECT_EQ(log_.TermAt(LogIndex(3)), std::nullopt);
  EXPECT_EQ(log_.TermAt(LogIndex(7)), std::nullopt);
}

}  // namespace
}  // namespace garam::raft
