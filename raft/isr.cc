#include "raft/isr.h"

#include <algorithm>

namespace garam::raft {

IsrTracker::IsrTracker(NodeId self, Duration lag_max, Duration own_pause)
    : self_(self), lag_max_(lag_max), own_pause_(own_pause) {}

void IsrTracker::Start(const std::vector<NodeId>& replicas, LogIndex last, MonoTime now) {
  replicas_.clear();
  last_ = last;
  confirmed_ = false;
  for (NodeId node : replicas) {
    replicas_[node] = {Eligible(node), LogIndex(0), now, last, now};
  }
  ++version_;
}

void IsrTracker::Confirm(MonoTime now) {
  confirmed_ = true;
  for (auto& [node, replica] : replicas_) replica.caught_up_at = now;
}

void IsrTracker::SetReplicas(const std::vector<NodeId>& replicas, MonoTime now) {
  std::map<NodeId, Replica> kept;
  bool changed = false;
  for (NodeId node : replicas) {
    auto found = replicas_.find(node);
    kept[node] =
        found != replicas_.end() ? found->second : Replica{false, LogIndex(0), now, last_, now};
  }
  for (const auto& [node, replica] : replicas_) {
    changed = changed || (replica.in_sync && !kept.contains(node));
  }
  replicas_ = std::move(kept);
  if (changed) ++version_;
}

void IsrTracker::OnLeaderEnd(LogIndex last, MonoTime now) {
  for (auto& [node, replica] : replicas_) {
    // It had everything until this moment, however long ago the last answer was.
    if (CaughtUp(replica)) replica.caught_up_at = now;
  }
  last_ = last;
}

void IsrTracker::OnCommit(LogIndex commit, MonoTime now) {
  commit_ = commit;
  for (auto& [node, replica] : replicas_) Reconsider(node, replica, now);
}

void IsrTracker::OnMatch(NodeId node, LogIndex match, MonoTime now) {
  auto found = replicas_.find(node);
  if (found == replicas_.end()) return;
  Replica& replica = found->second;
  replica.match = match;
  if (CaughtUp(replica)) {
    replica.caught_up_at = now;
  } else if (match >= replica.end_at_last_answer) {
    replica.caught_up_at = std::max(replica.caught_up_at, replica.last_answer_at);
  }
  replica.end_at_last_answer = last_;
  replica.last_answer_at = now;
  Reconsider(node, replica, now);
}

void IsrTracker::SetReachable(NodeId node, bool reachable, MonoTime now) {
  if (reachable) {
    unreachable_since_.erase(node);
  } else {
    unreachable_since_.try_emplace(node, now);
  }
  auto found = replicas_.find(node);
  if (found != replicas_.end()) Reconsider(node, found->second, now);
}

void IsrTracker::SetCanAppend(NodeId node, bool can_append, MonoTime now) {
  cannot_append_[node] = !can_append;
  auto found = replicas_.find(node);
  if (found != replicas_.end()) Reconsider(node, found->second, now);
}

bool IsrTracker::Eligible(NodeId node) const {
  const auto cannot_append = cannot_append_.find(node);
  return !unreachable_since_.contains(node) &&
         (cannot_append == cannot_append_.end() || !cannot_append->second);
}

std::optional<MonoTime> IsrTracker::UnreachableSince(NodeId node) const {
  const auto found = unreachable_since_.find(node);
  return found == unreachable_since_.end() ? std::nullopt : std::optional(found->second);
}

void IsrTracker::Reconsider(NodeId node, Replica& replica, MonoTime now) {
  if (replica.in_sync && !Eligible(node)) {
    replica.in_sync = false;
    ++version_;
  } else if (!replica.in_sync && confirmed_ && Eligible(node) && replica.match >= commit_) {
    replica.in_sync = true;
    replica.caught_up_at = now;
    ++version_;
  }
}

void IsrTracker::Tick(MonoTime now) {
  const std::optional<MonoTime> deadline = NextDeadline();
  if (!deadline || now < *deadline) return;
  const Duration late = now - *deadline;
  if (late > own_pause_) {
    // We slept. The answers of that time are still unread: everybody gets it back, and a bit more.
    for (auto& [node, replica] : replicas_) {
      replica.caught_up_at = std::min(now, replica.caught_up_at + late + own_pause_);
    }
    return;
  }
  for (auto& [node, replica] : replicas_) {
    if (node == self_ || !replica.in_sync || CaughtUp(replica)) continue;
    if (now - replica.caught_up_at < lag_max_) continue;
    replica.in_sync = false;
    ++version_;
  }
}

std::optional<MonoTime> IsrTracker::NextDeadline() const {
  std::optional<MonoTime> deadline;
  if (!confirmed_) return deadline;
  for (const auto& [node, replica] : replicas_) {
    if (node == self_ || !replica.in_sync || CaughtUp(replica)) continue;
    const MonoTime at = replica.caught_up_at + lag_max_;
    deadline = deadline ? std::min(*deadline, at) : at;
  }
  return deadline;
}

std::vector<NodeId> IsrTracker::Members() const {
  std::vector<NodeId> members;
  for (const auto& [node, replica] : replicas_) {
    if (replica.in_sync) members.push_back(node);
  }
  return members;
}

bool IsrTracker::Contains(NodeId node) const {
  auto found = replicas_.find(node);
  return found != replicas_.end() && found->second.in_sync;
}

size_t IsrTracker::size() const { return Members().size(); }

size_t IsrTracker::CountHaving(LogIndex index) const {
  size_t count = 0;
  for (const auto& [node, replica] : replicas_) {
    if (replica.in_sync && replica.match >= index) ++count;
  }
  return count;
}

}  // namespace garam::raft
