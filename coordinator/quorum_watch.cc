#include "coordinator/quorum_watch.h"

#include <utility>

namespace garam {

void QuorumWatch::Look(std::vector<QuorumMember>& members, LogIndex commit,
                       const std::set<NodeId>& live, int64_t now_ms) {
  std::map<NodeId, Seen> seen;
  for (QuorumMember& member : members) {
    Seen& now = seen[member.node];
    const auto before = seen_.find(member.node);
    if (before != seen_.end() && before->second.incarnation == member.incarnation) {
      now = before->second;
    }
    now.incarnation = member.incarnation;
    if (live.contains(member.node)) {
      now.fetched_ms = now_ms;
      if (member.last_index >= commit) now.caught_up_ms = now_ms;
    }
    member.fetched_ms = now.fetched_ms;
    member.caught_up_ms = now.caught_up_ms;
  }
  seen_ = std::move(seen);
}

}  // namespace garam
