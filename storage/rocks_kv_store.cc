#include "storage/rocks_kv_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <array>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/base/dynamic_annotations.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr size_t kBlockCacheBytes = 4 << 20;
constexpr size_t kMemtableBytes = 2 << 20;
constexpr size_t kAllMemtablesBytes = 8 << 20;
constexpr size_t kJournalBytesMax = 16 << 20;

// RocksDB is not built for ThreadSanitizer: what its own locks order looks like races between our
// threads, as when one of them writes the batches of several. While one of these lives, the
// sanitizer sees the thread's locks, but not what it reads and writes.
class InRocksDb {
 public:
  InRocksDb() { ABSL_ANNOTATE_IGNORE_READS_AND_WRITES_BEGIN(); }
  ~InRocksDb() { ABSL_ANNOTATE_IGNORE_READS_AND_WRITES_END(); }
  InRocksDb(const InRocksDb&) = delete;
  InRocksDb& operator=(const InRocksDb&) = delete;
};

rocksdb::Slice SliceOf(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Translate(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::StatusCode code =
      status.IsNoSpace() ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kDataLoss;
  return MakeError(Errc::kStorage, code, absl::StrCat("key-value store: ", status.ToString()));
}

class RocksKvStore final : public KvStore {
 public:
  static constexpr size_t kFamilies = 3;

  RocksKvStore(std::unique_ptr<rocksdb::DB> db,
               std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families)
      : db_(std::move(db)), families_(families) {}

  ~RocksKvStore() override {
    InRocksDb inside;
    // The index is not journaled: keep it over a clean stop.
    rocksdb::FlushOptions flush;
    rocksdb::Status flushed = db_->Flush(flush, Handle(KvFamily::kIndex));
    flushed.PermitUncheckedError();  // It would be rebuilt.
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    }
  }

  absl::Status Write(const KvBatch& batch, bool sync) override {
    InRocksDb inside;
    rocksdb::WriteBatch changes;
    bool journaled = true;
    for (const KvBatch::Change& change : batch.changes()) {
      if (change.family == KvFamily::kIndex) journaled = false;
      RETURN_IF_ERROR(Translate(Add(change, changes)));
    }
    RETURN_IF_ERROR(Recover());
    rocksdb::WriteOptions options;
    options.sync = sync && journaled;
    options.disableWAL = !journaled;
    absl::Status status = Translate(db_->Write(options, &changes));
    if (!status.ok()) NoteError(status, sync);
    return status;
  }

  absl::StatusOr<std::optional<std::string>> Get(KvFamily family, std::string_view key) override {
    InRocksDb inside;
    std::string value;
    rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Handle(family), SliceOf(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    RETURN_IF_ERROR(Translate(status));
    return std::optional<std::string>(std::move(value));
  }

  absl::StatusOr<std::vector<Row>> Scan(KvFamily family, std::string_view from, std::string_view to,
                                        size_t rows_max) override {
    InRocksDb inside;
    rocksdb::ReadOptions options;
    const rocksdb::Slice end = SliceOf(to);
    options.iterate_upper_bound = &end;
    std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options, Handle(family)));
    std::vector<Row> rows;
    for (row->Seek(SliceOf(from)); row->Valid() && rows.size() < rows_max; row->Next()) {
      rows.emplace_back(row->key().ToString(), row->value().ToString());
    }
    RETURN_IF_ERROR(Translate(row->status()));
    return rows;
  }

 private:
  rocksdb::ColumnFamilyHandle* Handle(KvFamily family) const {
    return families_[static_cast<size_t>(family)];
  }

  // After a full disk RocksDB refuses writes until it is told to look again.
  absl::Status Recover() {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(dead_);
    if (!disk_was_full_) return absl::OkStatus();
    RETURN_IF_ERROR(Translate(db_->Resume()));
    disk_was_full_ = false;
    return absl::OkStatus();
  }

  void NoteError(const absl::Status& status, bool sync) {
    std::lock_guard lock(mutex_);
    if (status.code() == absl::StatusCode::kResourceExhausted) {
      disk_was_full_ = true;
    } else if (sync) {
      // The journal's tail is unknown now; a second sync could lie.
      dead_ = status;
    }
  }

  rocksdb::Status Add(const KvBatch::Change& change, rocksdb::WriteBatch& changes) const {
    switch (change.kind) {
      case KvBatch::Change::Kind::kPut:
        return changes.Put(Handle(change.family), change.key, change.value);
      case KvBatch::Change::Kind::kDelete:
        return changes.Delete(Handle(change.family), change.key);
      case KvBatch::Change::Kind::kDeleteRange:
        return changes.DeleteRange(Handle(change.family), change.key, change.value);
    }
    return rocksdb::Status::InvalidArgument("unknown kind of change");
  }

  const std::unique_ptr<rocksdb::DB> db_;
  const std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_;
  std::mutex mutex_;
  absl::Status dead_;  // Guarded by mutex_, as is the next.
  bool disk_was_full_ = false;
};

rocksdb::DBOptions SmallDatabase(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_total_wal_size = kJournalBytesMax;
  options.max_open_files = 64;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.stats_dump_period_sec = 0;  // Each of these would wake a thread for nothing.
  options.stats_persist_period_sec = 0;
  options.enable_pipelined_write = false;
  options.recycle_log_file_num = 2;  // Syncing a reused journal file needs no allocation.
  // A torn tail of the journal is normal after a crash; damage before it is not.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(kAllMemtablesBytes, cache);
  return options;
}

rocksdb::ColumnFamilyOptions SmallFamily(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kMemtableBytes;
  options.arena_block_size = 64 << 10;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = 8 << 20;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KvStore>> OpenRocksKvStore(const std::string& dir) {
  auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/0);
  const rocksdb::DBOptions options = SmallDatabase(cache);
  const rocksdb::ColumnFamilyOptions family = SmallFamily(cache);
  // In the order of KvFamily; RocksDB wants the default one to be among them.
  const std::vector<rocksdb::ColumnFamilyDescriptor> descriptors = {
      {"hard_state", family},
      {"partition", family},
      {"index", family},
      {rocksdb::kDefaultColumnFamilyName, family}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, dir, descriptors, &handles, &raw);
  RETURN_IF_ERROR(Translate(status));
  std::unique_ptr<rocksdb::DB> db(raw);
  db->DestroyColumnFamilyHandle(handles.back()).PermitUncheckedError();
  return std::make_unique<RocksKvStore>(
      std::move(db), std::array<rocksdb::ColumnFamilyHandle*, RocksKvStore::kFamilies>{
                         handles[0], handles[1], handles[2]});
}

}  // namespace garam::storage
