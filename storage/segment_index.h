// The sparse index of one segment: a place every few KiB, found by offset, index or timestamp.
//
// Threads:   none of its own. A sealed segment's is shared, const.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/frame.h"

namespace garam::storage {

class SegmentIndex {
 public:
  // Has one row from the start: where the first entry begins.
  explicit SegmentIndex(const SegmentPoint& first) : rows_{first} {}

  // Adds a row for `point` when it lies `interval_bytes` behind the last one; deep in a large
  // segment up to 32 KiB, which bounds the memory.
  void Note(const SegmentPoint& point, int32_t interval_bytes);
  // Forgets the rows at `index` and above, but never the first.
  void TruncateFrom(LogIndex index);

  // The last row at or before the batch that holds `offset`, or the entry at `index`.
  const SegmentPoint& FindOffset(Offset offset) const;
  const SegmentPoint& FindIndex(LogIndex index) const;
  // The last row before which every timestamp is below `timestamp_ms`.
  const SegmentPoint& FindTimestamp(int64_t timestamp_ms) const;
  // Where the row after `row` is; nothing when `row` is in the last stretch.
  std::optional<int64_t> PositionAfter(const SegmentPoint& row) const;

  const std::vector<SegmentPoint>& rows() const { return rows_; }

  // Rows [from, to) as bytes, and back: appended to rows that end before them. False when the bytes
  // are not such rows or do not ascend.
  std::string Encode(size_t from, size_t to) const;
  bool DecodeAppend(std::string_view bytes);

 private:
  std::vector<SegmentPoint> rows_;
};

}  // namespace garam::storage
