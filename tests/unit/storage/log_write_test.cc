#include <cerrno>
#include <chrono>
#include <limits>

#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Call = FakeFileSystem::Call;

class LogWriteTest : public LogFixture {
 protected:
  // Mode P with the first file made and space reserved, so that a plain append can go in at once.
  void OpenModeP() {
    options_.flush_messages = 1000;
    Open();
    Append("first");
    Flush();
  }
  void Flush() {
    log_->Flush();
    Settle();
  }
  void FailCalls(Call call, int error_number) {
    fs_.SetFaults([call, error_number](Call made, const std::string&) {
      return made == call ? error_number : 0;
    });
  }
};

TEST_F(LogWriteTest, ANewLogIsEmptyAndBeginsAtOffset0AndIndex1) {
  Open();
  EXPECT_EQ(log_->first_index(), LogIndex(1));
  EXPECT_EQ(log_->last_index(), LogIndex(0));
  EXPECT_EQ(log_->next_offset(), Offset(0));
  EXPECT_EQ(log_->start_offset(), Offset(0));
  EXPECT_THAT(Payloads(), IsEmpty());
}

TEST_F(LogWriteTest, InModeFAWriteIsWrittenAndDurableWhenItsJobHasSynced) {
  Open();
  EXPECT_EQ(Write({Batch("a")}), 0u);
  EXPECT_EQ(log_->last_index(), LogIndex(1));
  EXPECT_EQ(log_->durable_index(), LogIndex(0));
  EXPECT_EQ(observer_.written, 0u);
  Settle();
  EXPECT_EQ(observer_.written, 1u);
  EXPECT_EQ(observer_.durable, 1u);
  EXPECT_EQ(log_->durable_index(), LogIndex(1));
  EXPECT_THAT(Payloads(), ElementsAre("a"));
}

