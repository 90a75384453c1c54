#include "broker/wire/frame_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "broker/wire/stream_codec.h"
#include "common/status.h"

namespace garam {

FrameBuffer::Space FrameBuffer::Prepare() {
  const size_t pending = end_ - begin_;
  needed_ = std::max(needed_, kFrameHeaderBytes);
  if (pending == 0 && !shared_) begin_ = end_ = 0;
  const bool fits = begin_ + needed_ <= chunk_.capacity();
  // Shrink a chunk that only a burst needed, but never while a frame is in it.
  const bool oversized = pending == 0 && chunk_.capacity() > std::max(next_chunk_, needed_);
  // A nearly full chunk makes many small reads.
  const bool cramped =
      chunk_.capacity() - end_ < kChunkBytesMin / 8 && pending < kChunkBytesMin / 8;
  if (!fits || oversized || cramped) {
    const size_t capacity = std::max(next_chunk_, needed_);
    if (shared_ || chunk_.capacity() < capacity || oversized) {
      Replace(capacity);
    } else {
      std::memmove(chunk_.data(), chunk_.data() + begin_, pending);
      begin_ = 0;
      end_ = pending;
    }
  }
  last_space_ = chunk_.capacity() - end_;
  return {chunk_.data() + end_, last_space_};
}

void FrameBuffer::Replace(size_t capacity) {
  MutableBuffer fresh(capacity);
  const size_t pending = end_ - begin_;
  if (pending > 0) std::memcpy(fresh.data(), chunk_.data() + begin_, pending);
  chunk_ = std::move(fresh);
  begin_ = 0;
  end_ = pending;
  shared_ = false;
}

void FrameBuffer::Commit(size_t count) {
  end_ += count;
  if (count == last_space_) {
    next_chunk_ = std::min(next_chunk_ * 2, kChunkBytesMax);
  } else if (count < next_chunk_ / 8) {
    next_chunk_ = std::max(next_chunk_ / 2, kChunkBytesMin);
  }
}

absl::StatusOr<std::optional<std::string_view>> FrameBuffer::Next() {
  const std::string_view pending(chunk_.data() + begin_, end_ - begin_);
  needed_ = kFrameHeaderBytes;
  if (pending.size() < kFrameHeaderBytes) return std::nullopt;
  ASSIGN_OR_RETURN(const FrameHeader header, ParseFrameHeader(pending, frame_bytes_max_));
  needed_ = header.frame_bytes();
  if (pending.size() < needed_) return std::nullopt;
  begin_ += needed_;
  return pending.substr(0, std::exchange(needed_, 0));
}

Bytes FrameBuffer::Keep(std::string_view part) {
  if (part.size() < kShareFrom) return Bytes::Copy(part);
  shared_ = true;
  return chunk_.View(static_cast<size_t>(part.data() - chunk_.data()), part.size());
}

}  // namespace garam
