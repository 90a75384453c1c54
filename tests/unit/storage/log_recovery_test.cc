#include <cerrno>

#include "common/testing/seeds.h"
#include "storage/frame.h"
#include "storage/log_rows.h"
#include "storage/segment_index.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Call = FakeFileSystem::Call;

class LogRecoveryTest : public LogFixture {
 protected:
  std::string Active() { return SegmentPaths().back(); }
  // Lets the durable mark move up to the end.
  void LetTheMarkFollow() {
    clock_.Advance(std::chrono::seconds(2));
    Write({Private(EntryKind::kNoop)});
    Settle();
    // Any synced write takes the mark with it, as every saved vote is one.
    ASSERT_TRUE(kv_.Write(KvBatch(), /*sync=*/true).ok());
  }
};

TEST_F(LogRecoveryTest, AReopenedLogHasEverythingThatWasDurable) {
  Open();
  Append("a", 3);
  term_ = Term(4);
  Write({Private(EntryKind::kNoop)});
  Append("b", 2);
  Crash();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b"));
  EXPECT_EQ(log_->last_index(), LogIndex(3));
  EXPECT_EQ(log_->durable_index(), LogIndex(3));
  EXPECT_EQ(log_->next_offset(), Offset(5));
  EXPECT_THAT(log_->terms().rows(), ElementsAre(TermRow{Term(1), LogIndex(1), Offset(0)},
                                                TermRow{Term(4), LogIndex(2), Offset(3)}));
  PlanFromEnd();
  Append("c");
  EXPECT_THAT(Payloads(), ElementsAre("a", "b", "c"));
}

TEST_F(LogRecoveryTest, ATornTailIsCutAtEveryByteOfTheLastBatch) {
  Open();
  Append("a");
  const int64_t kept = log_->size_bytes();
  Append("last batch");
  const int64_t end = log_->size_bytes();
  const std::string path = Active();
  Drop();
  const std::string whole = fs_.Content(path).substr(0, static_cast<size_t>(end));
  for (int64_t size = kept; size < end; ++size) {
    for (bool zeros : {false, true}) {
      kv_.Wipe();  // No mark: the first write set one.
      std::string torn = whole.substr(0, static_cast<size_t>(size));
      if (zeros) torn.resize(torn.size() + 4096, '\0');
      fs_.SetContent(path, torn);
      Open();
      ASSERT_THAT(Payloads(), ElementsAre("a")) << "cut at " << size;
      ASSERT_EQ(fs_.Content(path).size(), static_cast<size_t>(kept));
      ASSERT_FALSE(fs_.HasUnsynced(path));
      PlanFromEnd();
      Append("b");
      ASSERT_THAT(Payloads(), ElementsAre("a", "b"));
      Drop();
    }
  }
}

TEST_F(LogRecoveryTest, AFlippedBitAnywhereAboveTheMarkCutsTheLogThere) {
  Open();
  Append("a");
  const int64_t kept = log_->size_bytes();
  Append("b");
  Append("c");
  const int64_t end = log_->size_bytes();
  const std::string path = Active();
  Drop();
  const std::string whole = fs_.Content(path);
  // Bits of b: of its second half on, c is behind the damage and goes too.
  for (int64_t at = kept; at < (kept + end) / 2; ++at) {
    kv_.Wipe();
    fs_.SetContent(path, whole);
    fs_.FlipBit(path, at, static_cast<int>(at % 8));
    Open();
    // A term may rise unnoticed: no checksum covers it, and nothing vouches for what it was.
    const bool term_bits = at >= kept + 12 && at < kept + 16;
    if (!term_bits) {
      ASSERT_THAT(Payloads(), ElementsAre("a")) << "bit flipped at " << at;
    }
    Drop();
  }
}

