#include "storage/compaction/batch_cleaner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/unit/storage/compaction/keyed_batch.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using Outcome = BatchCleaner::Outcome;

constexpr int64_t kNowMs = 5'000'000;
constexpr int64_t kRetentionMs = 1000;

class BatchCleanerTest : public ::testing::TestWithParam<Compression> {
 protected:
  KeyedBatch Batch(std::vector<KeyedRecord> records) {
    KeyedBatch batch;
    batch.records = std::move(records);
    batch.codec = GetParam();
    batch.base_offset = 100;
    batch.term = 9;
    batch.producer_id = 77;
    batch.base_sequence = 12;
    return batch;
  }
  // Expects `outcome`; what the batch is then.
  std::string Clean(std::string_view batch, Outcome outcome, int64_t now_ms = kNowMs,
                    Offset end = Offset(1000)) {
    const CleaningRules rules{map_, end, now_ms, kRetentionMs};
    BatchCleaner cleaner(rules);
    absl::StatusOr<Outcome> cleaned = cleaner.Clean(batch);
    EXPECT_TRUE(cleaned.ok()) << cleaned.status();
    EXPECT_EQ(cleaned.value_or(Outcome::kEmpty), outcome);
    tombstones_until_ms_ = cleaner.tombstones_until_ms();
    return outcome == Outcome::kAsItWas ? std::string(batch) : cleaner.bytes();
  }
  static void ExpectSameHeader(std::string_view now, std::string_view before) {
    const RecordBatchView a(now.data());
    const RecordBatchView b(before.data());
    EXPECT_EQ(a.base_offset(), b.base_offset());
    EXPECT_EQ(a.last_offset_delta(), b.last_offset_delta());
    EXPECT_EQ(a.leader_epoch(), b.leader_epoch());
    EXPECT_EQ(a.producer_id(), b.producer_id());
    EXPECT_EQ(a.producer_epoch(), b.producer_epoch());
    EXPECT_EQ(a.base_sequence(), b.base_sequence());
  }

  OffsetMap map_{1 << 16, 1000, {1, 2}};
  int64_t tombstones_until_ms_ = -1;
};

TEST_P(BatchCleanerTest, DropsWhatWasReplacedAndKeepsTheRestAsItWas) {
  const Bytes batch = Batch({{"a", "1", 0}, {"b", "2", 10}, {"c", "3", 5}, {"a", "4", 7}}).Build();
  map_.Put("a", Offset(103));
  map_.Put("b", Offset(500));
  const std::vector<SeenRecord> before = RecordsOf(batch.view());
  const std::string cleaned = Clean(batch.view(), Outcome::kRewritten);
  EXPECT_THAT(RecordsOf(cleaned), ElementsAre(before[2], before[3]));
  ExpectSameHeader(cleaned, batch.view());
  const RecordBatchView header(cleaned.data());
  EXPECT_EQ(header.codec_bits(), static_cast<uint8_t>(GetParam()));
  EXPECT_EQ(header.base_timestamp_ms(), 1'000'000);
  EXPECT_EQ(header.max_timestamp_ms(), 1'000'007);
}

TEST_P(BatchCleanerTest, LeavesABatchAloneOfWhichNothingGoes) {
  const Bytes batch = Batch({{"a", "1"}, {"b", "2"}}).Build();
  map_.Put("a", Offset(100));
  Clean(batch.view(), Outcome::kAsItWas);
}

TEST_P(BatchCleanerTest, LeavesTheHeaderOfABatchThatLosesAllRecords) {
  const Bytes batch = Batch({{"a", "1"}, {"b", "2"}}).Build();
  map_.Put("a", Offset(900));
  map_.Put("b", Offset(901));
  const std::string cleaned = Clean(batch.view(), Outcome::kEmpty);
  EXPECT_EQ(cleaned.size(), RecordBatchView::kHeaderBytes);
  EXPECT_THAT(RecordsOf(cleaned), ElementsAre());
  ExpectSameHeader(cleaned, batch.view());
  EXPECT_EQ(RecordBatchView(cleaned.data()).codec_bits(), 0);
  EXPECT_EQ(Clean(cleaned, Outcome::kEmpty), cleaned);
}

