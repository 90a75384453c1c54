// What the controller tells of group 0's members (DescribeQuorum), and since when it knows it.
//
// Threads: one at a time. Pure: who is there, and the time, are passed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"

namespace garam {

struct QuorumMember {
  NodeId node{};
  Incarnation incarnation{};
  bool votes = false;
  LogIndex last_index{};  // Of the last entry that it is known to have.
  // Milliseconds since 1970; none: never in this leadership.
  std::optional<int64_t> fetched_ms{};    // When it was heard of last.
  std::optional<int64_t> caught_up_ms{};  // When it had all that is committed.
  friend bool operator==(const QuorumMember&, const QuorumMember&) = default;
};

struct QuorumState {
  NodeId leader = kNoNode;
  Term term{};
  LogIndex commit{};
  std::vector<QuorumMember> members{};
  friend bool operator==(const QuorumState&, const QuorumState&) = default;
};

class QuorumWatch {
 public:
  // Looks at the members; call it every second or so, and before a question is answered. Fills in
  // when each was heard of and caught up: now, for one of `live`, which the leader sees; for others
  // what was so when they were seen last.
  void Look(std::vector<QuorumMember>& members, LogIndex commit, const std::set<NodeId>& live,
            int64_t now_ms);
  // Another leadership: what was seen before is forgotten.
  void Reset() { seen_.clear(); }

 private:
  struct Seen {
    Incarnation incarnation{};
    std::optional<int64_t> fetched_ms{};
    std::optional<int64_t> caught_up_ms{};
  };

  std::map<NodeId, Seen> seen_;  // Of members only.
};

}  // namespace garam