TEST_F(LogRecoveryTest, DamageBelowTheDurableMarkIsToldApartAndTheFileKept) {
  Open();
  Append("a");
  const int64_t damaged_at = log_->size_bytes() + 70;
  Append("b");
  LetTheMarkFollow();
  Append("c");
  const std::string path = Active();
  Crash();
  fs_.FlipBit(path, damaged_at, 3);
  const std::string before = fs_.Content(path);
  absl::Status opened = TryOpen();
  EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(IsDamaged(opened));
  EXPECT_THAT(std::string(opened.message()), HasSubstr(path));
  EXPECT_TRUE(fs_.Content(path) == before);
}

TEST_F(LogRecoveryTest, AMissingEndBelowTheDurableMarkIsDamage) {
  Open();
  Append("a");
  Append("b");
  LetTheMarkFollow();
  const std::string path = Active();
  Crash();
  fs_.SetContent(path, fs_.Content(path).substr(0, 150));
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogRecoveryTest, MissingSegmentsBelowTheDurableMarkAreDamage) {
  Open();
  Append("a");
  LetTheMarkFollow();
  const std::string path = Active();
  Drop();
  ASSERT_TRUE(fs_.Remove(path).ok());
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogRecoveryTest, AMissingFirstSegmentBelowTheDurableMarkIsDamage) {
  for (bool with_records : {false, true}) {
    Open();
    if (with_records) Append("a");
    Write({Private(EntryKind::kCommand)});
    AppendRoll();
    Append("b");
    LetTheMarkFollow();
    const std::string first = SegmentPaths().front();
    Crash();
    ASSERT_TRUE(fs_.Remove(first).ok());
    EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
    ASSERT_TRUE(Log::Remove(fs_, kv_, GroupId(7), kDir).ok());
    PlanFrom(LogIndex(1), Offset(0));
  }
}

TEST_F(LogRecoveryTest, ALogWithoutRowsBeginsWithWhatIsLeftAndMissesThatFromThenOn) {
  Open();
  Append("a");
  AppendRoll();
  Append("b");
  AppendRoll();
  Append("c");
  Crash();
  kv_.Wipe();
  ASSERT_TRUE(fs_.Remove(SegmentPaths().front()).ok());
  for (int opening = 0; opening < 2; ++opening) {
    Open();
    EXPECT_THAT(Payloads(), ElementsAre("b", "c"));
    EXPECT_EQ(log_->start_offset(), Offset(1));
    LetTheMarkFollow();
    Crash();
  }
  ASSERT_TRUE(fs_.Remove(SegmentPaths().front()).ok());
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogRecoveryTest, TermRowsThatDoNotAscendAreRefused) {
  KvBatch batch;
  TermRows rows({{Term(2), LogIndex(5), Offset(3)}, {Term(1), LogIndex(1), Offset(0)}});
  LogRows(kv_, GroupId(7)).StageTerms(rows, LogIndex(9), batch);
  ASSERT_TRUE(kv_.Write(batch, /*sync=*/true).ok());
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogRecoveryTest, ARecordThatEndsLikeAFooterIsNoFooter) {
  const SegmentFooter forged{LogIndex(1), Term(1), Offset(1)};
  const std::string payload = "record" + std::string(EncodeFooter(forged).view());
  Open();
  Append("a");
  Append(payload);
  Close();  // With the mark at its end, and nothing written ahead.
  for (bool rows_lost : {false, true}) {
    if (rows_lost) kv_.Wipe();
    Open();
    EXPECT_THAT(Payloads(), ElementsAre("a", payload));
    PlanFromEnd();
    Drop();
  }
}

TEST_F(LogRecoveryTest, AFooterThatTellsOtherThingsThanItsSegmentIsDamage) {
  Open();
  Append("a", 3);
  AppendRoll();
  log_->OnCommitted(log_->last_index());
  Settle();
  const std::string path = SegmentPaths().front();
  Crash();
  kv_.Wipe();
  const std::string whole = fs_.Content(path);
  Frame frame;
  ASSERT_EQ(PeekFrame(std::string_view(whole).substr(whole.size() - kFooterBytes), true, &frame),
            FrameFound::kFrame);
  const SegmentFooter right = *DecodeFooter(frame);
  for (int what = 0; what < 4; ++what) {
    SegmentFooter footer = right;
    if (what == 1) footer.next_offset += 1;
    if (what == 2) footer.last_term = Term(9);
    if (what == 3) footer.last_index += 1;
    fs_.SetContent(path, whole.substr(0, whole.size() - kFooterBytes) +
                             std::string(EncodeFooter(footer).view()));
    EXPECT_EQ(TryOpen().ok(), what == 0);
    Drop();
  }
}

