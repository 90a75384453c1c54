#include "raft/log_tail.h"

#include <algorithm>
#include <utility>

namespace garam::raft {

void LogTail::Append(LogEntry entry) {
  bytes_ += entry.bytes.size();
  entries_.push_back(std::move(entry));
}

void LogTail::TruncateFrom(LogIndex from) {
  while (!entries_.empty() && entries_.back().index >= from) {
    bytes_ -= entries_.back().bytes.size();
    entries_.pop_back();
  }
  if (entries_.empty()) first_ = std::min(first_, from);
}

void LogTail::Trim(size_t bytes_max, LogIndex limit) {
  while (!entries_.empty() && bytes_ > bytes_max && first_ <= limit) {
    bytes_ -= entries_.front().bytes.size();
    entries_.pop_front();
    ++first_;
  }
}

std::vector<LogEntry> LogTail::Copy(LogIndex from, size_t bytes_max) const {
  std::vector<LogEntry> entries;
  size_t bytes = 0;
  for (LogIndex index = from; index <= last(); ++index) {
    const LogEntry& entry = At(index);
    bytes += entry.bytes.size();
    if (!entries.empty() && bytes > bytes_max) break;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace garam::raft
