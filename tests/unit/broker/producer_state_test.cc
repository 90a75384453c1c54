#include "broker/producer_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/byte_codec.h"
#include "common/crc32c.h"
#include "common/random.h"
#include "common/status.h"
#include "common/testing/seeds.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Original = ProducerState::Original;

constexpr int32_t kLastSequence = INT32_MAX;

// A batch of `count` records; the base offset is ten times the index it is meant for.
ProducerBatch Batch(int64_t id, int16_t epoch, int32_t sequence, int32_t count = 1,
                    int64_t index = 0) {
  return {id, epoch, sequence, count - 1, Offset(index * 10), 1000 + index};
}

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

// The same rules in their plainest form: keeps the log, and goes through all of it each time.
class Reference {
 public:
  struct Entry {
    int64_t index;
    std::optional<ProducerBatch> batch;
    int64_t expire_before = 0;
  };
  struct Kept {
    int64_t index;
    ProducerBatch batch;
    int64_t last_sequence() const {
      return (int64_t{batch.base_sequence} + batch.last_offset_delta) % (int64_t{1} << 31);
    }
  };
  using Producers = std::map<int64_t, std::vector<Kept>>;

  explicit Reference(size_t producers_max) : producers_max_(producers_max) {}

  std::vector<Entry>& log() { return log_; }

  Producers Replay() const {
    Producers producers;
    for (const Entry& entry : log_) {
      if (entry.batch) {
        Take(entry.index, *entry.batch, producers);
      } else {
        std::erase_if(producers, [&](const auto& producer) {
          return producer.second.back().index < entry.expire_before;
        });
      }
    }
    return producers;
  }

  static std::string Check(const Producers& producers, const ProducerBatch& batch) {
    const auto found = producers.find(batch.producer_id);
    if (found == producers.end()) return "new";
    const Kept& last = found->second.back();
    if (batch.epoch < last.batch.epoch) return "InvalidProducerEpoch";
    if (batch.epoch > last.batch.epoch)
      return batch.base_sequence == 0 ? "new" : "OutOfOrderSequence";
    for (const Kept& kept : found->second) {
      if (kept.batch.base_sequence == batch.base_sequence &&
          kept.batch.last_offset_delta == batch.last_offset_delta) {
        return "duplicate of " + std::to_string(kept.index) + " at " +
               std::to_string(kept.batch.base_offset.value());
      }
    }
    const int64_t next = (last.last_sequence() + 1) % (int64_t{1} << 31);
    return batch.base_sequence == next ? "new" : "OutOfOrderSequence";
  }

 private:
  void Take(int64_t index, const ProducerBatch& batch, Producers& producers) const {
    if (!batch.idempotent()) return;
    if (!producers.contains(batch.producer_id) && producers.size() == producers_max_) {
      producers.erase(
          std::min_element(producers.begin(), producers.end(), [](const auto& a, const auto& b) {
            return a.second.back().index < b.second.back().index;
          }));
    }
    std::vector<Kept>& kept = producers[batch.producer_id];
    if (!kept.empty() && kept.back().batch.epoch != batch.epoch) kept.clear();
    kept.push_back({index, batch});
    if (kept.size() > 5) kept.erase(kept.begin());
  }

  const size_t producers_max_;
  std::vector<Entry> log_;
};

// Does the same things to a ProducerState and to the reference, and compares them after each.
class Comparison {
 public:
  static constexpr ProducerLimits kLimits{.producers_max = 5, .undo_max = 12};

  explicit Comparison(uint64_t seed) : random_(seed) {}

  void Step() {
    const uint64_t what = random_.Below(100);
    if (what < 60) {
      Produce();
    } else if (what < 70) {
      Propose();
    } else if (what < 78) {
      Expire();
    } else if (what < 88) {
      Truncate();
    } else if (what < 95) {
      commit_ = std::max(commit_, last_ - static_cast<int64_t>(random_.Below(12)));
      state_.Committed(LogIndex(commit_));
    } else {
      Restore();
    }
    Compare();
  }

  int rebuilt() const { return rebuilt_; }

 private:
  ProducerBatch AnyBatch() {
    ProducerBatch batch =
        Batch(static_cast<int64_t>(random_.Below(8)), 0, 0, 1 + random_.Below(4), last_ + 1);
    const Reference::Producers producers = reference_.Replay();
    const auto known = producers.find(batch.producer_id);
    if (known == producers.end()) {
      // Near the wrap as often as not.
      if (random_.Below(2) == 0) batch.base_sequence = kLastSequence - random_.Below(6);
      return batch;
    }
    const Reference::Kept& last = known->second.back();
    batch.epoch = last.batch.epoch;
    batch.base_sequence = static_cast<int32_t>((last.last_sequence() + 1) % (int64_t{1} << 31));
    switch (random_.Below(10)) {
      case 0:
        ++batch.epoch;
        if (random_.Below(4) != 0) batch.base_sequence = 0;
        break;
      case 1:
        if (batch.epoch > 0) --batch.epoch;
        break;
      case 2:
        batch.base_sequence = static_cast<int32_t>(random_.Below(8));
        break;
      case 3:
      case 4: {
        const Reference::Kept& other = known->second[random_.Below(known->second.size())];
        batch.base_sequence = other.batch.base_sequence;
        batch.last_offset_delta = other.batch.last_offset_delta;
        break;
      }
      default:
        break;
    }
    return batch;
  }

  void Produce() {
    const ProducerBatch batch = AnyBatch();
    const std::string verdict = Reference::Check(reference_.Replay(), batch);
    EXPECT_EQ(Check(batch), verdict);
    // Now and then the log has what a leader would have refused.
    if (verdict != "new" && random_.Below(4) != 0) return;
    last_ += 1 + static_cast<int64_t>(random_.Below(2));
    ProducerBatch placed = batch;
    placed.base_offset = Offset(last_ * 10);
    state_.Apply(LogIndex(last_), placed);
    reference_.log().push_back({last_, placed});
  }

