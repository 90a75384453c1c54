#include "storage/frame.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogReadTest : public LogFixture {
 protected:
  // 60 batches of 1 to 3 records in three segments, private frames between them.
  void FillThreeSegments() {
    options_.index_interval_bytes = 300;
    Open();
    for (int i = 0; i < 60; ++i) {
      Append(absl::StrCat("batch ", i), 1 + i % 3, 1000 + i);
      if (i % 7 == 0) Write({Private(EntryKind::kNoop, "n")});
      if (i == 20 || i == 40) AppendRoll();
    }
    Settle();
  }
  void Seal() {
    log_->OnCommitted(log_->last_index());
    Settle();
  }
  // Reads at every offset: the first batch is the one that holds it.
  void ExpectEveryOffsetReadable() {
    for (int64_t offset = 0; offset < log_->next_offset().value(); ++offset) {
      auto batches = TryRead(Offset(offset), log_->written_offset(), 1);
      ASSERT_TRUE(batches.ok()) << batches.status();
      ASSERT_THAT(*batches, SizeIs(1));
      const RecordBatchView batch(batches->front().data());
      ASSERT_LE(batch.base_offset(), Offset(offset));
      ASSERT_GT(batch.next_offset(), Offset(offset));
    }
  }
  std::optional<std::string> ByTimestamp(int64_t timestamp_ms, Offset end) {
    std::optional<std::string> payload;
    bool called = false;
    log_->FindBatchByTimestamp(timestamp_ms, Offset(0), end, [&](auto batch) {
      ASSERT_TRUE(batch.ok()) << batch.status();
      called = true;
      if (batch->has_value()) payload = PayloadOf(**batch);
    });
    Settle();
    EXPECT_TRUE(called);
    return payload;
  }
  std::optional<std::string> MaxTimestamp(Offset end) {
    std::optional<std::string> payload;
    log_->FindMaxTimestampBatch(end, [&](auto batch) {
      ASSERT_TRUE(batch.ok()) << batch.status();
      if (batch->has_value()) payload = PayloadOf(**batch);
    });
    Settle();
    return payload;
  }
};

TEST_F(LogReadTest, EveryOffsetFindsItsBatch) {
  FillThreeSegments();
  ExpectEveryOffsetReadable();
}

TEST_F(LogReadTest, EveryOffsetFindsItsBatchInSealedSegmentsToo) {
  FillThreeSegments();
  Seal();
  ExpectEveryOffsetReadable();
  Close();
  Open();
  ExpectEveryOffsetReadable();
}

TEST_F(LogReadTest, EveryOffsetFindsItsBatchAfterTheIndexWasLost) {
  FillThreeSegments();
  Seal();
  Close();
  kv_.Wipe();
  Open();
  ExpectEveryOffsetReadable();
  EXPECT_FALSE(kv_.Rows(KvFamily::kIndex).empty());
}

TEST_F(LogReadTest, WhatIsNotInMemoryIsReadThroughThePool) {
  FillThreeSegments();
  fs_.SetReadsWouldBlock(true);
  bool called = false;
  log_->Read(Offset(0), Offset(1), 100, [&called](auto) { called = true; });
  EXPECT_FALSE(called);
  EXPECT_EQ(pool_.pending(), 1u);
  Settle();
  EXPECT_TRUE(called);
  ExpectEveryOffsetReadable();
}

TEST_F(LogReadTest, WhatIsInMemoryIsReadAtOnce) {
  Open();
  Append("a");
  bool called = false;
  log_->Read(Offset(0), Offset(1), 100, [&called](auto) { called = true; });
  EXPECT_TRUE(called);
}

TEST_F(LogReadTest, StepsOfAnySizeSeeEveryBatchOnceAndNoPrivateFrame) {
  FillThreeSegments();
  Seal();
  const std::vector<std::string> all = Payloads();
  EXPECT_THAT(all, SizeIs(60));
  for (size_t bytes_max : {1, 60, 100, 150, 333, 1000, 5000}) {
    EXPECT_EQ(Payloads(Offset(0), bytes_max), all) << bytes_max;
  }
}

