// Reads the frames of one sealed segment in order, and checks that they are what was written.
//
// Threads: one at a time; blocks.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/frame_scanner.h"
#include "storage/log.h"

namespace garam::storage {

class SegmentSource {
 public:
  // `segment` outlives it.
  explicit SegmentSource(const SealedSegment& segment)
      : segment_(segment), at_(FirstPoint(segment.header)) {}

  // The next frame, whole and good until Skip; false at the segment's end. IsDamaged when the
  // segment is not what was written.
  absl::StatusOr<bool> Peek(Frame* frame);
  // Goes on behind the frame that Peek has given.
  void Skip(const Frame& frame);
  // Where that frame begins.
  const SegmentPoint& at() const { return at_; }

 private:
  absl::Status Damaged() const;

  const SealedSegment& segment_;
  SegmentPoint at_;
  std::shared_ptr<File> file_;
  std::optional<FrameScanner> scanner_;
};

}  // namespace garam::storage
