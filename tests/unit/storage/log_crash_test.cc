// One log, one seed: random writes, cuts, rolls, commits and restarts, with the machine or the
// process dying at any call. After every restart nothing that was acknowledged is missing.
#include <cerrno>
#include <map>

#include "common/testing/seeds.h"
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

class LogCrashTest : public LogFixture {
 protected:
  // What Write was given, after each seq: the entries that the log should hold.
  using State = std::vector<LogEntry>;

  void RunSeed(uint64_t seed) {
    SeededRandom random(seed);
    random_ = &random;
    options_.flush_messages = random.Below(2) == 0 ? 1 : 1 + static_cast<int64_t>(random.Below(20));
    options_.flush_ms = 50;
    options_.index_interval_bytes = 100 + static_cast<int32_t>(random.Below(1000));
    options_.inline_dirty_bytes_max = random.Below(2) == 0 ? 300 : 1 << 20;
    for (int life = 0; life < 4; ++life) {
      Open();
      if (HasFatalFailure()) return;
      CheckRecovered();
      if (HasFatalFailure()) return;
      Live();
      Die();
    }
    Open();
    if (HasFatalFailure()) return;
    CheckRecovered();
  }

  void CheckRecovered() {
    State found = ReadAllEntries();
    if (HasFatalFailure()) return;
    // What was durable at the last acknowledgement and was not cut since must be there.
    ASSERT_GE(found.size(), promised_.size());
    for (size_t i = 0; i < found.size(); ++i) {
      if (i < promised_.size()) {
        ASSERT_TRUE(Same(found[i], promised_[i])) << "entry " << i + 1;
      }
      ASSERT_TRUE(WasWritten(found[i])) << "entry " << i + 1;
    }
    ASSERT_EQ(log_->durable_index(), LogIndex(static_cast<int64_t>(found.size())));
    states_.clear();
    current_ = std::move(found);
    promised_ = current_;
    PlanFromEnd();
    if (!current_.empty()) term_ = std::max(term_, current_.back().term);
  }

  State ReadAllEntries() {
    State all;
    const LogIndex last = log_->last_index();
    for (LogIndex at(1); at <= last;) {
      auto entries = TryReadEntries(at, last, 500);
      EXPECT_TRUE(entries.ok()) << entries.status();
      if (!entries.ok() || entries->empty()) break;
      for (LogEntry& entry : *entries) {
        // The file that these bytes were read from goes with the process.
        entry.bytes = Bytes::Copy(entry.bytes.view());
        at = entry.index + 1;
        all.push_back(std::move(entry));
      }
    }
    EXPECT_EQ(all.size(), static_cast<size_t>(last.value()));
    return all;
  }

  static bool Same(const LogEntry& a, const LogEntry& b) {
    return a.index == b.index && a.term == b.term && a.kind == b.kind &&
           a.bytes.view() == b.bytes.view();
  }
  bool WasWritten(const LogEntry& entry) const {
    auto [from, to] = ever_.equal_range(entry.index);
    return std::any_of(from, to, [&](const auto& other) { return Same(entry, other.second); });
  }

  void Live() {
    const size_t steps = random_->Below(60);
    calls_left_ = random_->Below(3) == 0 ? static_cast<int64_t>(random_->Below(80)) : 1 << 20;
    fs_.SetFaults(
        [this](FakeFileSystem::Call call, const std::string&) {
          return call != FakeFileSystem::Call::kRead && --calls_left_ < 0 ? EIO : 0;
        },
        random_);
    kv_.SetFaults([this](const KvBatch&, bool) { return --calls_left_ < 0 ? EIO : 0; });
    for (size_t i = 0; i < steps; ++i) Step();
  }

  void Step() {
    switch (random_->Below(10)) {
      case 0:
      case 1:
      case 2:
        WriteSome();
        break;
      case 3:
        if (random_->Below(3) == 0) CutAndWrite();
        break;
      case 4:
        committed_ = std::max(committed_, LogIndex(static_cast<int64_t>(random_->Below(
                                              static_cast<uint64_t>(promised_.size()) + 1))));
        log_->OnCommitted(committed_);
        break;
      case 5:
        home_.RunFor(Millis(random_->Below(1500)));
        break;
      case 6:
      case 7:
        pool_.RunOne();
        break;
      default:
        home_.RunOne();
    }
    NoteAcknowledged();
  }

