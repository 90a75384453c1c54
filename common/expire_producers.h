// The payload of a kExpireProducers entry (design decision D11): a format byte and the log index.
// Producers whose last batch lies below it are forgotten.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/endian.h"
#include "common/ids.h"

namespace garam {

inline constexpr char kExpireProducersFormat = 1;

inline std::string EncodeExpireProducers(LogIndex before) {
  std::string payload(1 + sizeof(int64_t), kExpireProducersFormat);
  StoreBigEndian<int64_t>(payload.data() + 1, before.value());
  return payload;
}

// Nothing when it is of another format or no index.
inline std::optional<LogIndex> DecodeExpireProducers(std::string_view payload) {
  if (payload.size() != 1 + sizeof(int64_t) || payload[0] != kExpireProducersFormat) {
    return std::nullopt;
  }
  const int64_t before = LoadBigEndian<int64_t>(payload.data() + 1);
  return before < 0 ? std::nullopt : std::optional<LogIndex>(LogIndex(before));
}

}  // namespace garam
