#include "storage/frame_scanner.h"

#include <algorithm>

#include "common/status.h"

namespace garam::storage {

absl::Status WouldBlock() { return absl::UnavailableError("the read would wait for the disk"); }

bool IsWouldBlock(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable;
}

absl::StatusOr<size_t> ReadAt(File& file, IoMode mode, int64_t position, char* to, size_t count) {
  std::optional<size_t> n;
  absl::Status failed;
  if (mode == IoMode::kWait) {
    absl::StatusOr<size_t> read = file.Read(position, to, count);
    if (read.ok()) n = *read;
    failed = read.status();
  } else {
    absl::StatusOr<std::optional<size_t>> read = file.TryRead(position, to, count);
    if (read.ok()) n = *read;
    failed = read.status();
  }
  // A sector that cannot be read is as bad as one that reads wrong.
  if (!failed.ok()) return MakeError(Errc::kCorruptRecord, std::string(failed.message()));
  if (!n) return WouldBlock();
  return *n;
}

FrameScanner::FrameScanner(File& file, IoMode mode, int64_t position, int64_t end,
                           size_t window_bytes)
    : file_(file), mode_(mode), end_(end), window_bytes_(window_bytes), position_(position) {}

std::string_view FrameScanner::Window() const {
  if (position_ < buffer_at_) return {};
  size_t skip = static_cast<size_t>(position_ - buffer_at_);
  return skip >= buffer_.size() ? std::string_view() : std::string_view(buffer_).substr(skip);
}

absl::Status FrameScanner::Fill(size_t count) {
  const size_t left = static_cast<size_t>(std::max<int64_t>(0, end_ - position_));
  if (Window().size() >= std::min(count, left)) return absl::OkStatus();
  const size_t want = std::min(left, std::max(count, window_bytes_));
  buffer_.resize(want);
  buffer_at_ = position_;
  absl::StatusOr<size_t> got = ReadAt(file_, mode_, position_, buffer_.data(), want);
  buffer_.resize(got.ok() ? *got : 0);
  return got.status();
}

absl::StatusOr<FrameFound> FrameScanner::Peek(bool whole, Frame* frame) {
  RETURN_IF_ERROR(Fill(kFramePeekBytes));
  // The window is shorter than asked only where the region or the file ends.
  FrameFound found = PeekFrame(Window(), /*last=*/true, frame);
  if (found != FrameFound::kFrame || !whole) return found;
  RETURN_IF_ERROR(Fill(frame->size));
  if (Window().size() < frame->size) return FrameFound::kBad;
  frame->at = Window().data();
  return FrameFound::kFrame;
}

}  // namespace garam::storage
