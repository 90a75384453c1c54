// What the log's tests share: a log over fakes, its observer, and entries to write.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/crc32c.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "common/testing/fake_executor.h"
#include "storage/fake_file_system.h"
#include "storage/fake_kv_store.h"
#include "storage/log.h"

namespace garam::storage {

// A valid v2 batch of `records` records; its record bytes are `payload`, which nobody decodes here.
inline Bytes MakeBatch(Offset base, Term term, int32_t records, int64_t max_timestamp_ms,
                       std::string_view payload) {
  std::string batch(RecordBatchView::kHeaderBytes, '\0');
  batch.append(payload);
  char* at = batch.data();
  StoreBigEndian<int32_t>(at + 8, static_cast<int32_t>(batch.size() - 12));
  at[16] = RecordBatchView::kMagic;
  StoreBigEndian<int32_t>(at + 23, records - 1);
  StoreBigEndian<int64_t>(at + 27, max_timestamp_ms);
  StoreBigEndian<int64_t>(at + 35, max_timestamp_ms);
  StoreBigEndian<int64_t>(at + 43, -1);
  StoreBigEndian<int16_t>(at + 51, -1);
  StoreBigEndian<int32_t>(at + 53, -1);
  StoreBigEndian<int32_t>(at + 57, records);
  StoreBigEndian<uint32_t>(at + 17, Crc32c(std::string_view(batch).substr(21)));
  PatchRecordBatch(at, base, term);
  return Bytes::Take(std::move(batch));
}

class RecordingObserver final : public LogObserver {
 public:
  void OnWritten(uint64_t seq) override { written = seq; }
  void OnDurable(uint64_t seq) override { durable = seq; }
  void OnFailed(const absl::Status& status) override {
    ++failures;
    failure = status;
  }
  void OnDiskFull(const absl::Status&) override { ++disk_full; }
  void OnDiskFree() override { ++disk_free; }
  void OnDamaged(const absl::Status& status) override {
    ++damages;
    damage = status;
  }

  uint64_t written = 0;
  uint64_t durable = 0;
  int failures = 0;
  int disk_full = 0;
  int disk_free = 0;
  int damages = 0;
  absl::Status failure;
  absl::Status damage;
};

class LogFixture : public ::testing::Test {
 protected:
  static constexpr char kRoot[] = "data";
  static constexpr char kDir[] = "data/topic-0.7";

  LogFixture() {
    EXPECT_TRUE(fs_.MakeDirectory(kRoot).ok());
    EXPECT_TRUE(fs_.SyncDirectory("").ok());
  }
  ~LogFixture() override { Drop(); }

  LogEnv env() { return {fs_, kv_, pool_, home_, clock_}; }

  absl::Status TryOpen() {
    observer_ = RecordingObserver();
    LogIdentity identity{GroupId(7), "topic", 0, TopicId{{1, 2, 3}}};
    absl::StatusOr<std::unique_ptr<Log>> log =
        Log::Open(env(), identity, kDir, options_, observer_);
    if (log.ok()) log_ = *std::move(log);
    return log.status();
  }
  void Open() {
    absl::Status opened = TryOpen();
    ASSERT_TRUE(opened.ok()) << opened;
  }
  // The process is gone, and what it had in flight.
  void Drop() {
    pool_.Drop();
    home_.Drop();
    log_.reset();
  }
  // Power lost.
  void Crash() {
    Drop();
    fs_.Crash();
    kv_.Crash();
  }
  void KillProcess() {
    Drop();
    fs_.KillProcess();
    kv_.KillProcess();
  }
  void Close() {
    bool closed = false;
    log_->Close([&closed] { closed = true; });
    Settle();
    ASSERT_TRUE(closed);
    log_.reset();
  }
  void Settle() { garam::Settle(home_, pool_); }

