#include "storage/segment_check.h"

#include "absl/strings/str_cat.h"
#include "common/log_entry.h"
#include "common/status.h"
#include "storage/frame_scanner.h"

namespace garam::storage {
namespace {

constexpr size_t kWindowBytes = 1 << 20;

absl::StatusOr<std::optional<Frame>> ReadPrivate(FrameScanner& scanner, size_t bytes) {
  Frame frame;
  ASSIGN_OR_RETURN(FrameFound found, scanner.Peek(/*whole=*/true, &frame));
  const bool fits =
      found == FrameFound::kFrame && !frame.batch && frame.size == bytes && FrameChecksOut(frame);
  return fits ? std::optional<Frame>(frame) : std::nullopt;
}

bool Fits(const Frame& frame, const SegmentPoint& at, const TermRows& terms) {
  if (!FrameChecksOut(frame) || frame.offset != at.offset) return false;
  if (frame.term != terms.TermAt(at.index)) return false;
  return frame.batch || (HasPlaceInLog(frame) && frame.index == at.index);
}

bool AddsUp(const SegmentPoint& end, int64_t footer_at, const SegmentFooter& footer) {
  return end.position == footer_at && end.checksum == footer.checksum &&
         end.offset == footer.next_offset;
}

}  // namespace

bool IsEntryKind(uint8_t kind) {
  return kind > static_cast<uint8_t>(EntryKind::kBatch) &&
         kind <= static_cast<uint8_t>(EntryKind::kCommand);
}

bool HasPlaceInLog(const Frame& frame) {
  return IsEntryKind(frame.kind) || DecodeGap(frame).has_value();
}

absl::StatusOr<std::optional<SegmentHeader>> ReadHeader(File& file, int64_t size) {
  FrameScanner scanner(file, IoMode::kWait, 0, size, kHeaderBytes);
  ASSIGN_OR_RETURN(std::optional<Frame> frame, ReadPrivate(scanner, kHeaderBytes));
  return frame ? DecodeHeader(*frame) : std::nullopt;
}

absl::StatusOr<std::optional<SegmentFooter>> ReadFooter(File& file, int64_t size) {
  const int64_t position = size - static_cast<int64_t>(kFooterBytes);
  if (position < static_cast<int64_t>(kHeaderBytes)) return std::optional<SegmentFooter>();
  FrameScanner scanner(file, IoMode::kWait, position, size, kFooterBytes);
  ASSIGN_OR_RETURN(std::optional<Frame> frame, ReadPrivate(scanner, kFooterBytes));
  return frame ? DecodeFooter(*frame) : std::nullopt;
}

absl::Status CheckSegment(File& file, const ManifestSegment& segment, const TermRows& terms) {
  const auto damaged = [&](int64_t position) {
    return MakeError(Errc::kCorruptRecord,
                     absl::StrCat("segment ", segment.header.base_offset.value(),
                                  " is damaged at byte ", position));
  };
  ASSIGN_OR_RETURN(std::optional<SegmentHeader> header, ReadHeader(file, segment.size_bytes));
  if (header != segment.header) return damaged(0);
  const int64_t footer_at = segment.size_bytes - static_cast<int64_t>(kFooterBytes);
  ASSIGN_OR_RETURN(std::optional<SegmentFooter> footer, ReadFooter(file, segment.size_bytes));
  if (footer != segment.footer) return damaged(footer_at);
  SegmentPoint at = FirstPoint(segment.header);
  FrameScanner scanner(file, IoMode::kWait, at.position, footer_at, kWindowBytes);
  while (at.index <= footer->last_index) {
    Frame frame;
    ASSIGN_OR_RETURN(FrameFound found, scanner.Peek(/*whole=*/true, &frame));
    if (found != FrameFound::kFrame || !Fits(frame, at, terms)) return damaged(at.position);
    at = at.After(frame);
    scanner.Skip(frame);
  }
  return AddsUp(at, footer_at, *footer) ? absl::OkStatus() : damaged(at.position);
}

}  // namespace garam::storage