TEST_F(LogWriteTest, InModeFWritesGatherWhileAJobRunsAndShareOneSync) {
  Open();
  Append("a");
  const size_t syncs = fs_.CountOf(Call::kSync);
  Write({Batch("b")});
  Write({Batch("c")});
  Write({Batch("d")});
  EXPECT_EQ(pool_.pending(), 1u);
  Settle();
  EXPECT_EQ(fs_.CountOf(Call::kSync), syncs + 2);
  EXPECT_EQ(observer_.durable, 4u);
  EXPECT_THAT(Payloads(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(LogWriteTest, InModePAnAppendIsInTheFileWhenWriteReturns) {
  OpenModeP();
  EXPECT_EQ(Write({Batch("b")}), 2u);
  EXPECT_THAT(Payloads(), ElementsAre("first", "b"));
  EXPECT_EQ(log_->written_index(), LogIndex(2));
  EXPECT_EQ(log_->durable_index(), LogIndex(1));
  EXPECT_EQ(observer_.durable, 1u);
}

TEST_F(LogWriteTest, InModePTheSyncFollowsWithinFlushMs) {
  OpenModeP();
  Write({Batch("b")});
  home_.RunFor(Millis(options_.flush_ms - 1));
  Settle();
  EXPECT_EQ(observer_.durable, 1u);
  home_.RunFor(Millis(1));
  Settle();
  EXPECT_EQ(observer_.durable, 2u);
  EXPECT_EQ(log_->durable_index(), LogIndex(2));
  EXPECT_EQ(home_.timers(), 0u);
}

TEST_F(LogWriteTest, InModePAFlushMsWithoutEndStartsNoSync) {
  options_.flush_ms = std::numeric_limits<int64_t>::max();  // Kafka's default.
  OpenModeP();
  Write({Batch("b")});
  home_.RunFor(std::chrono::hours(24));
  Settle();
  EXPECT_EQ(log_->written_index(), LogIndex(2));
  EXPECT_EQ(log_->durable_index(), LogIndex(1));
}

TEST_F(LogWriteTest, InModePTheSyncFollowsAfterFlushMessagesRecords) {
  options_.flush_messages = 10;
  Open();
  Append("first");
  Write({Batch("b", 8)});
  EXPECT_EQ(pool_.pending(), 0u);
  Write({Batch("c", 1)});
  EXPECT_EQ(pool_.pending(), 1u);
  Settle();
  EXPECT_EQ(observer_.durable, 3u);
}

TEST_F(LogWriteTest, InModePAppendsGoOnWhileASyncRuns) {
  OpenModeP();
  Write({Batch("b")});
  log_->Flush();
  EXPECT_EQ(Write({Batch("c")}), 3u);
  EXPECT_TRUE(pool_.RunOne());
  home_.RunReady();
  // The sync began before c.
  EXPECT_EQ(observer_.durable, 2u);
  EXPECT_EQ(log_->durable_index(), LogIndex(2));
  EXPECT_EQ(log_->written_index(), LogIndex(3));
}

TEST_F(LogWriteTest, InModePWritesGoThroughThePoolOnceTooMuchIsUnsynced) {
  options_.inline_dirty_bytes_max = 500;
  OpenModeP();
  EXPECT_EQ(Write({Batch(std::string(300, 'x'))}), 2u);
  EXPECT_EQ(Write({Batch(std::string(300, 'y'))}), 2u);
  EXPECT_EQ(pool_.pending(), 1u);
  Settle();
  EXPECT_EQ(observer_.written, 3u);
}

TEST_F(LogWriteTest, InModePWritesThatGatheredBehindAJobAreReportedToo) {
  options_.flush_messages = 1000;
  Open();
  // The first makes the file, through the pool; the others wait for it.
  EXPECT_EQ(Write({Batch("a")}), 0u);
  EXPECT_EQ(Write({Batch("b")}), 0u);
  EXPECT_EQ(Write({Batch("c")}), 0u);
  Settle();
  EXPECT_EQ(observer_.written, 3u);
  EXPECT_EQ(log_->written_index(), LogIndex(3));
}

TEST_F(LogWriteTest, GoingOverToModeFSyncsWhatModePLeftUnsynced) {
  OpenModeP();
  Write({Batch("b")});
  options_.flush_messages = 1;
  log_->SetOptions(options_);
  Settle();
  EXPECT_EQ(observer_.durable, 2u);
}

TEST_F(LogWriteTest, AWriteWithoutEntriesCompletesInOrder) {
  Open();
  Write({Batch("a")});
  Write({});
  Settle();
  EXPECT_EQ(observer_.durable, 2u);
  Write({});
  Settle();
  EXPECT_EQ(observer_.durable, 3u);
}

TEST_F(LogWriteTest, AFailedWriteIsFinal) {
  Open();
  Append("a");
  FailCalls(Call::kWrite, EIO);
  Append("b");
  EXPECT_EQ(observer_.failures, 1);
  EXPECT_EQ(ErrcOf(observer_.failure), Errc::kStorage);
  fs_.SetFaults(nullptr);
  PlanFrom(LogIndex(2), Offset(1));
  Append("c");
  EXPECT_EQ(observer_.failures, 1);
  EXPECT_EQ(observer_.durable, 1u);
  EXPECT_FALSE(log_->status().ok());
}

TEST_F(LogWriteTest, AFailedSyncIsFinalAndNeverTriedAgain) {
  Open();
  Append("a");
  FailCalls(Call::kSync, EIO);
  Append("b");
  fs_.SetFaults(nullptr);
  const size_t syncs = fs_.CountOf(Call::kSync);
  log_->Flush();
  Write({});
  Settle();
  home_.RunFor(std::chrono::hours(1));
  Settle();
  EXPECT_EQ(fs_.CountOf(Call::kSync), syncs);
  EXPECT_EQ(observer_.failures, 1);
  EXPECT_EQ(observer_.written, 1u);
  EXPECT_EQ(observer_.durable, 1u);
  Close();
}

TEST_F(LogWriteTest, ASyncThatFindsTheDiskFullIsFinalToo) {
  Open();
  Append("a");
  FailCalls(Call::kSync, ENOSPC);
  Append("b");
  EXPECT_EQ(observer_.failures, 1);
  EXPECT_EQ(observer_.disk_full, 0);
}

TEST_F(LogWriteTest, AFailedInlineWriteIsReportedAfterWriteHasReturned) {
  OpenModeP();
  FailCalls(Call::kWrite, EIO);
  EXPECT_EQ(Write({Batch("b")}), 1u);
  EXPECT_EQ(observer_.failures, 0);
  Settle();
  EXPECT_EQ(observer_.failures, 1);
}

TEST_F(LogWriteTest, AFullDiskHoldsWritesBackInOrderAndLetsThemThroughLater) {
  Open();
  Append("a");
  fs_.SetQuota(0);
  Write({Batch(std::string(100'000, 'b'))});
  Settle();
  EXPECT_EQ(observer_.disk_full, 1);
  EXPECT_EQ(observer_.failures, 0);
  EXPECT_TRUE(IsDiskFull(log_->status()));
  Append("c");
  home_.RunFor(std::chrono::seconds(5));
  Settle();
  EXPECT_EQ(observer_.durable, 1u);
  EXPECT_EQ(observer_.disk_full, 1);
  fs_.SetQuota(std::nullopt);
  home_.RunFor(std::chrono::seconds(1));
  Settle();
  EXPECT_EQ(observer_.disk_free, 1);
  EXPECT_TRUE(log_->status().ok());
  EXPECT_EQ(observer_.durable, 3u);
  EXPECT_THAT(Payloads(), ElementsAre("a", std::string(100'000, 'b'), "c"));
}

TEST_F(LogWriteTest, AFullDiskHoldsAnInlineWriteBackToo) {
  OpenModeP();
  fs_.SetQuota(0);
  EXPECT_EQ(Write({Batch("b")}), 1u);
  EXPECT_EQ(observer_.disk_full, 0);
  Settle();
  EXPECT_EQ(observer_.disk_full, 1);
  fs_.SetQuota(std::nullopt);
  home_.RunFor(std::chrono::seconds(1));
  Settle();
  EXPECT_EQ(observer_.written, 2u);
  EXPECT_THAT(Payloads(), ElementsAre("first", "b"));
}

TEST_F(LogWriteTest, AFullDiskSurvivesARestart) {
  Open();
  Append("a");
  fs_.SetQuota(0);
  Write({Batch(std::string(100'000, 'b'))});
  Settle();
  KillProcess();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a"));
}

TEST_F(LogWriteTest, ATruncationLowersEveryEndAtOnce) {
  Open();
  Append("a");
  Append("b");
  Append("c");
  term_ = Term(2);
  PlanFrom(LogIndex(2), Offset(1));
  Write({Batch("B", 5)}, LogIndex(2));
  EXPECT_EQ(log_->last_index(), LogIndex(2));
  EXPECT_EQ(log_->next_offset(), Offset(6));
  EXPECT_EQ(log_->written_index(), LogIndex(1));
  EXPECT_EQ(log_->durable_index(), LogIndex(1));
  EXPECT_THAT(Payloads(), ElementsAre("a"));
  Settle();
  EXPECT_EQ(log_->durable_index(), LogIndex(2));
  EXPECT_THAT(Payloads(), ElementsAre("a", "B"));
  EXPECT_THAT(log_->terms().rows(), ElementsAre(TermRow{Term(1), LogIndex(1), Offset(0)},
                                                TermRow{Term(2), LogIndex(2), Offset(1)}));
}

TEST_F(LogWriteTest, ASyncThatBeganBeforeATruncationDoesNotRaiseTheDurableEndAboveIt) {
  OpenModeP();
  Write({Batch("b")});
  Write({Batch("c")});
  log_->Flush();
  ASSERT_EQ(pool_.pending(), 1u);
  term_ = Term(2);
  PlanFrom(LogIndex(2), Offset(1));
  Write({Batch("B")}, LogIndex(2));
  ASSERT_TRUE(pool_.RunOne());
  home_.RunReady();
  EXPECT_EQ(observer_.durable, 3u);
  EXPECT_EQ(log_->durable_index(), LogIndex(1));
  Settle();
  log_->Flush();
  Settle();
  EXPECT_EQ(log_->durable_index(), LogIndex(2));
  EXPECT_THAT(Payloads(), ElementsAre("first", "B"));
}

TEST_F(LogWriteTest, ATruncationOfWhatAJobIsWritingTakesEffectAfterTheJob) {
  Open();
  Append("a");
  Write({Batch("b"), Batch("c")});
  term_ = Term(2);
  PlanFrom(LogIndex(3), Offset(2));
  Write({Batch("C")}, LogIndex(3));
  ASSERT_TRUE(pool_.RunOne());
  home_.RunReady();
  EXPECT_EQ(log_->written_index(), LogIndex(2));
  EXPECT_EQ(log_->durable_index(), LogIndex(2));
  Settle();
  EXPECT_EQ(observer_.durable, 3u);
  EXPECT_THAT(Payloads(), ElementsAre("a", "b", "C"));
}

TEST_F(LogWriteTest, ATruncationIntoAnEarlierSegmentRemovesTheNewerOnes) {
  Open();
  Append("a");
  Append("b");
  AppendRoll();
  Append("c");
  AppendRoll();
  Append("d");
  ASSERT_EQ(SegmentPaths().size(), 3u);
  term_ = Term(2);
  PlanFrom(LogIndex(2), Offset(1));
  Write({Batch("B")}, LogIndex(2));
  Settle();
  EXPECT_EQ(SegmentPaths().size(), 1u);
  EXPECT_THAT(Payloads(), ElementsAre("a", "B"));
  AppendRoll();
  Append("C");
  EXPECT_THAT(Payloads(), ElementsAre("a", "B", "C"));
  Crash();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "B", "C"));
}

TEST_F(LogWriteTest, ATruncationAtASegmentsFirstEntryKeepsTheEmptySegment) {
  Open();
  Append("a");
  AppendRoll();
  Append("b");
  term_ = Term(2);
  PlanFrom(LogIndex(3), Offset(1));
  Write({Batch("B")}, LogIndex(3));
  Settle();
  EXPECT_EQ(log_->segment_count(), 2u);
  EXPECT_THAT(Payloads(), ElementsAre("a", "B"));
}

TEST_F(LogWriteTest, TheDurableMarkIsLoweredBeforeBytesBelowItChange) {
  Open();
  Append("a");
  Append("b");
  clock_.Advance(std::chrono::seconds(2));
  Append("c");  // The mark is at 3 now.
  term_ = Term(2);
  PlanFrom(LogIndex(2), Offset(1));
  Write({Batch("B")}, LogIndex(2));
  // Dies after the cut and before anything new is synced.
  FailCalls(Call::kSync, EIO);
  Settle();
  Crash();
  fs_.SetFaults(nullptr);
  Open();
  EXPECT_EQ(Payloads().front(), "a");
}

TEST_F(LogWriteTest, CuttingACommittedEntryKillsTheLogAndNotTheEntry) {
  Open();
  Append("a");
  log_->OnCommitted(LogIndex(1));
  PlanFrom(LogIndex(1), Offset(0));
  Write({Batch("A")}, LogIndex(1));
  Settle();
  EXPECT_EQ(observer_.failures, 1);
  KillProcess();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a"));
}

TEST_F(LogWriteTest, AnEntryThatDoesNotFollowIsRefused) {
  Open();
  PlanFrom(LogIndex(1), Offset(5));
  Append("not dense");
  EXPECT_EQ(observer_.failures, 1);
}

TEST_F(LogWriteTest, CloseSyncsAndNothingRunsAfterIt) {
  OpenModeP();
  Write({Batch("b")});
  log_->Flush();
  Write({Batch("c")});
  Close();
  EXPECT_EQ(pool_.pending(), 0u);
  EXPECT_EQ(home_.timers(), 0u);
  fs_.Crash();
  kv_.Crash();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("first", "b", "c"));
}

TEST_F(LogWriteTest, CloseWithAFullDiskDoesNotWaitForSpace) {
  Open();
  Append("a");
  fs_.SetQuota(0);
  Write({Batch(std::string(100'000, 'b'))});
  Settle();
  Close();
}

TEST_F(LogWriteTest, SmallSyncedWritesFindTheirBlocksWrittenAhead) {
  Open();
  Append("a");
  const size_t size = fs_.Content(SegmentPaths()[0]).size();
  EXPECT_GE(size, 64u << 10);
  Append("b");
  EXPECT_EQ(fs_.Content(SegmentPaths()[0]).size(), size);
  EXPECT_LT(log_->size_bytes(), 1000);
}

TEST_F(LogWriteTest, RemoveLeavesNothingBehind) {
  Open();
  Append("a");
  Close();
  ASSERT_TRUE(Log::Remove(fs_, kv_, GroupId(7), kDir).ok());
  EXPECT_THAT(*fs_.List(kRoot), IsEmpty());
  EXPECT_THAT(kv_.Rows(KvFamily::kPartition), IsEmpty());
  PlanFrom(LogIndex(1), Offset(0));
  Open();
  EXPECT_EQ(log_->last_index(), LogIndex(0));
  EXPECT_TRUE(Log::Remove(fs_, kv_, GroupId(8), "data/other-0.8").ok());
}

}  // namespace
}  // namespace garam::storage
