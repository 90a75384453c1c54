// The seam to the key-value store: small rows beside the logs, never record data. One per broker.
//
// Threads:   any. Every call may block: run it on the BlockingPool.
// Errors:    Errc::kStorage. After a failed synced write the store refuses further writes, but for
// a
//            full disk (IsDiskFull), after which a later write may succeed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace garam::storage {

// One column family each. Every row's value begins with a byte that names its format's version.
enum class KvFamily {
  kHardState,  // Journaled: a write survives the process, and a synced one the machine.
  kPartition,  // The same.
  kIndex,      // Not journaled: may be lost whole, and is then rebuilt from the segments.
};

// Changes that happen together, in order. kIndex rows must not share a batch with others: what is
// not journaled cannot be atomic with what is.
class KvBatch {
 public:
  struct Change {
    enum class Kind { kPut, kDelete, kDeleteRange };
    Kind kind;
    KvFamily family;
    std::string key;
    std::string value;  // kDeleteRange: the end of the range, exclusive.
  };

  void Put(KvFamily family, std::string key, std::string value) {
    Add({Change::Kind::kPut, family, std::move(key), std::move(value)});
  }
  void Delete(KvFamily family, std::string key) {
    Add({Change::Kind::kDelete, family, std::move(key), {}});
  }
  // Deletes every row in [from, to).
  void DeleteRange(KvFamily family, std::string from, std::string to) {
    Add({Change::Kind::kDeleteRange, family, std::move(from), std::move(to)});
  }

  bool empty() const { return changes_.empty(); }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  void Add(Change change) { changes_.push_back(std::move(change)); }

  std::vector<Change> changes_;
};

class KvStore {
 public:
  virtual ~KvStore() = default;

  // Applies all of `batch` or nothing. With `sync`, it and every journaled write before it are on
  // stable storage on return.
  virtual absl::Status Write(const KvBatch& batch, bool sync) = 0;
  virtual absl::StatusOr<std::optional<std::string>> Get(KvFamily family, std::string_view key) = 0;
  // The rows in [from, to), ascending by key, `rows_max` at most.
  using Row = std::pair<std::string, std::string>;
  virtual absl::StatusOr<std::vector<Row>> Scan(KvFamily family, std::string_view from,
                                                std::string_view to, size_t rows_max) = 0;
};

}  // namespace garam::storage
