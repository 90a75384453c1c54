// Walks the frames of a file region through a moving window.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/file_system.h"
#include "storage/frame.h"

namespace garam::storage {

// Whether a read may wait for the disk.
enum class IoMode { kWait, kNoWait };

// What a kNoWait read returns when it would have to wait: do it again with kWait on the pool.
absl::Status WouldBlock();
bool IsWouldBlock(const absl::Status& status);

// Fills `to` from `position` on; fewer bytes only at the end of the file. kCorruptRecord when the
// disk cannot read them.
absl::StatusOr<size_t> ReadAt(File& file, IoMode mode, int64_t position, char* to, size_t count);

class FrameScanner {
 public:
  // Reads [position, end) of `file`, which must outlive the scanner.
  FrameScanner(File& file, IoMode mode, int64_t position, int64_t end,
               size_t window_bytes = 64 << 10);

  // The frame at position(), valid until the next call. With `whole`, all of its bytes are in
  // memory; a frame that reaches beyond `end` is kBad then. Never kMore.
  absl::StatusOr<FrameFound> Peek(bool whole, Frame* frame);
  // Steps over the frame that Peek gave.
  void Skip(const Frame& frame) { position_ += static_cast<int64_t>(frame.size); }

  int64_t position() const { return position_; }

 private:
  // Makes the window hold [position_, position_ + count), or up to the end.
  absl::Status Fill(size_t count);
  std::string_view Window() const;

  File& file_;
  const IoMode mode_;
  const int64_t end_;
  const size_t window_bytes_;
  int64_t position_;
  std::string buffer_;
  int64_t buffer_at_ = 0;
};

}  // namespace garam::storage