TEST_F(LogRecoveryTest, IndexRowsBeyondTheirSegmentAreNotFollowed) {
  Open();
  Append("a", 3);
  AppendRoll();
  log_->OnCommitted(log_->last_index());
  Settle();
  Crash();
  SegmentPoint far;
  far.index = LogIndex(2);
  far.offset = Offset(2);
  far.position = int64_t{1} << 60;
  SegmentIndex index(FirstPoint({GroupId(7), LogIndex(1), Offset(0), Term(0)}));
  index.Note(far, 1);
  ASSERT_TRUE(LogRows(kv_, GroupId(7)).SaveSealed(LogIndex(1), std::nullopt, index).ok());
  Open();
  EXPECT_EQ(TryReadEntries(LogIndex(2), LogIndex(2))->size(), 1u);
  EXPECT_THAT(Payloads(Offset(2)), ElementsAre("a"));
}

TEST_F(LogRecoveryTest, TermRowsThatDifferFromTheSegmentsAreRefused) {
  Open();
  Append("a");
  AppendRoll();
  log_->OnCommitted(log_->last_index());
  Settle();
  Append("b");
  LetTheMarkFollow();
  Crash();
  KvBatch batch;
  LogRows(kv_, GroupId(7))
      .StageTerms(TermRows({{Term(9), LogIndex(1), Offset(0)}}), LogIndex(9), batch);
  ASSERT_TRUE(kv_.Write(batch, /*sync=*/true).ok());
  const absl::Status opened = TryOpen();
  EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("footer"));
}

TEST_F(LogRecoveryTest, IndexRowsThatTheMarkDoesNotCountAreNotFollowed) {
  Open();
  Append("a");
  Append("b");
  LetTheMarkFollow();
  Crash();
  SegmentPoint wrong;
  wrong.index = LogIndex(2);
  wrong.offset = Offset(1);
  wrong.position = 200;  // In the midst of a batch.
  SegmentIndex index(FirstPoint({GroupId(7), LogIndex(1), Offset(0), Term(0)}));
  index.Note(wrong, 1);
  KvBatch batch;
  LogRows(kv_, GroupId(7)).StagePiece(LogIndex(1), 0, index.Encode(1, 2), batch);
  ASSERT_TRUE(kv_.Write(batch, /*sync=*/true).ok());
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b"));
}

TEST_F(LogRecoveryTest, ASegmentUnderAnothersNameIsRefused) {
  Open();
  Append("a");
  const std::string path = Active();
  Crash();
  ASSERT_TRUE(fs_.Rename(path, std::string(kDir) + "/00000000000000000005.log").ok());
  const absl::Status opened = TryOpen();
  EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("not as it is named"));
}

TEST_F(LogRecoveryTest, AFolderOfAnotherGroupIsRefused) {
  Open();
  Append("a");
  Close();
  LogIdentity other{GroupId(8), "topic", 0, {}};
  auto opened = Log::Open(env(), other, kDir, options_, observer_);
  EXPECT_FALSE(opened.ok());
}

TEST_F(LogRecoveryTest, TheFullNamesAreInTheFolder) {
  LogIdentity identity{GroupId(9), std::string(249, 't'), 12, TopicId{{7}}};
  const std::string name = LogFolderName(identity);
  EXPECT_LT(name.size(), 255u);
  EXPECT_TRUE(name.ends_with("-12.9"));
  auto opened = Log::Open(env(), identity, "data/" + name, options_, observer_);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(*ReadLogIdentity(fs_, "data/" + name), identity);
}

TEST_F(LogRecoveryTest, AKilledProcessLosesNothingThatWasWritten) {
  options_.flush_messages = 1000;
  Open();
  Append("a");
  Write({Batch("b")});
  Write({Batch("c")});
  KillProcess();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b", "c"));
  // What was in the page cache only is durable now.
  EXPECT_EQ(log_->durable_index(), LogIndex(3));
  Crash();
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("a", "b", "c"));
}

