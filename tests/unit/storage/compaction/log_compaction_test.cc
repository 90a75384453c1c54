// Compaction of a log over the fakes: what readers see before and after, and wherever it is cut
// short.
#include <gmock/gmock.h>

#include <cerrno>
#include <map>
#include <set>

#include "common/log_start.h"
#include "common/testing/seeds.h"
#include "storage/compaction/cleaning_choice.h"
#include "storage/compaction/compaction_run.h"
#include "storage/file_reaper.h"
#include "tests/unit/storage/compaction/keyed_batch.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogCompactionTest : public LogFixture {
 protected:
  LogCompactionTest() {
    options_.index_interval_bytes = 100;
    options_.segment_bytes = 1 << 20;
  }

  LogEntry Keyed(std::vector<KeyedRecord> records, int64_t producer_id = -1,
                 int32_t base_sequence = -1) {
    const auto count = static_cast<int64_t>(records.size());
    KeyedBatch batch;
    batch.records = std::move(records);
    batch.base_offset = planned_offset_.value();
    batch.term = term_.value();
    batch.base_timestamp_ms = 1000 + planned_offset_.value();
    batch.producer_id = producer_id;
    batch.base_sequence = base_sequence;
    LogEntry entry = Private(EntryKind::kBatch);
    entry.bytes = batch.Build();
    planned_offset_ += count;
    return entry;
  }
  void Put(std::vector<KeyedRecord> records) { Write({Keyed(std::move(records))}); }
  // Ends the segment, and waits until that is committed and below the durable mark.
  void Seal() {
    Write({Private(EntryKind::kRoll)});
    CommitAll();
  }
  void CommitAll() {
    Settle();
    log_->OnCommitted(log_->last_index());
    Settle();
    home_.RunFor(Millis(1100));
    Write({Private(EntryKind::kNoop)});
    Settle();
    log_->OnCommitted(log_->last_index());
    Settle();
  }

  CompactionInput Input() {
    CompactionInput input;
    input.dir = kDir;
    input.segments = log_->SealedSegments();
    input.clean = log_->clean_point();
    input.producer_batches = producer_batches_;
    input.now_ms = clock_.WallMs();
    input.delete_retention_ms = 10'000;
    input.segment_bytes = options_.segment_bytes;
    input.index_interval_bytes = options_.index_interval_bytes;
    input.map_bytes = map_bytes_;
    input.secret = {1, 2};
    return input;
  }
  // One pass, as the broker makes it.
  absl::Status Pass(size_t step_bytes = 1 << 20) {
    CompactionRun run(fs_, Input());
    const absl::Status status = Steps(run, step_bytes);
    run.Discard();
    return status;
  }
  absl::Status Steps(CompactionRun& run, size_t step_bytes) {
    while (true) {
      ASSIGN_OR_RETURN(const CompactionRun::Did did, run.Step(step_bytes));
      if (did == CompactionRun::Did::kCleaned) {
        RETURN_IF_ERROR(log_->Replace(run.Take()));
        if (settle_between_) Settle();
      }
      if (did == CompactionRun::Did::kAll) break;
    }
    log_->SetCleanPoint(run.clean_point());
    Settle();
    return absl::OkStatus();
  }
  void Compact() {
    const absl::Status passed = Pass();
    ASSERT_TRUE(passed.ok()) << passed;
  }

  std::vector<Bytes> Batches(Offset from) {
    std::vector<Bytes> all;
    const Offset end = log_->written_offset();
    while (from < end) {
      auto batches = TryRead(from, end, 200);
      EXPECT_TRUE(batches.ok()) << batches.status();
      if (!batches.ok() || batches->empty()) break;
      for (const Bytes& batch : *batches) {
        const RecordBatchView header(batch.data());
        EXPECT_GT(header.next_offset(), from);
        from = header.next_offset();
        all.push_back(Bytes::Copy(batch.view()));
      }
    }
    EXPECT_EQ(from, end) << "a reader does not get to the end";
    return all;
  }
  std::vector<SeenRecord> Records() {
    std::vector<SeenRecord> all;
    for (const Bytes& batch : Batches(log_->start_offset())) {
      for (SeenRecord& record : RecordsOf(batch.view())) all.push_back(std::move(record));
    }
    return all;
  }
  // Whether there is a file that has no place in the log.
  bool LeftOver() {
    const std::vector<std::string> names = *fs_.List(kDir);
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name.ends_with(kCleanedSuffix); });
  }
  std::map<std::string, std::string> Values() { return ValuesOf(Records()); }

  std::vector<LogIndex> producer_batches_;
  size_t map_bytes_ = 1 << 16;
  bool settle_between_ = true;
};

