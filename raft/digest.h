// Order-independent digests of sets, for heartbeats (D16): two nodes that hold the same set have
// the same digest whatever the order in which it came about, and one change is one addition.
//
// Not cryptographic: it finds lost messages, not liars.
#pragma once

#include <cstdint>

#include "common/ids.h"

namespace garam::raft {

// Spreads `x` over all 64 bits; the same on every node (unlike absl::Hash, which is salted).
constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Digest {
 public:
  void AddLed(GroupId group, Term term, uint64_t isr_version) {
    Add(LedItem(group, term, isr_version));
  }
  void RemoveLed(GroupId group, Term term, uint64_t isr_version) {
    Remove(LedItem(group, term, isr_version));
  }
  void AddFailed(GroupId group) { Add(Mix64(group.value())); }
  void RemoveFailed(GroupId group) { Remove(Mix64(group.value())); }

  uint64_t count() const { return count_; }
  uint64_t hash() const { return hash_; }

  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  static uint64_t LedItem(GroupId group, Term term, uint64_t isr_version) {
    return Mix64(Mix64(Mix64(group.value()) + static_cast<uint64_t>(term.value())) + isr_version);
  }
  void Add(uint64_t item) {
    ++count_;
    hash_ += item;
  }
  void Remove(uint64_t item) {
    --count_;
    hash_ -= item;
  }

  uint64_t count_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace garam::raft
