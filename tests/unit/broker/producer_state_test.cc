#include "broker/producer_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/byte_codec.h"
#include "common/crc32c.h"
#include "common/random.h"
#include "common/status.h"
#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/broker/producer_batches.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Original = ProducerState::Original;

std::vector<int64_t> Ids(const ProducerState& state) {
  std::vector<int64_t> ids;
  state.ForEach([&](const ProducerState::Producer& producer) { ids.push_back(producer.id); });
  return ids;
}

class ProducerStateTest : public ::testing::Test {
 protected:
  void Apply(int64_t index, int64_t id, int16_t epoch, int32_t sequence, int32_t count = 1) {
    state_.Apply(LogIndex(index), Batch(id, epoch, sequence, count, index));
  }
  // "new", the index of the original, or the error.
  std::string Check(int64_t id, int16_t epoch, int32_t sequence, int32_t count = 1) {
    const auto verdict = state_.Check(Batch(id, epoch, sequence, count));
    if (!verdict.ok()) return std::string(ErrcName(ErrcOf(verdict.status())));
    return *verdict ? std::to_string((*verdict)->index.value()) : "new";
  }
  bool TruncateTo(int64_t from) { return state_.TruncateTo(LogIndex(from)); }
  std::string Snapshot(int64_t through = 1000) { return state_.EncodeSnapshot(LogIndex(through)); }

  ProducerState state_{ProducerLimits{.producers_max = 3, .undo_max = 100}};
};

TEST_F(ProducerStateTest, TheFirstBatchOfAProducerMayHaveAnySequence) {
  EXPECT_EQ(Check(7, 3, 12345), "new");
}

TEST_F(ProducerStateTest, ABatchWithoutAProducerIsNew) {
  Apply(1, -1, -1, -1);
  EXPECT_EQ(Check(-1, -1, -1), "new");
  EXPECT_EQ(state_.size(), 0U);
}

TEST_F(ProducerStateTest, AControlBatchLeavesNoTrace) {
  Apply(1, 7, 0, 0);
  Apply(2, 7, 5, -1);
  EXPECT_EQ(Check(7, 0, 1), "new");
}

TEST_F(ProducerStateTest, TheNextSequenceIsNewAndAGapIsOutOfOrder) {
  Apply(1, 7, 0, 10, 5);
  EXPECT_EQ(Check(7, 0, 15), "new");
  EXPECT_EQ(Check(7, 0, 16), "OutOfOrderSequence");
  EXPECT_EQ(Check(7, 0, 9), "OutOfOrderSequence");
}

TEST_F(ProducerStateTest, AnOverlapIsOutOfOrder) {
  Apply(1, 7, 0, 10, 5);
  EXPECT_EQ(Check(7, 0, 10, 4), "OutOfOrderSequence");
  EXPECT_EQ(Check(7, 0, 12, 5), "OutOfOrderSequence");
}

TEST_F(ProducerStateTest, ADuplicateIsToldWhereItsOriginalIs) {
  BatchBuilder builder;
  builder.records.resize(3);
  builder.base_offset = 40;
  builder.producer_id = 7;
  builder.producer_epoch = 2;
  builder.base_sequence = 5;
  const Bytes bytes = builder.Build();
  const ProducerBatch batch = ProducerBatch::Of(RecordBatchView(bytes.data()));
  state_.Apply(LogIndex(9), batch);
  const auto verdict = state_.Check(batch);
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(*verdict, (Original{LogIndex(9), Offset(40), Offset(42), builder.base_timestamp_ms}));
}

TEST_F(ProducerStateTest, TheLastFiveBatchesAreKnownAndNoMore) {
  for (int32_t i = 0; i < 300; ++i) {
    Apply(i + 1, 7, 0, i);
    for (int32_t known = std::max(0, i - 4); known <= i; ++known) {
      EXPECT_EQ(Check(7, 0, known), std::to_string(known + 1));
    }
    EXPECT_EQ(Check(7, 0, std::max(-1, i - 5)), i < 5 ? "new" : "OutOfOrderSequence");
    EXPECT_EQ(Check(7, 0, i + 1), "new");
  }
}