TEST_F(LogCompactionTest, LeavesTheLastRecordOfEachKeyWhereItWas) {
  Open();
  Put({{"a", "1"}, {"b", "1"}});
  Put({{"a", "2"}});
  Seal();
  Put({{"c", "1"}, {"a", "3"}});
  Seal();
  Put({{"b", "9"}});  // Not sealed: not looked at.
  CommitAll();
  const std::vector<SeenRecord> before = Records();
  Compact();
  EXPECT_THAT(Records(), ElementsAre(before[1], before[3], before[4], before[5]));
  EXPECT_THAT(SegmentPaths(), SizeIs(2));
  EXPECT_EQ(observer_.damages, 0);
  EXPECT_EQ(log_->first_index(), LogIndex(1));
  EXPECT_EQ(log_->whole_from(), LogIndex(7));
  EXPECT_EQ(log_->next_offset(), Offset(6));
  EXPECT_EQ(log_->clean_point().before, Offset(5));
  // The same after a restart, by the rows or without them.
  Close();
  Open();
  EXPECT_THAT(Records(), SizeIs(4));
  EXPECT_EQ(log_->whole_from(), LogIndex(7));
  EXPECT_EQ(log_->clean_point().before, Offset(5));
  Drop();
  kv_.Wipe();
  Open();
  EXPECT_THAT(Records(), SizeIs(4));
  EXPECT_EQ(log_->whole_from(), LogIndex(7));
  EXPECT_EQ(log_->clean_point().before, Offset(0));
}

TEST_F(LogCompactionTest, ASecondPassLooksAtNewKeysAndCleansOldSegmentsToo) {
  Open();
  Put({{"a", "1"}, {"b", "1"}, {"c", "1"}});
  Seal();
  Compact();
  Put({{"b", "2"}});
  Seal();
  Compact();
  EXPECT_EQ(Values(), (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"c", "1"}}));
  EXPECT_THAT(Records(), SizeIs(3));
}

TEST_F(LogCompactionTest, APassMayFollowBeforeTheLogHasRenamedWhatTheLastOneWrote) {
  Open();
  Put({{"a", "1"}, {"b", "1"}});
  Put({{"a", "2"}});
  Seal();
  Put({{"b", "2"}});
  Seal();
  // Room for one key: the second pass finds more to drop in what the first one has written.
  map_bytes_ = 0;
  for (int pass = 0; pass < 4; ++pass) {
    CompactionRun run(fs_, Input());
    while (true) {
      const absl::StatusOr<CompactionRun::Did> did = run.Step(1 << 20);
      ASSERT_TRUE(did.ok()) << did.status();
      if (*did == CompactionRun::Did::kAll) break;
      if (*did != CompactionRun::Did::kCleaned) continue;
      ASSERT_TRUE(log_->Replace(run.Take()).ok());
    }
    run.Discard();
    log_->SetCleanPoint(run.clean_point());
  }
  Settle();
  EXPECT_TRUE(log_->status().ok()) << log_->status();
  EXPECT_THAT(Records(), SizeIs(2));
  Close();
  Open();
  EXPECT_THAT(Records(), SizeIs(2));
  EXPECT_FALSE(LeftOver());
}

TEST_F(LogCompactionTest, ASmallMapTakesSeveralPasses) {
  Open();
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const std::string key = absl::StrCat("k", i % 40);
    expected[key] = absl::StrCat(i);
    Put({{key, absl::StrCat(i)}});
    if (i % 60 == 59) Seal();
  }
  Seal();
  map_bytes_ = 24 * 16;
  int passes = 0;
  while (log_->clean_point().before < Offset(200)) {
    const Offset before = log_->clean_point().before;
    Compact();
    ASSERT_GT(log_->clean_point().before, before);
    ASSERT_EQ(Values(), expected);
    ++passes;
  }
  EXPECT_GT(passes, 5);
  EXPECT_THAT(Records(), SizeIs(40));
}

