// Which replicas are in sync, as the leader of a group judges it (D2). It does not elect; it gates
// acks=all and is shown to clients.
//
// A replica is caught up at a moment when its match had reached the leader's end as of the time the
// data was sent (Kafka's meaning). It leaves the ISR when its last such moment is `lag_max` ago,
// and at once when its node is suspect or down or it says that it cannot append; it returns when
// its match has reached the commit. The leader's own pause counts against nobody.
//
// Threads: its owner's. Time: passed in, never going back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"

namespace garam::raft {

class IsrTracker {
 public:
  // `own_pause`: a Tick that comes later than this was our own pause.
  IsrTracker(NodeId self, Duration lag_max, Duration own_pause);

  // A new leadership with these replicas (self among them), all given credit as of `now`. Replicas
  // whose node is not up, or that cannot append, are out at once. The version goes on rising.
  void Start(const std::vector<NodeId>& replicas, LogIndex last, MonoTime now);
  // The no-op of this leadership is committed: from now on lag is judged.
  void Confirm(MonoTime now);
  void SetReplicas(const std::vector<NodeId>& replicas, MonoTime now);
  void SetLagMax(Duration lag_max) { lag_max_ = lag_max; }

  // The leader appended: its log ends at `last`.
  void OnLeaderEnd(LogIndex last, MonoTime now);
  void OnCommit(LogIndex commit, MonoTime now);
  // An answer of `node` (or the leader's own write): its match at the stage that counts. A lower
  // value than before is believed: the replica started anew.
  void OnMatch(NodeId node, LogIndex match, MonoTime now);
  void SetReachable(NodeId node, bool reachable, MonoTime now);
  void SetCanAppend(NodeId node, bool can_append, MonoTime now);
  void Tick(MonoTime now);
  std::optional<MonoTime> NextDeadline() const;

  // Ascending.
  std::vector<NodeId> Members() const;
  bool Contains(NodeId node) const;
  std::optional<MonoTime> UnreachableSince(NodeId node) const;
  size_t size() const;
  // Rises at each change of the members.
  uint64_t version() const { return version_; }
  // The members whose match has reached `index`.
  size_t CountHaving(LogIndex index) const;

 private:
  struct Replica {
    bool in_sync = false;
    LogIndex match;
    MonoTime caught_up_at;
    LogIndex end_at_last_answer;
    MonoTime last_answer_at;
  };

  bool Eligible(NodeId node) const;
  bool CaughtUp(const Replica& replica) const { return replica.match >= last_; }
  void Reconsider(NodeId node, Replica& replica, MonoTime now);
  void Expire(MonoTime now);

  NodeId self_;
  Duration lag_max_;
  Duration own_pause_;
  std::map<NodeId, Replica> replicas_;
  std::map<NodeId, MonoTime> unreachable_since_;
  std::map<NodeId, bool> cannot_append_;
  LogIndex last_;
  LogIndex commit_;
  bool confirmed_ = false;
  uint64_t version_ = 0;
};

}  // namespace garam::raft
