// The kConfiguration entries of a log: what a Raft member of a restarted process is told of who
// belongs to its group. A log has few, and of those that are committed only the newest counts.
//
// Threads: none of its own; a value type.
#pragma once

#include <string>
#include <vector>

#include "common/ids.h"

namespace garam {

struct ConfigurationRow {
  LogIndex index;
  std::string payload;

  friend bool operator==(const ConfigurationRow&, const ConfigurationRow&) = default;
};

// By index, ascending.
using ConfigurationRows = std::vector<ConfigurationRow>;

// Forgets the rows at `from` and above: their entries are gone.
template <typename Rows>
void TruncateRows(Rows& rows, LogIndex from) {
  while (!rows.empty() && rows.back().index >= from) rows.pop_back();
}

// Forgets what a later committed row has replaced.
inline void DropReplacedRows(ConfigurationRows& rows, LogIndex committed) {
  while (rows.size() > 1 && rows[1].index <= committed) rows.erase(rows.begin());
}

}  // namespace garam
