// The latest offset of each key, in memory of a fixed size: 24 bytes a slot, of which a tenth stays
// free. A key is known by its 128-bit hash alone.
//
// Threads: one at a time; Find alone from any, while nobody puts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "storage/compaction/key_hash.h"

namespace garam::storage {

class OffsetMap {
 public:
  // Takes up to `bytes_max`, and no more than `keys_max` keys need. At least one key fits.
  OffsetMap(size_t bytes_max, uint64_t keys_max, HashSecret secret);

  // Notes that `key` has a record at `offset`; offsets ascend. False: the key is not known and has
  // no place.
  bool Put(std::string_view key, Offset offset);
  std::optional<Offset> Find(std::string_view key) const;

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    KeyHash hash;
    Offset offset{-1};  // -1: free.
  };

  // The slot of `hash`, or the free one that it would get.
  size_t Place(const KeyHash& hash) const;

  const HashSecret secret_;
  std::vector<Slot> slots_;
  size_t capacity_;
  size_t size_ = 0;
};

}  // namespace garam::storage