TEST_F(ProducerStateTest, SequencesWrapAround) {
  Apply(1, 7, 0, kLastSequence - 1, 2);
  EXPECT_EQ(Check(7, 0, 0), "new");
  EXPECT_EQ(Check(7, 0, kLastSequence), "OutOfOrderSequence");
  EXPECT_EQ(Check(7, 0, kLastSequence - 1, 2), "1");
  Apply(2, 8, 0, kLastSequence - 1, 4);  // It ends at 1.
  EXPECT_EQ(Check(8, 0, 2), "new");
  EXPECT_EQ(Check(8, 0, 0), "OutOfOrderSequence");
  EXPECT_EQ(Check(8, 0, kLastSequence - 1, 4), "2");
}

TEST_F(ProducerStateTest, AnOlderEpochIsRefusedEvenForADuplicate) {
  Apply(1, 7, 4, 0);
  Apply(2, 7, 5, 0);
  EXPECT_EQ(Check(7, 4, 0), "InvalidProducerEpoch");
  EXPECT_EQ(Check(7, 4, 1), "InvalidProducerEpoch");
}

TEST_F(ProducerStateTest, ANewEpochBeginsAtSequenceZero) {
  Apply(1, 7, 4, 0);
  EXPECT_EQ(Check(7, 5, 1), "OutOfOrderSequence");
  EXPECT_EQ(Check(7, 5, 0), "new");
  Apply(2, 7, 5, 0);
  EXPECT_EQ(Check(7, 5, 1), "new");
  EXPECT_EQ(Check(7, 5, 0), "2");
}

TEST_F(ProducerStateTest, WhatIsInTheLogIsTakenAsItIs) {
  Apply(1, 7, 4, 0);
  Apply(2, 7, 4, 50);
  EXPECT_EQ(Check(7, 4, 51), "new");
  Apply(3, 7, 3, 9);
  EXPECT_EQ(Check(7, 3, 10), "new");
  EXPECT_EQ(Check(7, 3, 9), "3");
}

// A compacted batch has fewer records, and the offsets and sequences that it had before.
TEST_F(ProducerStateTest, TheLastSequenceComesFromOffsetsNotFromTheNumberOfRecords) {
  BatchBuilder builder;
  builder.last_offset_delta = 9;
  builder.producer_id = 7;
  builder.producer_epoch = 0;
  builder.base_sequence = 0;
  const Bytes bytes = builder.Build();
  state_.Apply(LogIndex(1), ProducerBatch::Of(RecordBatchView(bytes.data())));
  EXPECT_EQ(Check(7, 0, 10), "new");
}

TEST_F(ProducerStateTest, AnErrorSaysWhatWasExpected) {
  Apply(1, 7, 4, 0);
  EXPECT_THAT(std::string(state_.Check(Batch(7, 4, 9)).status().message()),
              HasSubstr("sequence 9 of producer 7, epoch 4, is out of order: 1 is the next one"));
  EXPECT_THAT(std::string(state_.Check(Batch(7, 3, 9)).status().message()),
              HasSubstr("producer 7 has epoch 4 by now, 3 is older"));
}

TEST_F(ProducerStateTest, TruncationBringsBackTheBatchThatMadeRoom) {
  for (int32_t i = 0; i < 6; ++i) Apply(i + 1, 7, 0, i);
  EXPECT_EQ(Check(7, 0, 0), "OutOfOrderSequence");
  ASSERT_TRUE(TruncateTo(6));
  for (int32_t i = 0; i < 5; ++i) EXPECT_EQ(Check(7, 0, i), std::to_string(i + 1));
  EXPECT_EQ(Check(7, 0, 5), "new");
}

TEST_F(ProducerStateTest, TruncationBringsBackTheOldEpoch) {
  Apply(1, 7, 0, 0);
  Apply(2, 7, 1, 0);
  ASSERT_TRUE(TruncateTo(2));
  EXPECT_EQ(Check(7, 0, 0), "1");
  EXPECT_EQ(Check(7, 0, 1), "new");
}

