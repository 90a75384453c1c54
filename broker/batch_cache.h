// The recent batches of a shard's partitions, as the buffers that came in: tail reads are served
// from memory, older ones from the segment files (design.md section 5).
//
// One budget for the shard; the oldest batch of any partition goes first. The pinned buffer is what
// counts, so callers copy small batches out of large buffers before they add them.
//
// Threads: the shard's. Ownership: the cache outlives its PartitionTails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "common/bytes.h"
#include "common/ids.h"

namespace garam {

class PartitionTail;

class BatchCache {
 public:
  explicit BatchCache(size_t bytes_max) : bytes_max_(bytes_max) {}
  BatchCache(const BatchCache&) = delete;
  BatchCache& operator=(const BatchCache&) = delete;

  size_t bytes() const { return bytes_; }

 private:
  friend class PartitionTail;
  struct Item {
    PartitionTail* tail;
    uint64_t sequence;
  };

  void Added(PartitionTail* tail, uint64_t sequence, size_t bytes);
  void Removed(size_t bytes) { bytes_ -= bytes; }
  void Forget(PartitionTail* tail);

  size_t bytes_max_;
  size_t bytes_ = 0;
  std::deque<Item> order_;  // Oldest first; items whose batch is gone already are skipped.
};

// The cached run of one partition: contiguous in offsets, ending at the newest batch.
class PartitionTail {
 public:
  explicit PartitionTail(BatchCache& cache) : cache_(cache) {}
  ~PartitionTail() { Clear(); }
  PartitionTail(const PartitionTail&) = delete;
  PartitionTail& operator=(const PartitionTail&) = delete;

  // Adds the batch that covers [base, next). A gap to what is cached empties the run first.
  void Add(Offset base, Offset next, Bytes batch);
  // Drops batches that end above `next`: they were truncated.
  void TruncateTo(Offset next);
  void Clear();

  // Whether the batch that holds `offset` is cached.
  bool Covers(Offset offset) const;
  // Batches from the one that holds `from`, ending at or below `end`; `from` must be covered. At
  // least one batch when `first_whole`, then up to `bytes_max`. Adds what it took to `*bytes`.
  std::vector<Bytes> Read(Offset from, Offset end, size_t bytes_max, bool first_whole,
                          size_t* bytes) const;

 private:
  friend class BatchCache;
  struct Batch {
    Offset base;
    Offset next;
    uint64_t sequence;
    Bytes bytes;
  };

  void EvictFront(uint64_t sequence);
  size_t PositionOf(Offset offset) const;

  BatchCache& cache_;
  uint64_t next_sequence_ = 0;
  std::deque<Batch> batches_;
};

}  // namespace garam
