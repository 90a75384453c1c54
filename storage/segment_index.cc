#include "storage/segment_index.h"

#include <algorithm>

#include "storage/point_codec.h"

namespace garam::storage {
namespace {

constexpr int64_t kIntervalBytesMax = 32 << 10;
constexpr int64_t kRowsOfSmallSegment = 256;

}  // namespace

void SegmentIndex::Note(const SegmentPoint& point, int32_t interval_bytes) {
  const int64_t wide = std::min(kIntervalBytesMax, point.position / kRowsOfSmallSegment);
  const int64_t interval = std::max<int64_t>(interval_bytes, wide);
  if (point.position - rows_.back().position >= interval) rows_.push_back(point);
}

void SegmentIndex::TruncateFrom(LogIndex index) {
  while (rows_.size() > 1 && rows_.back().index > index) rows_.pop_back();
}

const SegmentPoint& SegmentIndex::FindOffset(Offset offset) const {
  auto after = std::upper_bound(rows_.begin() + 1, rows_.end(), offset,
                                [](Offset o, const SegmentPoint& row) { return o < row.offset; });
  return *std::prev(after);
}

const SegmentPoint& SegmentIndex::FindIndex(LogIndex index) const {
  auto after = std::upper_bound(rows_.begin() + 1, rows_.end(), index,
                                [](LogIndex i, const SegmentPoint& row) { return i < row.index; });
  return *std::prev(after);
}

const SegmentPoint& SegmentIndex::FindTimestamp(int64_t timestamp_ms) const {
  auto after =
      std::lower_bound(rows_.begin() + 1, rows_.end(), timestamp_ms,
                       [](const SegmentPoint& row, int64_t t) { return row.max_timestamp_ms < t; });
  return *std::prev(after);
}

std::optional<int64_t> SegmentIndex::PositionAfter(const SegmentPoint& row) const {
  auto after =
      std::upper_bound(rows_.begin(), rows_.end(), row.position,
                       [](int64_t p, const SegmentPoint& other) { return p < other.position; });
  if (after == rows_.end()) return std::nullopt;
  return after->position;
}

std::string SegmentIndex::Encode(size_t from, size_t to) const {
  std::string bytes;
  bytes.reserve((to - from) * kPointBytes);
  for (size_t i = from; i < to; ++i) AppendPoint(rows_[i], bytes);
  return bytes;
}

bool SegmentIndex::DecodeAppend(std::string_view bytes) {
  if (bytes.size() % kPointBytes != 0) return false;
  for (size_t at = 0; at < bytes.size(); at += kPointBytes) {
    SegmentPoint row = LoadPoint(bytes.data() + at);
    const SegmentPoint& last = rows_.back();
    if (row.position <= last.position || row.index <= last.index || row.offset < last.offset) {
      return false;
    }
    rows_.push_back(row);
  }
  return true;
}

}  // namespace garam::storage
