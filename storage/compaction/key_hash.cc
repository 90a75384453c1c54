#include "storage/compaction/key_hash.h"

#include <bit>
#include <cstring>

namespace garam::storage {
namespace {

// The algorithm's state, and its round.
struct State {
  uint64_t v0;
  uint64_t v1;
  uint64_t v2;
  uint64_t v3;

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void Take(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
  uint64_t Finish() {
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

// Little-endian, as the algorithm reads its input.
uint64_t LoadWord(const char* at, size_t count) {
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i) {
    word |= uint64_t{static_cast<uint8_t>(at[i])} << (8 * i);
  }
  return word;
}

}  // namespace

KeyHash HashKey(const HashSecret& secret, std::string_view key) {
  State state{secret.low ^ 0x736f6d6570736575, secret.high ^ 0x646f72616e646f6d ^ 0xee,
              secret.low ^ 0x6c7967656e657261, secret.high ^ 0x7465646279746573};
  size_t at = 0;
  for (; at + 8 <= key.size(); at += 8) state.Take(LoadWord(key.data() + at, 8));
  const uint64_t length = uint64_t{key.size() & 0xff} << 56;
  state.Take(length | LoadWord(key.data() + at, key.size() - at));
  KeyHash hash;
  state.v2 ^= 0xee;
  hash.low = state.Finish();
  state.v1 ^= 0xdd;
  hash.high = state.Finish();
  return hash;
}

}  // namespace garam::storage
