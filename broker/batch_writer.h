// Makes v2 record batches of the broker's own records.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/bytes.h"

namespace garam {

struct OwnRecord {
  Bytes key{};
  std::optional<Bytes> value{};  // Nothing: a tombstone.
};

// One batch, not compressed, all of `timestamp_ms`; base offset and leader epoch are the leader's
// to patch. `records` is not empty.
Bytes WriteBatch(const std::vector<OwnRecord>& records, int64_t timestamp_ms);

}  // namespace garam
