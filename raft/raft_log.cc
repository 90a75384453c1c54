#include "raft/raft_log.h"
#include "common/mutation.h"

#include <algorithm>
#include <utility>

namespace garam::raft {

RaftLog::RaftLog(LogIndex first_index, LogIndex last_index, TermRows terms)
    : first_index_(first_index),
      last_index_(last_index),
      written_index_(last_index),
      durable_index_(last_index),
      terms_(std::move(terms)),
      tail_(last_index + 1),
      handed_index_(last_index) {}

std::optional<Term> RaftLog::TermAt(LogIndex index) const {
  if (index < first_index_ - 1 || index > last_index_) return std::nullopt;
  return terms_.TermAt(index);
}

LogIndex RaftLog::LastAtOrBelow(LogIndex index, Term term) const {
  index = std::min(index, last_index_);
  const std::optional<TermRow> above = terms_.RowAbove(term);
  if (above) index = std::min(index, above->first_index - 1);
  return std::max(index, first_index_ - 1);
}

void RaftLog::Append(LogEntry entry) {
  last_index_ = entry.index;
  terms_.Append(entry.term, entry.index, Offset(0));
  tail_.Append(entry);
  pending_.push_back(std::move(entry));
}

void RaftLog::TruncateFrom(LogIndex from) {
  if (from > last_index_) return;
  const LogIndex end = from - 1;
  last_index_ = end;
  terms_.TruncateFrom(from);
  tail_.TruncateFrom(from);
  while (!pending_.empty() && pending_.back().index >= from) pending_.pop_back();
  if (from <= handed_index_) {
    pending_truncate_ = pending_truncate_ ? std::min(*pending_truncate_, from) : from;
    handed_index_ = end;
  }
  written_index_ = std::min(written_index_, end);
  durable_index_ = std::min(durable_index_, end);
  // A write that is still on its way says nothing about what takes the place of its entries.
  if (Mutated(Mutation::kFlushRacesTruncation)) return;
  for (Write& write : writes_) write.end = std::min(write.end, end);
}

void RaftLog::DropPrefix(LogIndex first_index) {
  if (first_index <= first_index_) return;
  first_index_ = first_index;
  terms_.DropBefore(first_index);
  tail_.Trim(0, first_index - 1);
}

void RaftLog::TrimTail(size_t bytes_max, LogIndex commit) {
  tail_.Trim(bytes_max, std::min(written_index_, commit));
}

void RaftLog::TakeWrite(uint64_t seq, std::optional<LogIndex>* truncate_from,
                        std::vector<LogEntry>* entries) {
  *truncate_from = std::exchange(pending_truncate_, std::nullopt);
  *entries = std::exchange(pending_, {});
  handed_index_ = last_index_;
  writes_.push_back({seq, last_index_});
}

bool RaftLog::OnWritten(uint64_t seq) {
  const LogIndex before = written_index_;
  for (Write& write : writes_) {
    if (write.seq > seq) break;
    if (write.written) continue;
    write.written = true;
    written_index_ = std::max(written_index_, write.end);
  }
  return written_index_ != before;
}

bool RaftLog::OnDurable(uint64_t seq) {
  OnWritten(seq);
  const LogIndex before = durable_index_;
  while (!writes_.empty() && writes_.front().seq <= seq) {
    durable_index_ = std::max(durable_index_, writes_.front().end);
    writes_.pop_front();
  }
  return durable_index_ != before;
}

}  // namespace garam::raft
