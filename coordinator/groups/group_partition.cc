#include "coordinator/groups/group_partition.h"

#include <cstddef>

namespace garam {
namespace {

// The code point at `at`, which moves behind it.
uint32_t NextCodePoint(std::string_view text, size_t& at) {
  const auto first = static_cast<uint8_t>(text[at++]);
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  uint32_t point = more == 0 ? first : first & (0x3fU >> more);
  for (int i = 0; i < more && at < text.size(); ++i) {
    point = point << 6 | (static_cast<uint8_t>(text[at++]) & 0x3fU);
  }
  return point;
}

}  // namespace

int32_t GroupPartition(std::string_view group, int32_t partitions) {
  constexpr uint32_t kFirstBeyondOneUnit = 0x10000;
  uint32_t hash = 0;
  const auto add = [&hash](uint32_t unit) { hash = 31 * hash + unit; };
  for (size_t at = 0; at < group.size();) {
    const uint32_t point = NextCodePoint(group, at);
    if (point < kFirstBeyondOneUnit) {
      add(point);
    } else {  // UTF-16 writes these as two units.
      add(0xd800U + ((point - kFirstBeyondOneUnit) >> 10));
      add(0xdc00U + ((point - kFirstBeyondOneUnit) & 0x3ffU));
    }
  }
  return static_cast<int32_t>((hash & 0x7fffffffU) % static_cast<uint32_t>(partitions));
}

}  // namespace garam
