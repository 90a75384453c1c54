// Which leaderships go back to their preferred replicas, and when: what keeps leaders even after
// failures. Every broker decides for the partitions that it leads itself. Pure.
//
// A replica has to be in sync for a while before it leads again, and a node that goes down soon
// after it was given leaderships has to wait twice as long the next time: nothing goes to and fro.
//
// Threads: one at a time.
#pragma once

#include <map>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"

namespace garam {

class LeaderBalancer {
 public:
  struct Options {
    Duration settle = Millis(5000);  // In sync for so long, before it leads.
    Duration settle_max = Millis(300'000);
    Duration flap = Millis(60'000);  // Down so soon after it was given something: it flaps.
    size_t at_once = 50;
  };
  // A partition led here whose preferred replica is another one, up and in sync.
  struct Stray {
    GroupId group;
    NodeId preferred;
  };

  explicit LeaderBalancer(Options options) : options_(options) {}

  // Those to be handed over now, at most `at_once`; `strays` are all that there are.
  std::vector<GroupId> Pick(const std::vector<Stray>& strays, MonoTime now);
  void NodeDown(NodeId node, MonoTime now);

 private:
  struct NodeRecord {
    Duration settle;
    MonoTime given_at = MonoTime::min();  // The latest leadership.
  };

  NodeRecord& RecordOf(NodeId node);

  const Options options_;
  std::map<GroupId, MonoTime> since_;  // Strays, and when each was first seen as one.
  std::map<NodeId, NodeRecord> nodes_;
};

}  // namespace garam
