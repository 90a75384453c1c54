// SipHash-2-4 with 128 bits (Aumasson and Bernstein): what stands for a key where compaction keeps
// one offset for each. Under a secret that is drawn for each pass nobody can choose keys that fall
// together, and by chance they do not.
//
// Threads: any; no state.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace garam::storage {

struct HashSecret {
  uint64_t low = 0;
  uint64_t high = 0;
};

struct KeyHash {
  uint64_t low = 0;
  uint64_t high = 0;

  friend bool operator==(const KeyHash&, const KeyHash&) = default;
};

KeyHash HashKey(const HashSecret& secret, std::string_view key);

}  // namespace garam::storage
