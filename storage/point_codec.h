// SegmentPoint as bytes, for rows of the key-value store.
#pragma once

#include <string>

#include "common/endian.h"
#include "storage/frame.h"

namespace garam::storage {

inline constexpr size_t kPointBytes = 8 + 8 + 8 + 4 + 8 + 8;

inline void AppendPoint(const SegmentPoint& point, std::string& to) {
  const size_t start = to.size();
  to.resize(start + kPointBytes);
  char* at = to.data() + start;
  StoreBigEndian<int64_t>(at, point.index.value());
  StoreBigEndian<int64_t>(at + 8, point.offset.value());
  StoreBigEndian<int64_t>(at + 16, point.position);
  StoreBigEndian<uint32_t>(at + 24, point.checksum);
  StoreBigEndian<int64_t>(at + 28, point.max_timestamp_ms);
  StoreBigEndian<int64_t>(at + 36, point.max_timestamp_offset.value());
}

inline SegmentPoint LoadPoint(const char* at) {
  SegmentPoint point;
  point.index = LogIndex(LoadBigEndian<int64_t>(at));
  point.offset = Offset(LoadBigEndian<int64_t>(at + 8));
  point.position = LoadBigEndian<int64_t>(at + 16);
  point.checksum = LoadBigEndian<uint32_t>(at + 24);
  point.max_timestamp_ms = LoadBigEndian<int64_t>(at + 28);
  point.max_timestamp_offset = Offset(LoadBigEndian<int64_t>(at + 36));
  return point;
}

}  // namespace garam::storage