TEST_F(ProducerStateTest, TruncationForgetsWhoBeganAboveIt) {
  Apply(4, 7, 0, 0);
  ASSERT_TRUE(TruncateTo(4));
  EXPECT_EQ(state_.size(), 0U);
  EXPECT_EQ(state_.last_index(), LogIndex(3));
  EXPECT_EQ(Check(7, 0, 99), "new");
}

TEST_F(ProducerStateTest, WhatTakesThePlaceOfATruncatedEntryIsTheTruth) {
  Apply(1, 7, 0, 0);
  Apply(2, 7, 0, 1);
  ASSERT_TRUE(TruncateTo(2));
  Apply(2, 7, 0, 1, 3);
  EXPECT_EQ(Check(7, 0, 1), "OutOfOrderSequence");
  EXPECT_EQ(Check(7, 0, 1, 3), "2");
}

TEST_F(ProducerStateTest, KnowsWhatHasBeenAppliedWhere) {
  Apply(1, 7, 0, 0);
  Apply(2, 7, 0, 1);
  Apply(4, 8, 0, 0);
  const auto has = [this](int64_t index, int64_t id, int16_t epoch, int32_t sequence) {
    return state_.Has(LogIndex(index), Batch(id, epoch, sequence, 1, index));
  };
  EXPECT_TRUE(has(1, 7, 0, 0));
  EXPECT_TRUE(has(2, 7, 0, 1));
  EXPECT_TRUE(has(3, -1, -1, -1)) << "it would change nothing";
  EXPECT_FALSE(has(3, 7, 0, 2));
  EXPECT_FALSE(has(4, -1, -1, -1)) << "another one has";
  EXPECT_FALSE(has(4, 8, 1, 0));
  EXPECT_FALSE(has(4, 8, 0, 1));
  EXPECT_FALSE(has(5, -1, -1, -1)) << "it has not come yet";
  state_.Committed(LogIndex(2));
  EXPECT_FALSE(has(2, 7, 0, 1)) << "what is committed is not known any more";
  EXPECT_TRUE(has(4, 8, 0, 0));
}

TEST_F(ProducerStateTest, WhatIsCommittedCannotBeTakenBack) {
  Apply(1, 7, 0, 0);
  Apply(2, 7, 0, 1);
  Apply(3, 7, 0, 2);
  state_.Committed(LogIndex(2));
  const std::string before = Snapshot();
  EXPECT_FALSE(TruncateTo(2));
  EXPECT_EQ(Snapshot(), before) << "a refusal changes nothing";
  EXPECT_TRUE(TruncateTo(3));
  EXPECT_EQ(Check(7, 0, 2), "new");
}

TEST_F(ProducerStateTest, OverTheCapWhoseLastBatchIsOldestIsForgotten) {
  Apply(1, 10, 0, 0);
  Apply(2, 11, 0, 0);
  Apply(3, 12, 0, 0);
  Apply(4, 10, 0, 1);
  Apply(5, 13, 0, 0);
  EXPECT_THAT(Ids(state_), ElementsAre(12, 10, 13));
  ASSERT_TRUE(TruncateTo(5));
  EXPECT_THAT(Ids(state_), ElementsAre(11, 12, 10));
  EXPECT_EQ(Check(11, 0, 0), "2");
}

TEST_F(ProducerStateTest, ExpiryForgetsThoseBelowAnIndexAndCanBeTakenBack) {
  Apply(1, 10, 0, 0);
  Apply(2, 11, 0, 0);
  Apply(3, 10, 0, 1);
  EXPECT_EQ(state_.oldest_index(), LogIndex(2));
  state_.Expire(LogIndex(4), LogIndex(3));
  EXPECT_THAT(Ids(state_), ElementsAre(10));
  EXPECT_EQ(Check(11, 0, 77), "new");
  ASSERT_TRUE(TruncateTo(4));
  EXPECT_THAT(Ids(state_), ElementsAre(11, 10));
  EXPECT_EQ(Check(11, 0, 77), "OutOfOrderSequence");
  state_.Expire(LogIndex(4), LogIndex(5));
  EXPECT_EQ(state_.oldest_index(), std::nullopt);
}

