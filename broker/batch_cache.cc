#include "broker/batch_cache.h"

#include <algorithm>

namespace garam {

void BatchCache::Added(PartitionTail* tail, uint64_t sequence, size_t bytes) {
  bytes_ += bytes;
  order_.push_back({tail, sequence});
  while (bytes_ > bytes_max_ && !order_.empty()) {
    Item oldest = order_.front();
    order_.pop_front();
    oldest.tail->EvictFront(oldest.sequence);
  }
}

void BatchCache::Forget(PartitionTail* tail) {
  std::erase_if(order_, [tail](const Item& item) { return item.tail == tail; });
}

void PartitionTail::Add(Offset base, Offset next, Bytes batch) {
  if (!batches_.empty() && batches_.back().next != base) Clear();
  size_t size = batch.size();
  uint64_t sequence = next_sequence_++;
  batches_.push_back({base, next, sequence, std::move(batch)});
  cache_.Added(this, sequence, size);
}

void PartitionTail::TruncateTo(Offset next) {
  while (!batches_.empty() && batches_.back().next > next) {
    cache_.Removed(batches_.back().bytes.size());
    batches_.pop_back();
  }
}

void PartitionTail::Clear() {
  if (next_sequence_ == 0) return;
  for (const Batch& batch : batches_) cache_.Removed(batch.bytes.size());
  batches_.clear();
  cache_.Forget(this);
  next_sequence_ = 0;  // The cache knows nothing of this run any more.
}

bool PartitionTail::Covers(Offset offset) const {
  return !batches_.empty() && batches_.front().base <= offset && offset < batches_.back().next;
}

std::vector<Bytes> PartitionTail::Read(Offset from, Offset end, size_t bytes_max, bool first_whole,
                                       size_t* bytes) const {
  std::vector<Bytes> found;
  size_t taken = 0;
  for (size_t at = PositionOf(from); at < batches_.size(); ++at) {
    const Batch& batch = batches_[at];
    if (batch.next > end) break;
    bool free_pass = found.empty() && first_whole;
    if (!free_pass && taken + batch.bytes.size() > bytes_max) break;
    taken += batch.bytes.size();
    found.push_back(batch.bytes);
  }
  *bytes += taken;
  return found;
}

void PartitionTail::EvictFront(uint64_t sequence) {
  if (batches_.empty() || batches_.front().sequence != sequence) return;
  cache_.Removed(batches_.front().bytes.size());
  batches_.pop_front();
}

size_t PartitionTail::PositionOf(Offset offset) const {
  auto after = std::upper_bound(batches_.begin(), batches_.end(), offset,
                                [](Offset o, const Batch& batch) { return o < batch.next; });
  return static_cast<size_t>(after - batches_.begin());
}

}  // namespace garam
