#include "tests/fuzz/log_harness.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crc32c.h"
#include "common/logging.h"
#include "common/record_batch.h"

namespace garam::fuzz {
namespace {

using storage::FileSystem;

constexpr char kRoot[] = "data";
constexpr char kDir[] = "data/topic-0.7";
constexpr size_t kReadBytesMax = size_t{1} << 20;

void AppendEntry(const LogEntry& entry, std::string& text) {
  absl::StrAppend(&text, entry.index.value(), " ", entry.term.value(), " ",
                  static_cast<int>(entry.kind), " ",
                  absl::string_view(entry.bytes.data(), entry.bytes.size()), "\n");
}

}  // namespace

LogHarness::LogHarness() {
  SetLogLevel(LogLevel::kOff);
  for (const char* folder : {kRoot, kDir}) {
    (void)fs_.MakeDirectory(folder);
    (void)fs_.SyncDirectory("");
    (void)fs_.SyncDirectory(kRoot);
  }
}

absl::Status LogHarness::Open() {
  Drop();
  const storage::LogIdentity identity{kGroup, "topic", 0, TopicId{{1, 2, 3}}};
  auto log = storage::Log::Open({fs_, kv, pool_, home_, clock}, identity, kDir, options, *this);
  if (log.ok()) log_ = *std::move(log);
  return log.status();
}

void LogHarness::Drop() {
  pool_.Drop();
  home_.Drop();
  log_.reset();
}

void LogHarness::KillProcess() {
  Drop();
  fs_.KillProcess();
  kv.KillProcess();
}

void LogHarness::CutPower() {
  Drop();
  fs_.Crash();
  kv.Crash();
}

void LogHarness::Write(std::vector<LogEntry> entries) {
  log_->Write({++seq_, std::nullopt, std::move(entries)});
  Settle();
}

void LogHarness::SyncRows() { (void)kv.Write(storage::KvBatch(), /*sync=*/true); }

void LogHarness::PutFile(const std::string& name, std::string content) {
  const std::string path = absl::StrCat(kDir, "/", name);
  (void)fs_.Open(path, FileSystem::Mode::kCreate);
  (void)fs_.SyncDirectory(kDir);
  fs_.SetContent(path, std::move(content));
}

void LogHarness::RemoveFile(const std::string& name) {
  (void)fs_.Remove(absl::StrCat(kDir, "/", name));
  (void)fs_.SyncDirectory(kDir);
}

void LogHarness::PutRow(storage::KvFamily family, std::string_view key, std::string_view value) {
  storage::KvBatch batch;
  batch.Put(family, std::string(key), std::string(value));
  (void)kv.Write(batch, /*sync=*/family != storage::KvFamily::kIndex);
  kv.FlushIndex();
}

std::map<std::string, std::string> LogHarness::Segments() {
  std::map<std::string, std::string> segments;
  const auto names = fs_.List(kDir);
  for (const std::string& name : *names) {
    if (name.ends_with(".log")) segments[name] = fs_.Content(absl::StrCat(kDir, "/", name));
  }
  return segments;
}

std::optional<storage::DurableMark> LogHarness::Mark() {
  auto mark = storage::LogRows(kv, kGroup).LoadMark();
  return mark.ok() ? *mark : std::nullopt;
}

absl::StatusOr<std::vector<LogEntry>> LogHarness::ReadEntries(LogIndex from, LogIndex last) {
  absl::StatusOr<std::vector<LogEntry>> result = absl::InternalError("never answered");
  log_->ReadEntries(from, last, kReadBytesMax,
                    [&result](absl::StatusOr<std::vector<LogEntry>> r) { result = std::move(r); });
  Settle();
  return result;
}

absl::StatusOr<std::vector<Bytes>> LogHarness::Read(Offset from) {
  absl::StatusOr<std::vector<Bytes>> result = absl::InternalError("never answered");
  log_->Read(from, log_->written_offset(), kReadBytesMax,
             [&result](absl::StatusOr<std::vector<Bytes>> r) { result = std::move(r); });
  Settle();
  return result;
}

void LogHarness::AskByTime(int64_t timestamp_ms) {
  const auto ignore = [](const absl::StatusOr<std::optional<Bytes>>&) {};
  log_->FindBatchByTimestamp(timestamp_ms, log_->start_offset(), log_->written_offset(), ignore);
  log_->FindMaxTimestampBatch(log_->written_offset(), ignore);
  Settle();
  (void)log_->EstimateBytes(log_->start_offset(), log_->written_offset());
}

std::string LogHarness::Describe() {
  std::string text = absl::StrCat(log_->first_index().value(), " ", log_->last_index().value(), " ",
                                  log_->next_offset().value(), " ", log_->start_offset().value(),
                                  " ", log_->durable_index().value(), "\n");
  for (const TermRow& row : log_->terms().rows()) {
    absl::StrAppend(&text, row.term.value(), " ", row.first_index.value(), " ",
                    row.first_offset.value(), "\n");
  }
  for (const ConfigurationRow& row : log_->configurations()) {
    absl::StrAppend(&text, row.index.value(), " ", row.payload, "\n");
  }
  for (LogIndex next = log_->first_index(); next <= log_->last_index();) {
    const auto entries = ReadEntries(next, log_->last_index());
    if (!entries.ok()) {
      absl::StrAppend(&text, entries.status().ToString(), "\n");
      break;
    }
    if (entries->empty()) break;
    for (const LogEntry& entry : *entries) AppendEntry(entry, text);
    next = entries->back().index + 1;
  }
  return text;
}

Bytes MakeLogBatch(Offset base, Term term, int32_t records, std::string_view payload) {
  std::string batch(RecordBatchView::kHeaderBytes, '\0');
  batch += payload;
  char* const at = batch.data();
  StoreBigEndian<int32_t>(at + 8,
                          static_cast<int32_t>(batch.size() - RecordBatchView::kLengthPrefixBytes));
  at[16] = RecordBatchView::kMagic;
  StoreBigEndian<int32_t>(at + 23, records - 1);
  StoreBigEndian<int64_t>(at + 27, 1000);
  StoreBigEndian<int64_t>(at + 35, 1000 + base.value());
  StoreBigEndian<int64_t>(at + 43, -1);
  StoreBigEndian<int16_t>(at + 51, -1);
  StoreBigEndian<int32_t>(at + 53, -1);
  StoreBigEndian<int32_t>(at + 57, records);
  StoreBigEndian<uint32_t>(at + 17,
                           Crc32c(std::string_view(batch).substr(RecordBatchView::kCrcStart)));
  PatchRecordBatch(at, base, term);
  return Bytes::Take(std::move(batch));
}

}  // namespace garam::fuzz
