#include <cerrno>

#include "common/log_start.h"
#include "storage/file_reaper.h"
#include "storage/frame.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

class LogRollTest : public LogFixture {
 protected:
  std::optional<SegmentFooter> FooterOf(const std::string& path) {
    const std::string content = fs_.Content(path);
    if (content.size() < kFooterBytes) return std::nullopt;
    Frame frame;
    std::string_view tail = std::string_view(content).substr(content.size() - kFooterBytes);
    if (PeekFrame(tail, true, &frame) != FrameFound::kFrame || frame.batch) return std::nullopt;
    return FrameChecksOut(frame) ? DecodeFooter(frame) : std::nullopt;
  }
  void Commit() {
    log_->OnCommitted(log_->last_index());
    Settle();
  }
  bool EndsBefore(size_t bytes, int64_t timestamp_ms = 1000) {
    return storage::EndsBefore(log_->last_segment(), log_->options(), GroupId(7),
                               {bytes, timestamp_ms, clock_.WallMs()});
  }
  void StartAt(Offset start) {
    Write({Private(EntryKind::kSetLogStart, EncodeLogStart(start))});
    Settle();
    Commit();
  }
};

TEST_F(LogRollTest, ASegmentEndsAfterARollEntryAndTheNextBeginsWithAHeader) {
  Open();
  Append("a", 3);
  AppendRoll();
  Append("b");
  EXPECT_THAT(SegmentPaths(), ElementsAre(EndsWith("/00000000000000000000.log"),
                                          EndsWith("/00000000000000000003.log")));
  const std::string content = fs_.Content(SegmentPaths()[1]);
  Frame frame;
  ASSERT_EQ(PeekFrame(content, true, &frame), FrameFound::kFrame);
  ASSERT_TRUE(FrameChecksOut(frame));
  EXPECT_EQ(DecodeHeader(frame), (SegmentHeader{GroupId(7), LogIndex(3), Offset(3), Term(1)}));
  EXPECT_THAT(Payloads(), ElementsAre("a", "b"));
}

TEST_F(LogRollTest, TheFooterIsWrittenWhenTheRollIsCommitted) {
  Open();
  Append("a", 3, 50);
  Append("b", 2, 40);
  AppendRoll();
  const std::string path = SegmentPaths()[0];
  log_->OnCommitted(LogIndex(2));
  Settle();
  EXPECT_FALSE(FooterOf(path));
  log_->OnCommitted(LogIndex(3));
  Settle();
  std::optional<SegmentFooter> footer = FooterOf(path);
  ASSERT_TRUE(footer);
  EXPECT_EQ(footer->last_index, LogIndex(3));
  EXPECT_EQ(footer->last_term, Term(1));
  EXPECT_EQ(footer->next_offset, Offset(5));
  EXPECT_EQ(footer->max_timestamp_ms, 50);
  EXPECT_EQ(footer->max_timestamp_offset, Offset(0));
  EXPECT_FALSE(footer->compacted);
  // Nothing reserved is left behind it.
  EXPECT_EQ(static_cast<int64_t>(fs_.Content(path).size()),
            log_->size_bytes() - static_cast<int64_t>(kHeaderBytes));
}

TEST_F(LogRollTest, SealedSegmentsAreEqualHoweverTheirEntriesArrived) {
  Open();
  Append("a");
  Append("b");
  AppendRoll();
  Commit();
  const std::string sealed = fs_.Content(SegmentPaths()[0]);
  Close();
  ASSERT_TRUE(Log::Remove(fs_, kv_, GroupId(7), kDir).ok());
  PlanFrom(LogIndex(1), Offset(0));
  options_.flush_messages = 1000;
  Open();
  Write({Batch("a"), Batch("x"), Private(EntryKind::kRoll)});
  Settle();
  term_ = Term(1);
  PlanFrom(LogIndex(2), Offset(1));
  Write({Batch("b"), Private(EntryKind::kRoll)}, LogIndex(2));
  Settle();
  Commit();
  EXPECT_TRUE(fs_.Content(SegmentPaths()[0]) == sealed);
}

TEST_F(LogRollTest, AFooterThatACrashPreventedIsWrittenAfterTheRestart) {
  Open();
  Append("a");
  AppendRoll();
  Append("b");
  Crash();
  Open();
  EXPECT_FALSE(FooterOf(SegmentPaths()[0]));
  Commit();
  EXPECT_TRUE(FooterOf(SegmentPaths()[0]));
  Crash();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b"));
}

TEST_F(LogRollTest, SegmentsWithOnePrivateFrameEachHaveNamesOfTheirOwn) {
  Open();
  Append("a");
  AppendRoll();
  AppendRoll();
  AppendRoll();
  Append("b");
  EXPECT_EQ(SegmentPaths().size(), 4u);
  Commit();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b"));
  Crash();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b"));
  EXPECT_EQ(log_->segment_count(), 4u);
}