TEST_F(LogReadTest, TheFirstBatchIsWholeAlsoAboveTheLimitAndTheRestStaysBelowIt) {
  Open();
  Append(std::string(200'000, 'x'));
  Append("b");
  Append("c");
  auto batches = TryRead(Offset(0), Offset(3), 10);
  ASSERT_THAT(*batches, SizeIs(1));
  EXPECT_EQ(PayloadOf(batches->front()).size(), 200'000u);
  EXPECT_THAT(*TryRead(Offset(1), Offset(3), 123), SizeIs(1));
  EXPECT_THAT(*TryRead(Offset(1), Offset(3), 124), SizeIs(2));
}

TEST_F(LogReadTest, NothingAtOrAboveTheEndIsReturned) {
  Open();
  Append("a", 3);
  Append("b", 3);
  EXPECT_THAT(*TryRead(Offset(0), Offset(3), 1000), SizeIs(1));
  EXPECT_THAT(*TryRead(Offset(3), Offset(3), 1000), IsEmpty());
  EXPECT_THAT(*TryRead(Offset(6), Offset(100), 1000), IsEmpty());
}

TEST_F(LogReadTest, ReadsOutsideTheLogAreOutOfRange) {
  Open();
  Append("a");
  EXPECT_EQ(ErrcOf(TryRead(Offset(2), Offset(3), 10).status()), Errc::kOffsetOutOfRange);
  EXPECT_EQ(ErrcOf(TryRead(Offset(-1), Offset(3), 10).status()), Errc::kOffsetOutOfRange);
  EXPECT_EQ(ErrcOf(TryReadEntries(LogIndex(0), LogIndex(3)).status()), Errc::kOffsetOutOfRange);
  EXPECT_EQ(ErrcOf(TryReadEntries(LogIndex(3), LogIndex(3)).status()), Errc::kOffsetOutOfRange);
  EXPECT_THAT(*TryReadEntries(LogIndex(2), LogIndex(3)), IsEmpty());
}

TEST_F(LogReadTest, GatheredEntriesAreNotSeenBeforeTheyAreWritten) {
  Open();
  Append("a");
  Write({Batch("b")});
  EXPECT_EQ(log_->next_offset(), Offset(2));
  EXPECT_EQ(log_->written_offset(), Offset(1));
  std::vector<Bytes> seen;
  log_->Read(Offset(0), Offset(2), 1000, [&seen](auto batches) { seen = *batches; });
  EXPECT_THAT(seen, SizeIs(1));
}

TEST_F(LogReadTest, EntriesComeBackAsTheyWereWrittenPrivateOnesIncluded) {
  Open();
  std::vector<LogEntry> written = {Private(EntryKind::kNoop), Batch("a", 2),
                                   Private(EntryKind::kConfiguration, "three voters"),
                                   Private(EntryKind::kRoll), Batch("b")};
  Write(written);
  Settle();
  std::vector<LogEntry> read;
  for (LogIndex at(1); at <= LogIndex(5);) {
    auto entries = TryReadEntries(at, LogIndex(5), 1);
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_THAT(*entries, SizeIs(1));
    read.push_back(entries->front());
    at = read.back().index + 1;
  }
  ASSERT_EQ(read.size(), written.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].index, written[i].index);
    EXPECT_EQ(read[i].term, written[i].term);
    EXPECT_EQ(read[i].kind, written[i].kind);
    EXPECT_EQ(read[i].bytes.view(), written[i].bytes.view());
  }
  EXPECT_THAT(*TryReadEntries(LogIndex(1), LogIndex(2)), SizeIs(2));
}

TEST_F(LogReadTest, AWrongBaseOffsetOrEpochOnDiskIsNoticed) {
  for (int64_t field : {7, 15}) {
    Drop();
    ASSERT_TRUE(Log::Remove(fs_, kv_, GroupId(7), kDir).ok());
    PlanFrom(LogIndex(1), Offset(0));
    Open();
    Append("a");
    const int64_t second = log_->size_bytes();
    Append("b");
    fs_.FlipBit(SegmentPaths()[0], second + field, 1);
    EXPECT_EQ(ErrcOf(TryRead(Offset(1), Offset(2), 100).status()), Errc::kCorruptRecord);
  }
}

TEST_F(LogReadTest, ADamagedBatchIsNotHandedToAFollower) {
  Open();
  Append("a");
  fs_.FlipBit(SegmentPaths()[0], log_->size_bytes() - 1, 1);
  EXPECT_EQ(ErrcOf(TryReadEntries(LogIndex(1), LogIndex(1)).status()), Errc::kCorruptRecord);
}

TEST_F(LogReadTest, ALengthThatLeadsPastWhatIsAskedForIsNoticed) {
  Open();
  Append("a");
  Append("b");
  const int64_t first = storage::kHeaderBytes;
  fs_.FlipBit(SegmentPaths()[0], first + 8 + 1, 1);  // The first batch claims 128 KiB more.
  EXPECT_EQ(ErrcOf(TryReadEntries(LogIndex(2), LogIndex(2)).status()), Errc::kCorruptRecord);
  EXPECT_EQ(ErrcOf(TryRead(Offset(1), Offset(2), 100).status()), Errc::kCorruptRecord);
}

TEST_F(LogReadTest, ATimestampFindsTheFirstBatchAtOrAboveIt) {
  FillThreeSegments();
  for (bool sealed : {false, true}) {
    if (sealed) Seal();
    const Offset end = log_->written_offset();
    for (int i = 0; i < 60; ++i) {
      EXPECT_EQ(ByTimestamp(1000 + i, end), absl::StrCat("batch ", i));
    }
    EXPECT_EQ(ByTimestamp(0, end), "batch 0");
    EXPECT_EQ(ByTimestamp(1060, end), std::nullopt);
    // Batch 10 begins at offset 19.
    EXPECT_EQ(ByTimestamp(1009, Offset(19)), "batch 9");
    EXPECT_EQ(ByTimestamp(1010, Offset(19)), std::nullopt);
  }
}

TEST_F(LogReadTest, ATimestampIsFoundAmongTimestampsInDisorder) {
  options_.index_interval_bytes = 100;
  Open();
  const int64_t stamps[] = {50, 10, 80, 20, 30, 80, 90, 5};
  for (int64_t stamp : stamps) Append(absl::StrCat(stamp), 1, stamp);
  EXPECT_EQ(ByTimestamp(51, Offset(8)), "80");
  EXPECT_EQ(ByTimestamp(11, Offset(8)), "50");
  EXPECT_EQ(ByTimestamp(81, Offset(8)), "90");
  EXPECT_EQ(ByTimestamp(91, Offset(8)), std::nullopt);
}

TEST_F(LogReadTest, TheLargestTimestampBelowAnyEndIsFound) {
  options_.index_interval_bytes = 100;
  Open();
  const int64_t stamps[] = {50, 10, 80, 20, 30, 80, 90, 5, 70, 95, 1};
  for (size_t i = 0; i < std::size(stamps); ++i) {
    Append(absl::StrCat(i, ":", stamps[i]), 1, stamps[i]);
    if (i == 3 || i == 7) AppendRoll();
  }
  const std::string expected[] = {"0:50", "0:50", "2:80", "2:80", "2:80", "2:80",
                                  "6:90", "6:90", "6:90", "9:95", "9:95"};
  for (bool reopened : {false, true}) {
    if (reopened) {
      Seal();
      Close();
      Open();
    }
    for (int64_t end = 1; end <= 11; ++end) {
      EXPECT_EQ(MaxTimestamp(Offset(end)), expected[end - 1]) << end;
    }
    EXPECT_EQ(MaxTimestamp(Offset(0)), std::nullopt);
  }
}

TEST_F(LogReadTest, EstimatesAreExactToAnIndexInterval) {
  FillThreeSegments();
  Seal();
  EXPECT_EQ(log_->EstimateBytes(Offset(5), Offset(5)), 0);
  const int64_t all = log_->EstimateBytes(Offset(0), log_->written_offset());
  EXPECT_NEAR(static_cast<double>(all), static_cast<double>(log_->size_bytes()), 500);
  const int64_t half = log_->EstimateBytes(Offset(60), log_->written_offset());
  EXPECT_NEAR(static_cast<double>(half), static_cast<double>(all) / 2, 800);
}

TEST_F(LogReadTest, TheMiddleOfABatchIsNoEnd) {
  Open();
  Append("batch", 10);
  Settle();
  for (int64_t from = 0; from < 10; ++from) {
    EXPECT_GT(log_->EstimateBytes(Offset(from), Offset(10)), 0) << from;
  }
  EXPECT_EQ(log_->EstimateBytes(Offset(10), Offset(10)), 0);
}

TEST_F(LogReadTest, AReadThatATruncationOvertakesSeesTheNewEntries) {
  options_.flush_messages = 1000;
  Open();
  Append("a");
  Append("old old old");
  fs_.SetReadsWouldBlock(true);
  std::vector<LogEntry> seen;
  log_->ReadEntries(LogIndex(1), LogIndex(2), 1000, [&seen](auto entries) { seen = *entries; });
  term_ = Term(2);
  PlanFrom(LogIndex(2), Offset(1));
  Write({Batch("new")}, LogIndex(2));
  Settle();
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front().term, Term(1));
  for (const LogEntry& entry : seen) {
    if (entry.index == LogIndex(2)) {
      EXPECT_EQ(entry.term, Term(2));
    }
  }
}

}  // namespace
}  // namespace garam::storage
