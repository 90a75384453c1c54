// A ProducerState held against a model of it, over random runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/producer_state.h"
#include "common/random.h"
#include "common/status.h"
#include "common/testing/seeds.h"
#include "tests/unit/broker/producer_batches.h"

namespace garam {
namespace {

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

}  // namespace
}  // namespace garam