TEST_P(BatchCleanerTest, ATombstoneWaitsUntilItsDeleteHorizon) {
  const Bytes batch = Batch({{"a", std::nullopt, 3}, {"b", "2", 9}}).Build();
  const std::vector<SeenRecord> before = RecordsOf(batch.view());
  map_.Put("a", Offset(100));
  // The first pass writes the horizon; readers see the same records.
  const std::string waits = Clean(batch.view(), Outcome::kRewritten);
  EXPECT_EQ(RecordsOf(waits), before);
  ExpectSameHeader(waits, batch.view());
  const RecordBatchView header(waits.data());
  EXPECT_EQ(header.attributes() & kDeleteHorizonBit, kDeleteHorizonBit);
  EXPECT_EQ(header.base_timestamp_ms(), kNowMs + kRetentionMs);
  EXPECT_EQ(header.max_timestamp_ms(), 1'000'009);
  EXPECT_EQ(tombstones_until_ms_, kNowMs + kRetentionMs);
  // A later one leaves it, until the horizon has come.
  Clean(waits, Outcome::kAsItWas, kNowMs + kRetentionMs - 1);
  EXPECT_EQ(tombstones_until_ms_, kNowMs + kRetentionMs);
  const std::string gone = Clean(waits, Outcome::kRewritten, kNowMs + kRetentionMs);
  EXPECT_THAT(RecordsOf(gone), ElementsAre(before[1]));
  EXPECT_EQ(tombstones_until_ms_, -1);
}

TEST_P(BatchCleanerTest, ATombstoneThatWasReplacedGoesAtOnce) {
  const Bytes batch = Batch({{"a", std::nullopt}, {"b", "2"}}).Build();
  map_.Put("a", Offset(500));
  EXPECT_THAT(RecordsOf(Clean(batch.view(), Outcome::kRewritten)).size(), 1U);
}

TEST_P(BatchCleanerTest, LeavesWhatTheMapDoesNotSpeakOf) {
  const Bytes batch = Batch({{"a", "1"}, {"a", "2"}, {"a", std::nullopt}}).Build();
  map_.Put("a", Offset(101));
  // The map ends behind the second record: the third one is not known to be the last.
  const std::string cleaned = Clean(batch.view(), Outcome::kRewritten, kNowMs, Offset(102));
  EXPECT_EQ(RecordsOf(cleaned).size(), 2U);
  EXPECT_EQ(RecordBatchView(cleaned.data()).attributes() & kDeleteHorizonBit, 0);
  Clean(batch.view(), Outcome::kAsItWas, kNowMs, Offset(100));
}

TEST_P(BatchCleanerTest, RecordsWithoutAKeyGo) {
  const Bytes batch = Batch({{std::nullopt, "1"}, {"b", "2"}}).Build();
  EXPECT_EQ(RecordsOf(Clean(batch.view(), Outcome::kRewritten)).size(), 1U);
}

TEST_P(BatchCleanerTest, KeysAreNotedUpToWhereTheMapIsFull) {
  const Bytes batch = Batch({{"a", "1"}, {"b", "2"}, {"c", "3"}}).Build();
  std::string scratch;
  OffsetMap small(24 * 3, 100, {1, 2});
  ASSERT_EQ(small.capacity(), 2U);
  EXPECT_EQ(*NoteKeys(batch.view(), Offset(0), small, scratch), Offset(102));
  OffsetMap rest(24 * 3, 100, {1, 2});
  EXPECT_EQ(*NoteKeys(batch.view(), Offset(102), rest, scratch), Offset(103));
  EXPECT_EQ(rest.size(), 1U);
}

TEST(BatchCleanerBounds, RefusesABatchThatDoesNotAddUp) {
  KeyedBatch records;
  records.records = {{"a", "1"}};
  std::string batch(records.Build().view());
  batch.back() = '\x7f';  // The length of the last header's value.
  batch[batch.size() - 12] = '\x7f';
  const OffsetMap map(1 << 16, 1000, {1, 2});
  const CleaningRules rules{map, Offset(1000), kNowMs, kRetentionMs};
  BatchCleaner cleaner(rules);
  EXPECT_EQ(ErrcOf(cleaner.Clean(batch).status()), Errc::kCorruptRecord);
}

INSTANTIATE_TEST_SUITE_P(Codecs, BatchCleanerTest,
                         ::testing::Values(Compression::kNone, Compression::kGzip,
                                           Compression::kSnappy, Compression::kLz4,
                                           Compression::kZstd));

}  // namespace
}  // namespace garam::storage