TEST_F(ProducerStateTest, UndoIsBounded) {
  for (int32_t i = 0; i < 150; ++i) Apply(i + 1, 7, 0, i);
  EXPECT_FALSE(TruncateTo(50));
  EXPECT_TRUE(TruncateTo(51));
  EXPECT_EQ(Check(7, 0, 50), "new");
}

TEST_F(ProducerStateTest, OneTellsWhoProduces) {
  Apply(1, 10, 4, 6, 3);
  Apply(2, 11, 0, 0);
  std::vector<ProducerState::Producer> all;
  state_.ForEach([&](const ProducerState::Producer& producer) { all.push_back(producer); });
  EXPECT_THAT(all, ElementsAre(ProducerState::Producer{10, 4, 8, 1001, LogIndex(1), Offset(12)},
                               ProducerState::Producer{11, 0, 0, 1002, LogIndex(2), Offset(20)}));
}

TEST_F(ProducerStateTest, ASnapshotBringsEverythingBack) {
  for (int32_t i = 0; i < 7; ++i) Apply(i + 1, 10, 2, i);
  Apply(8, 11, 0, 0);
  auto restored = ProducerState::DecodeSnapshot(Snapshot(20));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->last_index(), LogIndex(20));
  EXPECT_EQ(restored->EncodeSnapshot(LogIndex(20)), Snapshot(20));
  EXPECT_FALSE(restored->TruncateTo(LogIndex(20)));
  restored->Apply(LogIndex(21), Batch(11, 0, 1, 1, 21));
  EXPECT_TRUE(restored->TruncateTo(LogIndex(21)));
  state_ = *std::move(restored);
  EXPECT_EQ(Check(10, 2, 2), "3");
  EXPECT_EQ(Check(10, 2, 1), "OutOfOrderSequence");
  EXPECT_EQ(Check(11, 0, 1), "new");
}

TEST_F(ProducerStateTest, ADamagedSnapshotIsRefused) {
  for (int32_t i = 0; i < 7; ++i) Apply(i + 1, 10, 2, i);
  Apply(8, 11, 0, 0);
  const std::string sound = Snapshot();
  for (size_t size = 0; size < sound.size(); ++size) {
    EXPECT_FALSE(ProducerState::DecodeSnapshot(sound.substr(0, size)).ok()) << size;
  }
  for (size_t at = 0; at < sound.size() * 8; ++at) {
    std::string damaged = sound;
    damaged[at / 8] = static_cast<char>(damaged[at / 8] ^ (1 << at % 8));
    EXPECT_FALSE(ProducerState::DecodeSnapshot(damaged).ok()) << at;
  }
  EXPECT_EQ(ErrcOf(ProducerState::DecodeSnapshot("").status()), Errc::kStorage);
}

// What no bit that flips makes, but somebody who computes the checksum could.
TEST_F(ProducerStateTest, ASnapshotThatCannotBeIsRefused) {
  Apply(1, 10, 2, 0);
  Apply(2, 11, 2, 0);
  Apply(3, 10, 2, 1);
  const std::string sound = Snapshot(3);
  // Behind the head come producer 11 with its batch, and producer 10 with its two.
  const auto with = [&](size_t at, std::string_view bytes) {
    std::string made = sound.substr(0, sound.size() - 4);
    made.replace(at, bytes.size(), bytes);
    ByteWriter(made).Put(Crc32c(made));
    return ErrcOf(ProducerState::DecodeSnapshot(made).status());
  };
  ASSERT_EQ(sound.size(), 13 + 2 * 11 + 3 * 32 + 4U);
  EXPECT_EQ(with(0, "\x02"), Errc::kUnsupportedVersion);
  EXPECT_EQ(with(0, std::string(1, '\0')), Errc::kStorage) << "format";
  EXPECT_EQ(with(1, "\x80"), Errc::kStorage) << "through is below 0";
  EXPECT_EQ(with(8, "\x02"), Errc::kStorage) << "through is below the last batch";
  EXPECT_EQ(with(9, "\xff\xff\xff\xff"), Errc::kStorage) << "count";
  EXPECT_EQ(with(12, "\x01"), Errc::kStorage) << "bytes behind the end";
  EXPECT_EQ(with(13, "\x80"), Errc::kStorage) << "an id below 0";
  EXPECT_EQ(with(20, "\x0a"), Errc::kStorage) << "an id twice";
  EXPECT_EQ(with(23, std::string(1, '\0')), Errc::kStorage) << "no batch";
  EXPECT_EQ(with(23, "\x06"), Errc::kStorage) << "six batches";
  EXPECT_EQ(with(31, "\x03"), Errc::kStorage) << "two at one index";
  EXPECT_EQ(with(32, "\x80"), Errc::kStorage) << "an offset below 0";
  EXPECT_EQ(with(32, "\x7f\xff\xff\xff\xff\xff\xff\xff"), Errc::kStorage) << "the last offset";
  EXPECT_EQ(with(48, "\x80"), Errc::kStorage) << "a sequence below 0";
  EXPECT_EQ(with(52, "\x7f"), Errc::kStorage) << "it begins below offset 0";
  EXPECT_EQ(with(106, "\x09"), Errc::kStorage) << "offsets do not ascend";
  const ProducerLimits one{.producers_max = 1};
  EXPECT_EQ(ErrcOf(ProducerState::DecodeSnapshot(sound, one).status()), Errc::kStorage);
}

