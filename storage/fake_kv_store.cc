#include "storage/fake_kv_store.h"

#include <algorithm>

#include "common/status.h"
#include "storage/file_system.h"

namespace garam::storage {
namespace {

constexpr size_t kIndexSlot = static_cast<size_t>(KvFamily::kIndex);

}  // namespace

void FakeKvStore::Apply(const KvBatch& batch, Image& image) {
  for (const KvBatch::Change& change : batch.changes()) {
    auto& rows = image[static_cast<size_t>(change.family)];
    switch (change.kind) {
      case KvBatch::Change::Kind::kPut:
        rows[change.key] = change.value;
        break;
      case KvBatch::Change::Kind::kDelete:
        rows.erase(change.key);
        break;
      case KvBatch::Change::Kind::kDeleteRange:
        rows.erase(rows.lower_bound(change.key), rows.lower_bound(change.value));
        break;
    }
  }
}

absl::Status FakeKvStore::Write(const KvBatch& batch, bool sync) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(dead_);
  if (int fault = faults_ ? faults_(batch, sync) : 0) {
    absl::Status error = IoError(fault, "key-value store");
    if (sync && !IsDiskFull(error)) dead_ = error;
    return error;
  }
  ++writes_;
  Apply(batch, seen_);
  bool index = !batch.empty() && batch.changes().front().family == KvFamily::kIndex;
  if (!index) unsynced_.push_back(batch);
  if (sync) {
    ++synced_writes_;
    for (const KvBatch& written : unsynced_) Apply(written, durable_);
    unsynced_.clear();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> FakeKvStore::Get(KvFamily family, std::string_view key) {
  std::lock_guard lock(mutex_);
  const auto& rows = seen_[static_cast<size_t>(family)];
  auto found = rows.find(std::string(key));
  if (found == rows.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

absl::StatusOr<std::vector<KvStore::Row>> FakeKvStore::Scan(KvFamily family, std::string_view from,
                                                            std::string_view to, size_t rows_max) {
  std::lock_guard lock(mutex_);
  const auto& rows = seen_[static_cast<size_t>(family)];
  std::vector<Row> result;
  for (auto row = rows.lower_bound(std::string(from)); row != rows.end() && row->first < to;
       ++row) {
    if (result.size() == rows_max) break;
    result.push_back(*row);
  }
  return result;
}

void FakeKvStore::Crash(size_t kept) {
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < std::min(kept, unsynced_.size()); ++i) Apply(unsynced_[i], durable_);
  unsynced_.clear();
  seen_ = durable_;
  dead_ = absl::OkStatus();
}

void FakeKvStore::KillProcess() {
  std::lock_guard lock(mutex_);
  seen_[kIndexSlot] = durable_[kIndexSlot];
  dead_ = absl::OkStatus();
}

void FakeKvStore::FlushIndex() {
  std::lock_guard lock(mutex_);
  durable_[kIndexSlot] = seen_[kIndexSlot];
}

void FakeKvStore::Wipe() {
  std::lock_guard lock(mutex_);
  seen_ = {};
  durable_ = {};
  unsynced_.clear();
  dead_ = absl::OkStatus();
}

void FakeKvStore::SetFaults(std::function<int(const KvBatch&, bool)> plan) {
  std::lock_guard lock(mutex_);
  faults_ = std::move(plan);
}

size_t FakeKvStore::writes() const {
  std::lock_guard lock(mutex_);
  return writes_;
}

size_t FakeKvStore::synced_writes() const {
  std::lock_guard lock(mutex_);
  return synced_writes_;
}

size_t FakeKvStore::unsynced_batches() const {
  std::lock_guard lock(mutex_);
  return unsynced_.size();
}

std::map<std::string, std::string> FakeKvStore::Rows(KvFamily family) const {
  std::lock_guard lock(mutex_);
  return seen_[static_cast<size_t>(family)];
}

}  // namespace garam::storage
