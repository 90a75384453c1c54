#include "storage/compaction/offset_map.h"

#include <algorithm>

namespace garam::storage {
namespace {

// Nine tenths of the slots are used at most: a search then looks at a few.
constexpr uint64_t kLoadTenths = 9;

uint64_t SlotsFor(uint64_t keys) { return keys + keys / kLoadTenths + 1; }

}  // namespace

OffsetMap::OffsetMap(size_t bytes_max, uint64_t keys_max, HashSecret secret) : secret_(secret) {
  const uint64_t fit = std::max<uint64_t>(2, bytes_max / sizeof(Slot));
  // The division keeps SlotsFor from going over.
  const uint64_t wanted = keys_max < fit ? SlotsFor(keys_max) : fit;
  slots_.resize(std::clamp<uint64_t>(wanted, 2, fit));
  capacity_ = std::max<size_t>(1, slots_.size() * kLoadTenths / (kLoadTenths + 1));
}

size_t OffsetMap::Place(const KeyHash& hash) const {
  size_t at = hash.low % slots_.size();
  while (slots_[at].offset >= Offset(0) && !(slots_[at].hash == hash)) {
    if (++at == slots_.size()) at = 0;
  }
  return at;
}

bool OffsetMap::Put(std::string_view key, Offset offset) {
  const KeyHash hash = HashKey(secret_, key);
  Slot& slot = slots_[Place(hash)];
  if (slot.offset < Offset(0)) {
    if (size_ == capacity_) return false;
    ++size_;
    slot.hash = hash;
  }
  slot.offset = offset;
  return true;
}

std::optional<Offset> OffsetMap::Find(std::string_view key) const {
  const Slot& slot = slots_[Place(HashKey(secret_, key))];
  return slot.offset < Offset(0) ? std::nullopt : std::optional<Offset>(slot.offset);
}

}  // namespace garam::storage
