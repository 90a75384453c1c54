// A group's log as its core sees it: terms by index, the newest entries in memory, what the next
// Ready must persist, and how far earlier Readys have come.
//
// The disk does the writes in order, but answers late: a completion counts only for what has not
// been truncated since (pitfalls 8 and 9).
//
// Threads: its core's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/ids.h"
#include "common/log_entry.h"
#include "common/term_rows.h"
#include "raft/log_tail.h"

namespace garam::raft {

class RaftLog {
 public:
  // Everything up to `last_index` is durable.
  RaftLog(LogIndex first_index, LogIndex last_index, TermRows terms);

  LogIndex first_index() const { return first_index_; }
  LogIndex last_index() const { return last_index_; }
  LogIndex written_index() const { return written_index_; }
  LogIndex durable_index() const { return durable_index_; }
  const TermRows& terms() const { return terms_; }
  const LogTail& tail() const { return tail_; }

  // `index` in [first_index - 1, last_index]; nothing outside it.
  std::optional<Term> TermAt(LogIndex index) const;
  Term last_term() const { return terms_.TermAt(last_index_); }
  // The largest index at or below `index` whose term is at or below `term`: two logs cannot agree
  // above it (pitfall 36). first_index - 1 when there is none.
  LogIndex LastAtOrBelow(LogIndex index, Term term) const;

  // `entry.index` must be last_index() + 1.
  void Append(LogEntry entry);
  void TruncateFrom(LogIndex from);
  void DropPrefix(LogIndex first_index);
  void TrimTail(size_t bytes_max, LogIndex commit);

  bool has_write() const { return pending_truncate_.has_value() || !pending_.empty(); }
  // Moves what is to be persisted out, to be done as `seq`.
  void TakeWrite(uint64_t seq, std::optional<LogIndex>* truncate_from,
                 std::vector<LogEntry>* entries);
  // Say whether the index moved.
  bool OnWritten(uint64_t seq);
  bool OnDurable(uint64_t seq);

 private:
  struct Write {
    uint64_t seq;
    LogIndex end;  // The last index that is certain once it is done.
    bool written = false;
  };

  LogIndex first_index_;
  LogIndex last_index_;
  LogIndex written_index_;
  LogIndex durable_index_;
  TermRows terms_;
  LogTail tail_;
  LogIndex handed_index_;  // The last index that some Ready carried.
  std::optional<LogIndex> pending_truncate_;
  std::vector<LogEntry> pending_;
  std::deque<Write> writes_;  // Not durable yet.
};

}  // namespace garam::raft
