#include "broker/replication/send_queue.h"

#include <algorithm>

namespace garam {

void SendQueue::Copy(std::string_view bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  if (bytes.size() > kBlockBytes) {
    pieces_.push_back(Bytes::Copy(bytes));
    extends_last_ = false;
    return;
  }
  if (block_used_ + bytes.size() > block_.capacity()) {
    block_ = MutableBuffer(kBlockBytes);
    block_used_ = 0;
    extends_last_ = false;
  }
  const size_t from = block_used_;
  std::memcpy(block_.data() + from, bytes.data(), bytes.size());
  block_used_ += bytes.size();
  if (extends_last_) {
    const size_t whole = pieces_.back().size() + bytes.size();
    pieces_.back() = block_.View(block_used_ - whole, whole);
  } else {
    pieces_.push_back(block_.View(from, bytes.size()));
    extends_last_ = true;
  }
}

void SendQueue::Share(const Bytes& bytes) {
  if (bytes.size() < kCopyBelow) return Copy(bytes.view());
  bytes_ += bytes.size();
  pieces_.push_back(bytes);
  extends_last_ = false;
}

size_t SendQueue::Gather(iovec* pieces, size_t pieces_max) const {
  const size_t count = std::min(pieces_max, pieces_.size());
  for (size_t i = 0; i < count; ++i) {
    pieces[i] = {const_cast<char*>(pieces_[i].data()), pieces_[i].size()};
  }
  return count;
}

void SendQueue::Consume(size_t count) {
  bytes_ -= count;
  while (count > 0) {
    Bytes& first = pieces_.front();
    if (count < first.size()) {
      first = first.Slice(count, first.size() - count);
      return;
    }
    count -= first.size();
    pieces_.pop_front();
  }
  if (pieces_.empty()) {
    // Nobody else refers to the block: start it again.
    block_used_ = 0;
    extends_last_ = false;
  }
}

void SendQueue::Clear() { Consume(bytes_); }

}  // namespace garam