  LogEntry Batch(std::string_view payload, int32_t records = 1, int64_t timestamp_ms = 1000) {
    LogEntry entry = Next(EntryKind::kBatch);
    entry.bytes = MakeBatch(planned_offset_, term_, records, timestamp_ms, payload);
    planned_offset_ += records;
    return entry;
  }
  LogEntry Private(EntryKind kind, std::string_view payload = {}) {
    LogEntry entry = Next(kind);
    entry.bytes = Bytes::Copy(payload);
    return entry;
  }
  // Entries that are planned, not yet written, follow one another from here.
  void PlanFrom(LogIndex index, Offset offset) {
    planned_index_ = index;
    planned_offset_ = offset;
  }
  void PlanFromEnd() { PlanFrom(log_->last_index() + 1, log_->next_offset()); }

  uint64_t Write(std::vector<LogEntry> entries, std::optional<LogIndex> truncate_from = {}) {
    return log_->Write({++seq_, truncate_from, std::move(entries)});
  }
  // One batch, all the way to the disk.
  void Append(std::string_view payload, int32_t records = 1, int64_t timestamp_ms = 1000) {
    Write({Batch(payload, records, timestamp_ms)});
    Settle();
  }
  void AppendRoll() {
    Write({Private(EntryKind::kRoll)});
    Settle();
  }

  absl::StatusOr<std::vector<Bytes>> TryRead(Offset from, Offset end, size_t bytes_max) {
    std::optional<absl::StatusOr<std::vector<Bytes>>> result;
    log_->Read(from, end, bytes_max,
               [&](absl::StatusOr<std::vector<Bytes>> batches) { result = std::move(batches); });
    Settle();
    EXPECT_TRUE(result.has_value());
    return *std::move(result);
  }
  static std::string PayloadOf(const Bytes& batch) {
    return std::string(batch.view().substr(RecordBatchView::kHeaderBytes));
  }
  // The payloads of all batches from `from` on, read in steps of `bytes_max`.
  std::vector<std::string> Payloads(Offset from, size_t bytes_max = 1 << 20) {
    std::vector<std::string> payloads;
    const Offset end = log_->written_offset();
    while (from < end) {
      auto batches = TryRead(from, end, bytes_max);
      EXPECT_TRUE(batches.ok()) << batches.status();
      if (!batches.ok() || batches->empty()) return payloads;
      for (const Bytes& batch : *batches) {
        payloads.push_back(PayloadOf(batch));
        from = RecordBatchView(batch.data()).next_offset();
      }
    }
    return payloads;
  }
  std::vector<std::string> Payloads() { return Payloads(log_->start_offset()); }
  absl::StatusOr<std::vector<LogEntry>> TryReadEntries(LogIndex from, LogIndex last,
                                                       size_t bytes_max = 1 << 20) {
    std::optional<absl::StatusOr<std::vector<LogEntry>>> result;
    log_->ReadEntries(from, last, bytes_max, [&](absl::StatusOr<std::vector<LogEntry>> entries) {
      result = std::move(entries);
    });
    Settle();
    EXPECT_TRUE(result.has_value());
    return *std::move(result);
  }

  std::vector<std::string> SegmentPaths() {
    std::vector<std::string> paths;
    auto names = fs_.List(kDir);
    for (const std::string& name : *names) {
      if (name.ends_with(".log")) paths.push_back(std::string(kDir) + "/" + name);
    }
    return paths;
  }

  FakeFileSystem fs_;
  FakeKvStore kv_;
  FakeClock clock_;
  FakeExecutor home_{clock_};
  FakeBlockingPool pool_;
  RecordingObserver observer_;
  LogOptions options_;
  std::unique_ptr<Log> log_;
  uint64_t seq_ = 0;
  Term term_{1};
  LogIndex planned_index_{1};
  Offset planned_offset_{0};

 private:
  LogEntry Next(EntryKind kind) {
    LogEntry entry;
    entry.index = planned_index_;
    entry.term = term_;
    entry.kind = kind;
    planned_index_ += 1;
    return entry;
  }
};

}  // namespace garam::storage