  // What is proposed in a turn, of which the log gets the beginning, and then other things.
  void Propose() {
    std::vector<Reference::Entry> entries;
    int64_t index = last_;
    for (uint64_t left = 1 + random_.Below(4); left > 0; --left) {
      ProducerBatch batch = AnyBatch();
      index += 1 + static_cast<int64_t>(random_.Below(2));
      batch.base_offset = Offset(index * 10);
      state_.Apply(LogIndex(index), batch);
      entries.push_back({index, batch});
    }
    for (auto entry = entries.begin() + random_.Below(entries.size()); entry != entries.end();
         ++entry) {
      if (random_.Below(2) == 0) continue;
      if (random_.Below(2) == 0) {
        entry->expire_before = last_;
        entry->batch.reset();
      } else if (random_.Below(2) == 0) {
        ++entry->batch->timestamp_ms;
      } else {
        entry->batch->producer_id = random_.Below(2) == 0 ? -1 : 9;
      }
    }
    entries.resize(1 + random_.Below(entries.size()));
    for (const Reference::Entry& entry : entries) Append(entry);
    if (!state_.TruncateTo(LogIndex(last_ + 1))) Rebuild();
  }

  // As whoever keeps a state equal to a log does.
  void Append(const Reference::Entry& entry) {
    reference_.log().push_back(entry);
    last_ = entry.index;
    const LogIndex index(entry.index);
    if (entry.batch && state_.Has(index, *entry.batch)) return;
    if (!state_.TruncateTo(index)) return Rebuild();
    if (entry.batch) {
      state_.Apply(index, *entry.batch);
    } else {
      state_.Expire(index, LogIndex(entry.expire_before));
    }
  }

  void Expire() {
    const auto before = static_cast<int64_t>(random_.Below(last_ + 2));
    ++last_;
    state_.Expire(LogIndex(last_), LogIndex(before));
    reference_.log().push_back({last_, std::nullopt, before});
  }

  void Truncate() {
    const int64_t from = std::max(commit_ + 1, last_ - static_cast<int64_t>(random_.Below(20)));
    std::erase_if(reference_.log(), [from](const auto& entry) { return entry.index >= from; });
    last_ = std::min(last_, from - 1);
    if (!state_.TruncateTo(LogIndex(from))) Rebuild();
  }

  void Rebuild() {
    ++rebuilt_;
    state_ = Replayed();
  }

  void Restore() {
    auto restored = ProducerState::DecodeSnapshot(state_.EncodeSnapshot(LogIndex(last_)), kLimits);
    ASSERT_TRUE(restored.ok()) << restored.status();
    state_ = *std::move(restored);
  }

  ProducerState Replayed(int64_t through = INT64_MAX) {
    ProducerState state(kLimits);
    for (const Reference::Entry& entry : reference_.log()) {
      if (entry.index > through) break;
      if (entry.batch) {
        state.Apply(LogIndex(entry.index), *entry.batch);
      } else {
        state.Expire(LogIndex(entry.index), LogIndex(entry.expire_before));
      }
    }
    return state;
  }

  std::string Check(const ProducerBatch& batch) const {
    const auto verdict = state_.Check(batch);
    if (!verdict.ok()) return std::string(ErrcName(ErrcOf(verdict.status())));
    if (!*verdict) return "new";
    return "duplicate of " + std::to_string((*verdict)->index.value()) + " at " +
           std::to_string((*verdict)->base_offset.value());
  }

  void Compare() {
    const Reference::Producers producers = reference_.Replay();
    EXPECT_EQ(state_.size(), producers.size());
    state_.ForEach([&](const ProducerState::Producer& producer) {
      ASSERT_TRUE(producers.contains(producer.id)) << producer.id;
      const Reference::Kept& last = producers.at(producer.id).back();
      EXPECT_EQ(producer.epoch, last.batch.epoch);
      EXPECT_EQ(producer.last_sequence, last.last_sequence());
      EXPECT_EQ(producer.last_index, LogIndex(last.index));
      EXPECT_EQ(producer.last_timestamp_ms, last.batch.timestamp_ms);
    });
    for (const auto& [id, kept] : producers) {
      for (const Reference::Kept& each : kept) {
        EXPECT_EQ(Check(each.batch), Reference::Check(producers, each.batch)) << "producer " << id;
      }
    }
    EXPECT_EQ(state_.EncodeSnapshot(LogIndex(last_)), Replayed().EncodeSnapshot(LogIndex(last_)));
    const int64_t through = commit_ + static_cast<int64_t>(random_.Below(last_ - commit_ + 1));
    if (const std::optional<ProducerState> before = state_.AsOf(LogIndex(through))) {
      EXPECT_EQ(before->EncodeSnapshot(LogIndex(through)),
                Replayed(through).EncodeSnapshot(LogIndex(through)));
    }
  }

  SeededRandom random_;
  ProducerState state_{kLimits};
  Reference reference_{kLimits.producers_max};
  int64_t last_ = 0;  // The index of the log's end.
  int64_t commit_ = 0;
  int rebuilt_ = 0;
};

TEST(ProducerStateModelTest, AgreesWithAReplayOfTheWholeLog) {
  int rebuilt = 0;
  const uint64_t seeds = SeedsToRun(300);
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Comparison comparison(seed);
    for (int step = 0; step < 200; ++step) comparison.Step();
    rebuilt += comparison.rebuilt();
  }
  EXPECT_GT(rebuilt, 0) << "some truncations go further back than the undo";
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
