#include "common/term_rows.h"

#include <algorithm>

namespace garam {

void TermRows::Append(Term term, LogIndex index, Offset offset) {
  if (!rows_.empty() && rows_.back().term == term) return;
  rows_.push_back({term, index, offset});
}

void TermRows::TruncateFrom(LogIndex from) {
  while (!rows_.empty() && rows_.back().first_index >= from) rows_.pop_back();
}

void TermRows::DropBefore(LogIndex first_kept) {
  size_t drop = 0;
  while (drop + 1 < rows_.size() && rows_[drop + 1].first_index < first_kept) ++drop;
  rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(drop));
}

Term TermRows::TermAt(LogIndex index) const {
  auto after = std::upper_bound(rows_.begin(), rows_.end(), index,
                                [](LogIndex i, const TermRow& row) { return i < row.first_index; });
  return after == rows_.begin() ? Term(0) : std::prev(after)->term;
}

std::optional<TermRow> TermRows::RowOf(Term term) const {
  std::optional<TermRow> row = RowAtOrBelow(term);
  return row && row->term == term ? row : std::nullopt;
}

std::optional<TermRow> TermRows::RowAtOrBelow(Term term) const {
  auto after = std::upper_bound(rows_.begin(), rows_.end(), term,
                                [](Term t, const TermRow& row) { return t < row.term; });
  if (after == rows_.begin()) return std::nullopt;
  return *std::prev(after);
}

std::optional<TermRow> TermRows::RowAbove(Term term) const {
  auto after = std::upper_bound(rows_.begin(), rows_.end(), term,
                                [](Term t, const TermRow& row) { return t < row.term; });
  if (after == rows_.end()) return std::nullopt;
  return *after;
}

Term TermRows::TermOfOffset(Offset offset) const {
  // Several rows may begin at one offset (terms without records): the last of them owns it.
  auto after = std::upper_bound(rows_.begin(), rows_.end(), offset,
                                [](Offset o, const TermRow& row) { return o < row.first_offset; });
  return after == rows_.begin() ? Term(0) : std::prev(after)->term;
}

}  // namespace garam
