// A log over the fakes of its seams, as the fuzzers of storage/ fill, open and read it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/testing/fake_executor.h"
#include "storage/fake_file_system.h"
#include "storage/fake_kv_store.h"
#include "storage/log.h"
#include "storage/log_rows.h"

namespace garam::fuzz {

class LogHarness final : private storage::LogObserver {
 public:
  static constexpr GroupId kGroup{7};

  LogHarness();
  ~LogHarness() override { Drop(); }

  // Opens the folder's log; one that was open before is dropped, as when its process is killed.
  absl::Status Open();
  storage::Log& log() { return *log_; }
  void KillProcess();
  void CutPower();
  // Runs all that the log has posted and submitted.
  void Settle() { garam::Settle(home_, pool_); }
  void Write(std::vector<LogEntry> entries);
  // The key-value store's journal reaches the disk, as with every saved vote.
  void SyncRows();

  // Past the log: what lies on the disk.
  void PutFile(const std::string& name, std::string content);
  void RemoveFile(const std::string& name);
  void PutRow(storage::KvFamily family, std::string_view key, std::string_view value);
  // The segments by name.
  std::map<std::string, std::string> Segments();
  // Nothing when there is none, or none that can be read.
  std::optional<storage::DurableMark> Mark();

  absl::StatusOr<std::vector<LogEntry>> ReadEntries(LogIndex from, LogIndex last);
  absl::StatusOr<std::vector<Bytes>> Read(Offset from);
  // What a reader is told when asked by time; errors are for the caller to ignore.
  void AskByTime(int64_t timestamp_ms);
  // All that the log says of itself and its entries up to the first that cannot be read, as text.
  std::string Describe();

  storage::LogOptions options;
  FakeClock clock;
  storage::FakeKvStore kv;

 private:
  void Drop();
  void OnWritten(uint64_t) override {}
  void OnDurable(uint64_t) override {}
  void OnFailed(const absl::Status&) override {}
  void OnDiskFull(const absl::Status&) override {}
  void OnDamaged(const absl::Status&) override {}
  void OnDiskFree() override {}

  storage::FakeFileSystem fs_;
  FakeExecutor home_{clock};
  FakeBlockingPool pool_;
  std::unique_ptr<storage::Log> log_;
  uint64_t seq_ = 0;
};

// A v2 batch that is right in every field of its header; nobody looks into its records.
Bytes MakeLogBatch(Offset base, Term term, int32_t records, std::string_view payload);

}  // namespace garam::fuzz
