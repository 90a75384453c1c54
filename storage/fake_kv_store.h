// A key-value store in memory that forgets what was not synced and fails on request.
//
// Threads: any (one lock).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/kv_store.h"

namespace garam::storage {

class FakeKvStore final : public KvStore {
 public:
  absl::Status Write(const KvBatch& batch, bool sync) override;
  absl::StatusOr<std::optional<std::string>> Get(KvFamily family, std::string_view key) override;
  absl::StatusOr<std::vector<Row>> Scan(KvFamily family, std::string_view from, std::string_view to,
                                        size_t rows_max) override;

  // Power lost: journaled batches after the last synced one are gone, all but the first `kept` of
  // them; kIndex is what it was at the last FlushIndex.
  void Crash(size_t kept = 0);
  // The process dies and the machine lives: only kIndex goes back.
  void KillProcess();
  // As when RocksDB flushes its memtable by itself.
  void FlushIndex();
  // A lost disk: nothing is left.
  void Wipe();

  // Asked before each write; the answer, when not 0, is the errno it fails with, nothing applied.
  void SetFaults(std::function<int(const KvBatch& batch, bool sync)> plan);
  size_t writes() const;
  size_t synced_writes() const;
  size_t unsynced_batches() const;
  // Every row of a family.
  std::map<std::string, std::string> Rows(KvFamily family) const;

 private:
  static constexpr size_t kFamilies = 3;
  using Image = std::array<std::map<std::string, std::string>, kFamilies>;

  static void Apply(const KvBatch& batch, Image& image);

  mutable std::mutex mutex_;  // Guards everything below.
  Image seen_;
  Image durable_;
  std::vector<KvBatch> unsynced_;
  std::function<int(const KvBatch&, bool)> faults_;
  absl::Status dead_;
  size_t writes_ = 0;
  size_t synced_writes_ = 0;
};

}  // namespace garam::storage