TEST_F(LogRecoveryTest, ALostKeyValueStoreIsRebuiltFromTheSegments) {
  options_.index_interval_bytes = 200;
  Open();
  for (int i = 0; i < 20; ++i) Append(std::string(100, static_cast<char>('a' + i)));
  AppendRoll();
  log_->OnCommitted(log_->last_index());
  Settle();
  term_ = Term(3);
  for (int i = 0; i < 3; ++i) Append("tail");
  const std::vector<TermRow> terms = log_->terms().rows();
  const auto all = Payloads();
  Crash();
  kv_.Wipe();
  Open();
  EXPECT_EQ(log_->terms().rows(), terms);
  EXPECT_EQ(Payloads(), all);
  EXPECT_EQ(Payloads(Offset(13)).front(), std::string(100, 'n'));
}

TEST_F(LogRecoveryTest, ARestartReadsWhatIsAboveTheMarkAndNotTheWholeLog) {
  Open();
  for (int i = 0; i < 100; ++i) Append(std::string(2000, 'x'));
  LetTheMarkFollow();
  Append("above");
  const std::string path = Active();
  Crash();
  // Damage far below the mark goes unseen: nothing there was looked at.
  fs_.FlipBit(path, 5000, 1);
  Open();
  EXPECT_EQ(log_->last_index(), LogIndex(102));
  EXPECT_EQ(Payloads(Offset(99)).back(), "above");
}

TEST_F(LogRecoveryTest, RowsOfACutTailDoNotComeBack) {
  options_.index_interval_bytes = 100;
  Open();
  for (int i = 0; i < 10; ++i) Append(std::string(100, 'o'));
  LetTheMarkFollow();
  term_ = Term(2);
  PlanFrom(LogIndex(4), Offset(3));
  Write({Batch("short")}, LogIndex(4));
  Settle();
  for (int i = 0; i < 10; ++i) Append(std::string(130, 'n'));
  LetTheMarkFollow();
  const auto all = Payloads();
  Crash();
  Open();
  EXPECT_EQ(Payloads(), all);
  for (int64_t offset = 0; offset < log_->next_offset().value(); ++offset) {
    EXPECT_EQ(Payloads(Offset(offset)).size(), all.size() - static_cast<size_t>(offset));
  }
}

TEST_F(LogRecoveryTest, AnUnsyncedNewSegmentIsNotMissed) {
  Open();
  Append("a");
  Write({Private(EntryKind::kRoll), Batch("b")});
  fs_.SetFaults(
      [](Call call, const std::string&) { return call == Call::kSyncDirectory ? EIO : 0; });
  Settle();
  EXPECT_EQ(observer_.failures, 1);
  Crash();
  fs_.SetFaults(nullptr);
  Open();
  EXPECT_EQ(Payloads().front(), "a");
  PlanFromEnd();
  Append("c");
  EXPECT_EQ(Payloads().back(), "c");
}

TEST_F(LogRecoveryTest, AFailedSyncMayLoseTheTailAndNothingBeforeIt) {
  const uint64_t seeds = SeedsToRun(200);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    SeededRandom random(seed);
    Open();
    if (log_->last_index() == LogIndex(0)) Append("a");
    PlanFromEnd();
    const auto before = Payloads();
    fs_.SetFaults([](Call call, const std::string&) { return call == Call::kSync ? EIO : 0; },
                  &random);
    Write({Batch("b"), Batch("c"), Batch("d")});
    Settle();
    EXPECT_EQ(observer_.failures, 1);
    Drop();
    fs_.Crash(random);
    kv_.Crash(random.Below(kv_.unsynced_batches() + 1));
    fs_.SetFaults(nullptr);
    Open();
    const auto after = Payloads();
    ASSERT_GE(after.size(), before.size());
    ASSERT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
    Drop();
  }
}

}  // namespace
}  // namespace garam::storage
