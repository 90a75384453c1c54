// Received bytes of one connection, cut into whole frames.
//
// Bytes are read into chunks that many frames share. A frame's entries either pin the chunk, when
// they fill a fair part of it, or move to memory of exactly their size: then the chunk is used
// again and again, and a small batch kept in a cache for hours pins itself only. The chunk grows
// while reads fill it, so that a busy stream copies next to nothing, and shrinks when they do not.
// A frame larger than the chunk gets a buffer of its own.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/bytes.h"

namespace garam {

class FrameBuffer {
 public:
  static constexpr size_t kChunkBytesMin = 64 * 1024;
  static constexpr size_t kChunkBytesMax = 512 * 1024;
  // Entries of a frame from this size on are shared, not copied: at most 1/4 of a small chunk.
  static constexpr size_t kShareFrom = 16 * 1024;

  explicit FrameBuffer(size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  struct Space {
    char* data;
    size_t size;
  };
  // Where the next bytes go; never empty. Ends what Next returned before.
  Space Prepare();
  // `count` bytes were written there.
  void Commit(size_t count);

  // The next whole frame, header included, good until Prepare; nothing when more bytes are needed;
  // an error when what came is no frame, or larger than the limit. After an error: only destroy.
  absl::StatusOr<std::optional<std::string_view>> Next();

  // Memory with the bytes of `part`, which lies in a frame that Next returned, to keep.
  Bytes Keep(std::string_view part);

 private:
  void Replace(size_t capacity);

  const size_t frame_bytes_max_;
  MutableBuffer chunk_;
  size_t begin_ = 0;     // Of what is not parsed.
  size_t end_ = 0;       // Of what was received.
  size_t needed_ = 0;    // Bytes that the frame at begin_ takes, as far as known.
  bool shared_ = false;  // Keep has shared the chunk: what was received in it is read-only.
  size_t next_chunk_ = kChunkBytesMin;
  size_t last_space_ = 0;  // What Prepare gave out.
};

}  // namespace garam
