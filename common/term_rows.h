// Where each term of a log begins: what Raft asks for terms by index, and Kafka for epochs by
// offset (KIP-101). A log of many entries has few rows.
//
// Threads: none of its own; a value type.
#pragma once

#include <optional>
#include <vector>

#include "common/ids.h"

namespace garam {

struct TermRow {
  Term term;
  LogIndex first_index;
  Offset first_offset;  // The offset that the term's first record has, or would have had.

  friend bool operator==(const TermRow&, const TermRow&) = default;
};

class TermRows {
 public:
  TermRows() = default;
  // `rows` ascend strictly in term and in first_index.
  explicit TermRows(std::vector<TermRow> rows) : rows_(std::move(rows)) {}

  const std::vector<TermRow>& rows() const { return rows_; }

  // Notes that the entry at `index` has `term`; does nothing while the term stays the same.
  void Append(Term term, LogIndex index, Offset offset);
  // Forgets everything at `from` and above.
  void TruncateFrom(LogIndex from);
  // Forgets rows that end at or below `first_kept - 1`; the row that holds `first_kept - 1` stays,
  // for Raft asks for the term just before the log start.
  void DropBefore(LogIndex first_kept);

  // The term of the entry at `index`, which must not be above the last entry; Term(0) below the
  // first row.
  Term TermAt(LogIndex index) const;
  // The first index of `term`'s row, if the log has that term.
  std::optional<TermRow> RowOf(Term term) const;
  // The largest row with a term at or below `term`.
  std::optional<TermRow> RowAtOrBelow(Term term) const;
  // The first row with a term above `term`.
  std::optional<TermRow> RowAbove(Term term) const;
  // The term of the record at `offset`; Term(0) below the first row.
  Term TermOfOffset(Offset offset) const;

  friend bool operator==(const TermRows&, const TermRows&) = default;

 private:
  std::vector<TermRow> rows_;
};

}  // namespace garam