TEST_F(ProducerStateTest, WhatDecodesEncodesToTheSameBytes) {
  for (int32_t i = 0; i < 4; ++i) Apply(i + 1, 10 + i % 2, 2, i);
  const std::string sound = Snapshot(4);
  SeededRandom random(1);
  int decoded = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string made = sound.substr(0, sound.size() - 4);
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
      made[random.Below(made.size())] = static_cast<char>(random.Below(256));
    }
    ByteWriter(made).Put(Crc32c(made));
    const auto state = ProducerState::DecodeSnapshot(made);
    if (!state.ok()) continue;
    ++decoded;
    EXPECT_EQ(state->EncodeSnapshot(state->last_index()), made);
  }
  EXPECT_GT(decoded, 0);
}

TEST_F(ProducerStateTest, AHundredThousandProducersFitInAFractionOfTheirShare) {
  ProducerState state;
  int64_t index = 0;
  for (int32_t round = 0; round < 6; ++round) {
    for (int64_t id = 0; id < 100'000; ++id) {
      ++index;
      state.Apply(LogIndex(index), Batch(id, 0, round, 1, index));
    }
  }
  EXPECT_EQ(state.size(), 100'000U);
  EXPECT_LT(state.memory_bytes(), size_t{40} << 20) << "with all the undo there may be";
  state.Committed(LogIndex(index));
  EXPECT_LT(state.memory_bytes(), size_t{32} << 20);
  state.Expire(LogIndex(index + 1), LogIndex(index));
  state.Committed(LogIndex(index + 1));
  EXPECT_LT(state.memory_bytes(), size_t{8} << 20);
}

// What compaction leaves of a log.
TEST_F(ProducerStateTest, TheBatchesThatItNamesMakeTheSameStateAlsoWhenSomeAreTakenBack) {
  const auto made_of = [](const std::vector<LogIndex>& indexes, int64_t before) {
    ProducerState state(ProducerLimits{.producers_max = 3, .undo_max = 100});
    for (LogIndex index : indexes) {
      const int64_t i = index.value();
      if (i < before) state.Apply(index, Batch(i % 3, 0, static_cast<int32_t>(i / 3), 1, i));
    }
    return state.EncodeSnapshot(LogIndex(1000));
  };
  for (int64_t i = 1; i <= 60; ++i) Apply(i, i % 3, 0, static_cast<int32_t>(i / 3));
  state_.Committed(LogIndex(40));
  const std::vector<LogIndex> named = state_.BatchIndexes();
  EXPECT_LT(named.size(), 40U);
  EXPECT_EQ(made_of(named, 61), Snapshot());
  ASSERT_TRUE(TruncateTo(41));
  EXPECT_EQ(made_of(named, 41), Snapshot());
}

}  // namespace
}  // namespace garam
