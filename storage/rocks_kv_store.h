// The KvStore over RocksDB, kept small: a few MiB of memtables and cache, two background threads.
//
// Threads:   any.
// Ownership: one instance a folder; the folder's parent must exist.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/kv_store.h"

namespace garam::storage {

// Blocks.
absl::StatusOr<std::unique_ptr<KvStore>> OpenRocksKvStore(const std::string& dir);

}  // namespace garam::storage
