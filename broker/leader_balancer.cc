#include "broker/leader_balancer.h"

#include <algorithm>
#include <utility>

namespace garam {

LeaderBalancer::NodeRecord& LeaderBalancer::RecordOf(NodeId node) {
  return nodes_.try_emplace(node, NodeRecord{options_.settle}).first->second;
}

std::vector<GroupId> LeaderBalancer::Pick(const std::vector<Stray>& strays, MonoTime now) {
  std::map<GroupId, MonoTime> since;
  std::vector<GroupId> picked;
  for (const Stray& stray : strays) {
    const auto known = since_.find(stray.group);
    const MonoTime first = known == since_.end() ? now : known->second;
    NodeRecord& node = RecordOf(stray.preferred);
    if (now - first < node.settle || picked.size() == options_.at_once) {
      since.emplace(stray.group, first);
      continue;
    }
    node.given_at = now;
    picked.push_back(stray.group);
  }
  since_ = std::move(since);
  return picked;
}

void LeaderBalancer::NodeDown(NodeId node, MonoTime now) {
  NodeRecord& record = RecordOf(node);
  const bool flaps = record.given_at != MonoTime::min() && now - record.given_at < options_.flap;
  record.settle = flaps ? std::min(record.settle * 2, options_.settle_max) : options_.settle;
}

}  // namespace garam