TEST_F(LogRollTest, ASegmentEndsBySizeAndAnEmptyOneTakesAnyBatch) {
  options_.segment_bytes = 1000;
  Open();
  EXPECT_FALSE(EndsBefore(5000));
  Append(std::string(500, 'x'));
  EXPECT_FALSE(EndsBefore(300));
  EXPECT_TRUE(EndsBefore(500));
  AppendRoll();
  EXPECT_FALSE(EndsBefore(500));
}

TEST_F(LogRollTest, OptionsThatChangeAreInForceAtOnce) {
  Open();
  Append(std::string(500, 'x'));
  EXPECT_FALSE(EndsBefore(500));
  options_.segment_bytes = 1000;
  log_->SetOptions(options_);
  EXPECT_TRUE(EndsBefore(500));
}

TEST_F(LogRollTest, ASegmentEndsByTheTimestampsOfItsFirstBatchAndTheNextOne) {
  options_.segment_ms = 10'000;
  Open();
  Write({Private(EntryKind::kNoop)});
  Append("a", 1, 50'000);
  Append("b", 1, 55'000);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_FALSE(EndsBefore(1, 60'000));
  EXPECT_TRUE(EndsBefore(1, 60'001));
  EXPECT_FALSE(EndsBefore(1, 10));
  // A restart finds the first batch again, whichever end of the log it has read.
  Close();
  Open();
  EXPECT_FALSE(EndsBefore(1, 60'000));
  EXPECT_TRUE(EndsBefore(1, 60'001));
  AppendRoll();
  EXPECT_FALSE(EndsBefore(1, 60'001));
}

TEST_F(LogRollTest, WithoutTimestampsASegmentEndsByTheClock) {
  options_.segment_ms = 10'000;
  Open();
  Append("a", 1, -1);
  clock_.Advance(Millis(10'000));
  EXPECT_FALSE(EndsBefore(1, -1));
  clock_.Advance(Millis(1));
  EXPECT_TRUE(EndsBefore(1, -1));
}

TEST_F(LogRollTest, ACutTakesTheFirstTimestampWithIt) {
  options_.segment_ms = 10'000;
  Open();
  Write({Private(EntryKind::kNoop)});
  Append("a", 1, 50'000);
  PlanFrom(LogIndex(2), Offset(0));
  Write({Batch("b", 1, 90'000)}, LogIndex(2));
  Settle();
  EXPECT_FALSE(EndsBefore(1, 99'000));
  EXPECT_TRUE(EndsBefore(1, 101'000));
}

TEST_F(LogRollTest, DeletedSegmentsKeepTheirBytesForAWhileAndReadersGoOn) {
  options_.file_delete_delay_ms = 500;
  Open();
  Append("a", 3);
  AppendRoll();
  Append("b", 3);
  const std::string first = SegmentPaths()[0];
  Close();
  Open();
  // A read that is on its way while the segment goes is not cut.
  fs_.SetReadsWouldBlock(true);
  std::optional<absl::StatusOr<std::vector<Bytes>>> read;
  log_->Read(Offset(0), Offset(3), 1 << 20,
             [&](absl::StatusOr<std::vector<Bytes>> batches) { read = std::move(batches); });
  PlanFromEnd();
  StartAt(Offset(3));
  ASSERT_TRUE(read && read->ok()) << (read ? read->status() : absl::OkStatus());
  EXPECT_EQ(PayloadOf((*read)->front()), "a");
  fs_.SetReadsWouldBlock(false);
  EXPECT_EQ(SegmentPaths().size(), 1u);
  EXPECT_THAT(*GivenUpIn(fs_, kDir), ElementsAre(GivenUpPath(first)));
  clock_.Advance(Millis(499));
  Settle();
  EXPECT_EQ(GivenUpIn(fs_, kDir)->size(), 1u);
  clock_.Advance(Millis(1));
  Settle();
  EXPECT_TRUE(GivenUpIn(fs_, kDir)->empty());
  EXPECT_THAT(Payloads(), ElementsAre("b"));
}

TEST_F(LogRollTest, AStartFinishesTheDeletionThatAnEarlierProcessBegan) {
  Open();
  Append("a", 3);
  AppendRoll();
  Append("b", 3);
  StartAt(Offset(3));
  EXPECT_EQ(GivenUpIn(fs_, kDir)->size(), 1u);
  KillProcess();
  Open();
  EXPECT_TRUE(GivenUpIn(fs_, kDir)->empty());
  EXPECT_EQ(log_->start_offset(), Offset(3));
  EXPECT_THAT(Payloads(), ElementsAre("b"));
}

TEST_F(LogRollTest, WholeSealedSegmentsBelowTheLogStartAreDeleted) {
  Open();
  Append("a", 3);
  AppendRoll();
  Append("b", 3);
  AppendRoll();
  term_ = Term(2);
  Append("c", 3);
  Commit();
  StartAt(Offset(4));
  Settle();
  EXPECT_EQ(SegmentPaths().size(), 2u);
  EXPECT_EQ(log_->start_offset(), Offset(4));
  EXPECT_EQ(log_->first_index(), LogIndex(3));
  EXPECT_EQ(log_->terms().TermAt(LogIndex(2)), Term(1));
  EXPECT_FALSE(TryRead(Offset(3), Offset(9), 100).ok());
  EXPECT_THAT(Payloads(Offset(4)), ElementsAre("b", "c"));
  Crash();
  Open();
  EXPECT_EQ(log_->start_offset(), Offset(4));
  EXPECT_EQ(log_->first_index(), LogIndex(3));
  EXPECT_EQ(log_->terms().TermAt(LogIndex(2)), Term(1));
  EXPECT_THAT(Payloads(Offset(4)), ElementsAre("b", "c"));
}

TEST_F(LogRollTest, WhatTheOwnerLacksStaysBelowTheLogStart) {
  Open();
  log_->KeepFrom(LogIndex(0));
  Append("a", 3);
  AppendRoll();
  Append("b", 3);
  AppendRoll();
  Append("c", 3);
  Commit();
  StartAt(Offset(6));
  Settle();
  EXPECT_EQ(log_->start_offset(), Offset(6)) << "clients see nothing of it";
  EXPECT_EQ(log_->first_index(), LogIndex(1));
  log_->KeepFrom(LogIndex(3));
  Settle();
  EXPECT_EQ(log_->first_index(), LogIndex(3)) << "the first segment ends before entry 3";
  log_->KeepFrom(LogIndex(4));
  Settle();
  EXPECT_EQ(log_->first_index(), LogIndex(3)) << "the second one holds entry 4";
  // An owner that starts again says so again; what waited goes then.
  Crash();
  Open();
  log_->KeepFrom(LogIndex(0));
  Settle();
  EXPECT_EQ(log_->first_index(), LogIndex(3));
  log_->KeepFrom(LogIndex(7));
  Settle();
  EXPECT_EQ(log_->first_index(), LogIndex(3)) << "it is not known yet to be committed";
  Commit();
  Settle();
  EXPECT_EQ(log_->first_index(), LogIndex(5));
}

// What a segment said of terms and members is nowhere else once it is gone.
TEST_F(LogRollTest, AnyCrashAroundADeletionKeepsTheTermsAndTheMembers) {
  bool dropped = false;
  for (int64_t calls = 0; !dropped; ++calls) {
    SCOPED_TRACE(calls);
    ASSERT_LT(calls, 100);
    fs_.Wipe();
    kv_.Wipe();
    ASSERT_TRUE(fs_.MakeDirectory(kRoot).ok());
    ASSERT_TRUE(fs_.SyncDirectory("").ok());
    options_.flush_messages = 1000;
    term_ = Term(1);
    PlanFrom(LogIndex(1), Offset(0));
    Open();
    Append("a", 2);
    clock_.Advance(Millis(10));  // Not long enough for another mark.
    term_ = Term(2);
    Write({Private(EntryKind::kConfiguration, "members"), Private(EntryKind::kRoll)});
    Write({Private(EntryKind::kSetLogStart, EncodeLogStart(Offset(2)))});
    int64_t left = calls;
    SeededRandom random(static_cast<uint64_t>(calls));
    fs_.SetFaults([&left](FakeFileSystem::Call call, const std::string&) {
      if (call == FakeFileSystem::Call::kRead) return 0;
      return --left < 0 ? FakeFileSystem::kNotMade : 0;
    });
    kv_.SetFaults([&left](const KvBatch&, bool) { return --left < 0 ? EIO : 0; });
    Settle();
    const bool durable = log_->durable_index() == log_->last_index();
    log_->OnCommitted(log_->last_index());
    Settle();
    dropped = left >= 0 && log_->first_index() > LogIndex(1);
    fs_.SetFaults(nullptr);
    kv_.SetFaults(nullptr);
    Drop();
    fs_.Crash(random);
    kv_.Crash(random.Below(kv_.unsynced_batches() + 1));
    Open();
    if (HasFatalFailure()) return;
    if (log_->first_index() > LogIndex(1)) {
      EXPECT_EQ(log_->terms().TermAt(LogIndex(3)), Term(2));
      ASSERT_EQ(log_->configurations().size(), 1u);
      EXPECT_EQ(log_->configurations()[0].payload, "members");
    }
    if (durable) {
      EXPECT_GE(log_->last_index(), LogIndex(4));
    }
    if (HasFailure()) return;
  }
}

TEST_F(LogRollTest, ALogWhoseSegmentsAllLieAboveTheMarkKnowsTheTermBeforeItsStart) {
  Open();
  term_ = Term(5);
  Append("a");
  AppendRoll();
  Append("b");
  Commit();
  StartAt(Offset(1));
  Settle();
  Crash();
  kv_.Wipe();
  Open();
  EXPECT_EQ(log_->first_index(), LogIndex(3));
  EXPECT_EQ(log_->terms().TermAt(LogIndex(2)), Term(5));
}

}  // namespace
}  // namespace garam::storage
