#include "storage/compaction/segment_source.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/segment_check.h"

namespace garam::storage {
namespace {

constexpr size_t kWindowBytes = 1 << 20;

}  // namespace

absl::Status SegmentSource::Damaged() const {
  return MakeError(Errc::kCorruptRecord,
                   absl::StrCat(segment_.file->path(), " is damaged at byte ", at_.position,
                                " (offset ", at_.offset.value(), ")"));
}

absl::StatusOr<bool> SegmentSource::Peek(Frame* frame) {
  const SegmentPoint& end = segment_.end;
  if (!scanner_) {
    ASSIGN_OR_RETURN(file_, segment_.file->Get());
    scanner_.emplace(*file_, IoMode::kWait, at_.position, end.position, kWindowBytes);
  }
  if (at_.index >= end.index) {
    const bool whole =
        at_.index == end.index && at_.offset == end.offset && at_.checksum == end.checksum;
    if (!whole) return Damaged();
    return false;
  }
  ASSIGN_OR_RETURN(const FrameFound found, scanner_->Peek(/*whole=*/true, frame));
  const bool fits = found == FrameFound::kFrame && FrameChecksOut(*frame) &&
                    frame->offset == at_.offset &&
                    (frame->batch || (HasPlaceInLog(*frame) && frame->index == at_.index));
  if (!fits) return Damaged();
  return true;
}

void SegmentSource::Skip(const Frame& frame) {
  at_ = at_.After(frame);
  scanner_->Skip(frame);
}

}  // namespace garam::storage
