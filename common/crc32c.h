// CRC-32C (Castagnoli), as Kafka's record batches and our frames carry it.
#pragma once

#include <cstdint>
#include <string_view>

namespace garam {

// The checksum of `data`, or of what gave `seed` followed by `data`. Any thread.
uint32_t Crc32c(std::string_view data, uint32_t seed = 0);

}  // namespace garam
