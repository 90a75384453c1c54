// The newest entries of a log, in memory: what followers are sent without touching the disk.
//
// Threads: its owner's. Ownership: shares the entries' buffers; `bytes()` counts payloads only.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "common/ids.h"
#include "common/log_entry.h"

namespace garam::raft {

class LogTail {
 public:
  // Empty; the next entry to be appended has `next`.
  explicit LogTail(LogIndex next) : first_(next) {}

  bool empty() const { return entries_.empty(); }
  LogIndex first() const { return first_; }  // The next index to be appended when empty.
  LogIndex last() const { return first_ + static_cast<int64_t>(entries_.size()) - 1; }
  size_t bytes() const { return bytes_; }

  bool Has(LogIndex index) const { return index >= first_ && index <= last(); }
  // `index` must be held.
  const LogEntry& At(LogIndex index) const { return entries_[static_cast<size_t>(index - first_)]; }

  // `entry.index` must be last() + 1.
  void Append(LogEntry entry);
  void TruncateFrom(LogIndex from);
  // Drops the oldest entries, none above `limit`, until at most `bytes_max` are left.
  void Trim(size_t bytes_max, LogIndex limit);

  // Entries from `from` (held) on: at least one, then up to `bytes_max`.
  std::vector<LogEntry> Copy(LogIndex from, size_t bytes_max) const;

 private:
  LogIndex first_;
  std::deque<LogEntry> entries_;
  size_t bytes_ = 0;
};

}  // namespace garam::raft
