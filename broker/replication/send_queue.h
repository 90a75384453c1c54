// What waits to be sent on one connection, as pieces that leave in one gathered write. Small pieces
// are copied side by side into blocks; large ones are shared with their owner.
//
// Threads: one.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <string_view>

#include "common/bytes.h"

namespace garam {

class SendQueue {
 public:
  // Below this a copy is cheaper than one more piece in the write and one more reference.
  static constexpr size_t kCopyBelow = 512;

  // Adds a copy of `bytes`.
  void Copy(std::string_view bytes);
  // Adds `bytes`, sharing them unless they are small.
  void Share(const Bytes& bytes);

  // Describes the first pieces, at most `pieces_max` of them; returns how many.
  size_t Gather(iovec* pieces, size_t pieces_max) const;
  // Drops the first `count` bytes, which have been sent; at most bytes().
  void Consume(size_t count);
  void Clear();

  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }

 private:
  static constexpr size_t kBlockBytes = 8 * 1024;

  std::deque<Bytes> pieces_;
  MutableBuffer block_;
  size_t block_used_ = 0;
  bool extends_last_ = false;  // The last piece ends where the block's next byte will be.
  size_t bytes_ = 0;
};

}  // namespace garam