  void WriteSome(std::optional<LogIndex> truncate_from = {}) {
    std::vector<LogEntry> entries;
    const size_t count = random_->Below(5);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t kind = random_->Below(8);
      if (kind == 0) {
        entries.push_back(Private(EntryKind::kRoll));
      } else if (kind == 1) {
        entries.push_back(Private(EntryKind::kNoop, "noop"));
      } else {
        entries.push_back(Batch(std::string(random_->Below(700), static_cast<char>('a' + kind)),
                                1 + static_cast<int32_t>(random_->Below(3))));
      }
    }
    if (truncate_from) current_.resize(static_cast<size_t>(truncate_from->value() - 1));
    for (const LogEntry& entry : entries) {
      current_.push_back(entry);
      ever_.emplace(entry.index, entry);
    }
    const uint64_t written = Write(entries, truncate_from);
    ASSERT_LE(written, seq_);
    states_.emplace_back(seq_, truncate_from, current_);
    // A promise does not cover what its owner cuts off himself.
    if (truncate_from && promised_.size() >= static_cast<size_t>(truncate_from->value())) {
      promised_.resize(static_cast<size_t>(truncate_from->value() - 1));
    }
  }

  void CutAndWrite() {
    if (current_.empty() || !log_->status().ok()) return;
    const int64_t first = committed_.value() + 1;
    const int64_t room = static_cast<int64_t>(current_.size()) - first + 1;
    if (room <= 0) return;
    const LogIndex from(first + static_cast<int64_t>(random_->Below(static_cast<uint64_t>(room))));
    Offset offset(0);
    for (const LogEntry& entry : current_) {
      if (entry.index >= from) break;
      if (entry.kind == EntryKind::kBatch) {
        offset = RecordBatchView(entry.bytes.data()).next_offset();
      }
    }
    term_ = term_ + 1;
    PlanFrom(from, offset);
    WriteSome(from);
  }

  void NoteAcknowledged() {
    for (size_t i = 0; i < states_.size(); ++i) {
      const auto& [seq, cut, state] = states_[i];
      if (seq > observer_.durable) break;
      if (seq <= noted_) continue;
      noted_ = seq;
      size_t kept = state.size();
      for (size_t later = i + 1; later < states_.size(); ++later) {
        const auto& later_cut = std::get<1>(states_[later]);
        if (later_cut) kept = std::min(kept, static_cast<size_t>(later_cut->value() - 1));
      }
      promised_.assign(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(kept));
    }
    if (log_->status().ok()) {
      ASSERT_EQ(log_->last_index(), LogIndex(static_cast<int64_t>(current_.size())));
      ASSERT_LE(log_->durable_index(), log_->written_index());
      ASSERT_LE(log_->written_index(), log_->last_index());
      // The log's own word is a promise too.
      if (static_cast<size_t>(log_->durable_index().value()) > promised_.size()) {
        promised_.assign(current_.begin(), current_.begin() + log_->durable_index().value());
      }
    }
  }

  void Die() {
    const bool broke = calls_left_ < 0;
    Drop();
    fs_.SetFaults(nullptr);
    kv_.SetFaults(nullptr);
    // After a failed sync the page cache may show what the disk will never have, and no restarted
    // process could tell; here the machine dies with such a process.
    if (!broke && random_->Below(3) == 0) {
      fs_.KillProcess();
      kv_.KillProcess();
      return;
    }
    fs_.Crash(*random_);
    kv_.Crash(random_->Below(kv_.unsynced_batches() + 1));
    if (random_->Below(2) == 0) kv_.FlushIndex();
  }

  Random* random_ = nullptr;
  int64_t calls_left_ = 0;
  State current_;
  State promised_;
  std::vector<std::tuple<uint64_t, std::optional<LogIndex>, State>> states_;
  std::multimap<LogIndex, LogEntry> ever_;
  uint64_t noted_ = 0;
  LogIndex committed_;
};

TEST_F(LogCrashTest, NothingAcknowledgedIsMissingAfterAnyCrash) {
  const uint64_t seeds = SeedsToRun(800);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    LogCrashTest_NothingAcknowledgedIsMissingAfterAnyCrash_Test fresh;
    fresh.RunSeed(seed);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

}  // namespace
}  // namespace garam::storage
