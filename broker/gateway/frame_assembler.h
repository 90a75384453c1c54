// Cuts a connection's stream into frames, each charged to the memory budget.
//
// What one recv brings lies in a scratch buffer that the whole shard shares; whole frames in it are
// copied once, into one buffer of exactly their size. The frame that goes on beyond it gets a
// buffer of its own, into which the following recv writes directly. So nothing pins more memory
// than it holds, an idle connection holds none, and large requests are hardly copied.
//
// Threads: one shard. No I/O.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/bytes.h"
#include "common/memory_budget.h"

namespace garam {

// A request as it came in, without its length. `charge` dies with the request's answer.
struct Frame {
  Bytes bytes;
  MemoryBudget::Charge charge;
};

class FrameAssembler {
 public:
  // `budget` must outlive this.
  FrameAssembler(MemoryBudget& budget, size_t frame_bytes_max)
      : budget_(budget), frame_bytes_max_(frame_bytes_max) {}

  // Where the next bytes of the stream go first; empty when no frame is under way.
  std::span<char> direct() { return {partial_.data() + filled_, partial_.capacity() - filled_}; }

  // The next bytes of the stream: `direct_bytes` of them in direct(), then `more`. Appends the
  // frames that are whole now. kInvalidRequest when a length is not acceptable: the stream is lost.
  absl::Status Received(size_t direct_bytes, std::string_view more, std::deque<Frame>& frames);

  // What the budget denied the frame that comes next; until Grant nothing more may be received.
  size_t wanted_bytes() const { return wanted_bytes_; }
  // `charge` holds wanted_bytes().
  void Grant(MemoryBudget::Charge charge);

 private:
  absl::Status CheckLength(int32_t length) const;
  void StartPartial(std::string_view rest, size_t length, MemoryBudget::Charge charge);

  MemoryBudget& budget_;
  const size_t frame_bytes_max_;
  MutableBuffer partial_;  // The frame under way; capacity is its size.
  size_t filled_ = 0;
  MemoryBudget::Charge partial_charge_;
  std::string tail_;  // A torn length, or the beginning of a frame that waits for memory.
  size_t wanted_bytes_ = 0;
};

}  // namespace garam
