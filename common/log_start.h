// The payload of a kSetLogStart entry (design decision D14): a format byte and the offset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/endian.h"
#include "common/ids.h"

namespace garam {

inline constexpr char kLogStartFormat = 1;

inline std::string EncodeLogStart(Offset start) {
  std::string payload(1 + sizeof(int64_t), kLogStartFormat);
  StoreBigEndian<int64_t>(payload.data() + 1, start.value());
  return payload;
}

// Nothing when it is of another format or no offset.
inline std::optional<Offset> DecodeLogStart(std::string_view payload) {
  if (payload.size() != 1 + sizeof(int64_t) || payload[0] != kLogStartFormat) return std::nullopt;
  const int64_t start = LoadBigEndian<int64_t>(payload.data() + 1);
  return start < 0 ? std::nullopt : std::optional<Offset>(Offset(start));
}

}  // namespace garam