TEST_F(LogCompactionTest, TombstonesGoWhenTheyHaveWaitedForLongEnough) {
  Open();
  Put({{"a", "1"}, {"b", "1"}});
  Put({{"a", std::nullopt}});
  Seal();
  Compact();
  EXPECT_THAT(Records(), SizeIs(2));
  EXPECT_EQ(log_->clean_point().tombstones_until_ms, clock_.WallMs() + 10'000);
  home_.RunFor(Millis(9'999));
  Compact();
  EXPECT_THAT(Records(), SizeIs(2));
  home_.RunFor(Millis(1));
  Compact();
  EXPECT_THAT(Records(), SizeIs(1));
  EXPECT_EQ(log_->clean_point().tombstones_until_ms, -1);
  EXPECT_EQ(log_->clean_point().before, Offset(3));
}

TEST_F(LogCompactionTest, AReaderGetsOverGapsToTheEnd) {
  Open();
  for (int i = 0; i < 20; ++i) Put({{"a", absl::StrCat(i)}, {"b", absl::StrCat(i)}});
  Seal();
  Put({{"a", "x"}, {"b", "x"}});
  Seal();
  Put({{"a", std::nullopt}, {"b", std::nullopt}});
  Seal();
  Compact();
  for (int64_t from = 0; from <= log_->written_offset().value(); ++from) {
    EXPECT_LE(Batches(Offset(from)).size(), 2U);
  }
  // Nothing is left but what keeps the place.
  home_.RunFor(Millis(20'000));
  Compact();
  EXPECT_THAT(Records(), IsEmpty());
  const std::vector<Bytes> left = Batches(Offset(0));
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(RecordBatchView(left[0].data()).base_offset(), Offset(42));
  // A batch without a record has no timestamp that anybody could look for.
  std::optional<absl::StatusOr<std::optional<Bytes>>> found;
  log_->FindMaxTimestampBatch(log_->next_offset(), [&](auto batch) { found = std::move(batch); });
  Settle();
  ASSERT_TRUE(found && found->ok());
  EXPECT_EQ(**found, std::nullopt);
}

TEST_F(LogCompactionTest, WhatRaftAndProducersNeedStays) {
  Open();
  term_ = Term(2);
  Write({Private(EntryKind::kNoop), Private(EntryKind::kConfiguration, "members"),
         Keyed({{"a", "1"}}, 5, 0), Keyed({{"a", "2"}}, 5, 1), Keyed({{"a", "3"}}, 6, 0)});
  term_ = Term(3);
  Write({Keyed({{"a", "4"}}), Private(EntryKind::kExpireProducers, "12345678")});
  Seal();
  Put({{"a", "5"}});
  Seal();
  const TermRows terms = log_->terms();
  producer_batches_ = {LogIndex(4), LogIndex(5)};
  Compact();
  auto entries = TryReadEntries(LogIndex(1), LogIndex(11));
  ASSERT_TRUE(entries.ok()) << entries.status();
  std::map<int64_t, EntryKind> kinds;
  for (const LogEntry& entry : *entries) {
    kinds[entry.index.value()] = entry.kind;
    EXPECT_EQ(entry.term, terms.TermAt(entry.index));
  }
  using enum EntryKind;
  // 3 and 6 are gone, and the kRoll at 8.
  EXPECT_EQ(kinds, (std::map<int64_t, EntryKind>{{1, kNoop},
                                                 {2, kConfiguration},
                                                 {4, kBatch},
                                                 {5, kBatch},
                                                 {7, kExpireProducers},
                                                 {9, kNoop},
                                                 {10, kBatch},
                                                 {11, kRoll}}));
  const RecordBatchView kept((*entries)[2].bytes.data());
  EXPECT_EQ(kept.producer_id(), 5);
  EXPECT_EQ(kept.base_sequence(), 1);
  EXPECT_EQ(kept.record_count(), 0);
  EXPECT_EQ(log_->terms(), terms);
  Drop();
  kv_.Wipe();
  Open();
  EXPECT_EQ(log_->terms(), terms);
  ASSERT_THAT(log_->configurations(), SizeIs(1));
  EXPECT_EQ(log_->configurations()[0].payload, "members");
}

TEST_F(LogCompactionTest, ReadsThatAreUnderWayAreNotCut) {
  Open();
  Put({{"a", "1"}});
  Put({{"b", "1"}});
  Put({{"a", "2"}});
  Seal();
  Put({{"c", "1"}});
  CommitAll();
  Close();
  Open();  // No index in memory, no file open: the read goes to the pool.
  CommitAll();
  fs_.SetReadsWouldBlock(true);
  CompactionRun run(fs_, Input());
  while (*run.Step(1 << 20) != CompactionRun::Did::kCleaned) {
  }
  std::optional<absl::StatusOr<std::vector<Bytes>>> read;
  log_->Read(Offset(0), log_->written_offset(), 1000,
             [&](absl::StatusOr<std::vector<Bytes>> batches) { read = std::move(batches); });
  ASSERT_FALSE(read);
  ASSERT_TRUE(log_->Replace(run.Take()).ok());
  Settle();
  ASSERT_TRUE(read);
  ASSERT_TRUE(read->ok()) << read->status();
  EXPECT_EQ(RecordBatchView((**read)[0].data()).base_offset(), Offset(1));
  EXPECT_EQ(observer_.damages, 0);
}

// Both the one whose name the new file takes and the one that loses its name.
TEST_F(LogCompactionTest, LargeFilesThatWereReplacedAreFreedPieceByPiece) {
  options_.segment_bytes = 32 << 20;
  Open();
  std::vector<std::shared_ptr<File>> old;
  for (const char value : {'1', '2'}) {
    Put({{"a", std::string(size_t{5} << 20, value)}});
    Seal();
    old.emplace_back(*fs_.Open(SegmentPaths()[old.size()], FileSystem::Mode::kRead));
  }
  Put({{"a", "3"}});
  Seal();
  Compact();
  EXPECT_THAT(SegmentPaths(), SizeIs(2));
  for (const auto& file : old) EXPECT_GT(*file->Size(), 3 << 20) << "nothing is freed at once";
  for (int pieces = 0; pieces < 10; ++pieces) {
    home_.RunFor(Millis(1000));
    Settle();
  }
  for (const auto& file : old) EXPECT_LE(*file->Size(), FileReaper::kPieceBytes);
  EXPECT_EQ(Values(), (std::map<std::string, std::string>{{"a", "3"}}));
}

TEST_F(LogCompactionTest, NothingIsReplacedThatIsNotThereAnyMore) {
  Open();
  Put({{"a", "1"}});
  Put({{"a", "2"}});
  Seal();
  Put({{"a", "3"}});
  Seal();
  CompactionRun run(fs_, Input());
  while (*run.Step(1 << 20) != CompactionRun::Did::kCleaned) {
  }
  Write({Private(EntryKind::kSetLogStart, EncodeLogStart(Offset(2)))});
  CommitAll();
  EXPECT_TRUE(absl::IsAborted(log_->Replace(run.Take())));
  EXPECT_THAT(Records(), SizeIs(1));
}

TEST_F(LogCompactionTest, SegmentsWithoutAnythingToDropStayAsTheyAre) {
  Open();
  Put({{"a", "1"}});
  Put({{"b", "1"}});
  Seal();
  const std::string before = fs_.Content(SegmentPaths()[0]);
  Compact();
  EXPECT_EQ(fs_.Content(SegmentPaths()[0]), before);
  EXPECT_EQ(log_->whole_from(), LogIndex(1));
  EXPECT_EQ(log_->clean_point().before, Offset(2));
  EXPECT_FALSE(LeftOver());
}

TEST_F(LogCompactionTest, AFullDiskEndsThePassAndNothingElse) {
  Open();
  for (int i = 0; i < 50; ++i) Put({{"a", absl::StrCat(i)}, {absl::StrCat("k", i), "1"}});
  Seal();
  const auto before = Values();
  fs_.SetQuota(0);
  EXPECT_TRUE(IsDiskFull(Pass()));
  EXPECT_TRUE(log_->status().ok());
  fs_.SetQuota(std::nullopt);
  EXPECT_EQ(Values(), before);
  EXPECT_FALSE(LeftOver());
  Compact();
  EXPECT_EQ(Values(), before);
}

TEST_F(LogCompactionTest, ADamagedSegmentIsNotCompacted) {
  Open();
  Put({{"a", "1"}, {"b", "1"}});
  Put({{"a", "2"}});
  Seal();
  fs_.FlipBit(SegmentPaths()[0], static_cast<int64_t>(kHeaderBytes) + 70, 3);
  EXPECT_TRUE(IsDamaged(Pass()));
}

// One scenario, with the process or the machine dying at any call, and any seed of what the disk
// keeps.
class LogCompactionCrashTest : public LogCompactionTest {
 public:
  void RunSeed(uint64_t seed) {
    SeededRandom random(seed);
    options_.flush_messages = random.Below(2) == 0 ? 1 : 10;
    options_.segment_bytes = random.Below(2) == 0 ? 1 << 20 : 2000;
    map_bytes_ = 24 * (4 + random.Below(40));
    settle_between_ = random.Below(2) == 0;
    Open();
    if (HasFatalFailure()) return;
    for (int life = 0; life < 4 && !HasFailure(); ++life) {
      Fill(random);
      if (HasFatalFailure()) return;
      calls_left_ = static_cast<int64_t>(random.Below(60));
      fs_.SetFaults([this](FakeFileSystem::Call call, const std::string&) {
        return call != FakeFileSystem::Call::kRead && --calls_left_ < 0 ? FakeFileSystem::kNotMade
                                                                        : 0;
      });
      kv_.SetFaults([this](const KvBatch&, bool) { return --calls_left_ < 0 ? EIO : 0; });
      for (size_t i = random.Below(4) + 1; i > 0 && Pass(1 + random.Below(3000)).ok(); --i) {
        home_.RunFor(Millis(random.Below(9'000)));
        Settle();
      }
      Die(random);
      Open();
      if (HasFatalFailure()) return;
      Check();
    }
  }

 private:
  void Fill(SeededRandom& random) {
    PlanFromEnd();
    term_ = term_ + 1;
    for (size_t i = random.Below(60) + 1; i > 0; --i) {
      std::vector<KeyedRecord> records;
      for (size_t count = random.Below(3) + 1; count > 0; --count) {
        KeyedRecord record{absl::StrCat("k", random.Below(12)), absl::StrCat(++written_)};
        if (random.Below(5) == 0) record.value.reset();
        records.push_back(std::move(record));
      }
      Put(std::move(records));
      if (random.Below(6) == 0) Seal();
    }
    Seal();
    ASSERT_TRUE(log_->status().ok()) << log_->status();
    // What the disk has now is what every later view stands for.
    for (SeenRecord& record : Records()) all_.insert_or_assign(record.offset, record);
    terms_ = log_->terms();
    sealed_end_ = log_->SealedSegments().back().end.offset;
  }
  void Die(SeededRandom& random) {
    Drop();
    fs_.SetFaults(nullptr);
    kv_.SetFaults(nullptr);
    if (random.Below(3) == 0) {
      fs_.KillProcess();
      kv_.KillProcess();
      return;
    }
    fs_.Crash(random);
    kv_.Crash(random.Below(kv_.unsynced_batches() + 1));
    if (random.Below(2) == 0) kv_.FlushIndex();
    if (random.Below(8) == 0) kv_.Wipe();
  }
  void Check() {
    std::vector<SeenRecord> everything;
    for (const auto& [offset, record] : all_) everything.push_back(record);
    const std::vector<SeenRecord> found = Records();
    ASSERT_EQ(ValuesOf(found), ValuesOf(everything));
    std::set<int64_t> offsets;
    for (const SeenRecord& record : found) {
      ASSERT_EQ(record, all_[record.offset]);
      offsets.insert(record.offset);
    }
    for (const auto& [offset, record] : all_) {
      ASSERT_TRUE(Offset(offset) < sealed_end_ || offsets.contains(offset));
    }
    ASSERT_EQ(log_->terms(), terms_);
    ASSERT_EQ(observer_.damages, 0);
    ASSERT_LE(log_->clean_point().before, sealed_end_);
    ASSERT_FALSE(LeftOver());
    const LogIndex next = log_->whole_from();
    if (next > log_->last_index()) return;
    auto entries = TryReadEntries(next, log_->last_index());
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->front().index, next);
  }

  int64_t calls_left_ = 0;
  int64_t written_ = 0;
  std::map<int64_t, SeenRecord> all_;
  TermRows terms_;
  Offset sealed_end_;
};

TEST_F(LogCompactionCrashTest, WhereverItIsCutShortTheLogIsTheOldOneOrTheNewOne) {
  const uint64_t seeds = SeedsToRun(600);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    LogCompactionCrashTest_WhereverItIsCutShortTheLogIsTheOldOneOrTheNewOne_Test fresh;
    fresh.RunSeed(seed);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace garam::storage
