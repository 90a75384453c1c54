#include "common/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace garam {

uint32_t Crc32c(std::string_view data, uint32_t seed) {
  // The library takes an int length and a non-const pointer, neither inverts: both are its API.
  constexpr size_t kChunkMax = size_t{1} << 30;
  uint32_t crc = ~seed;
  while (!data.empty()) {
    size_t count = std::min(data.size(), kChunkMax);
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data.data()));
    crc = crc32_iscsi(bytes, static_cast<int>(count), crc);
    data.remove_prefix(count);
  }
  return ~crc;
}

}  // namespace garam
