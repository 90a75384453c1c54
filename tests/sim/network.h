// The links between simulated nodes: one control connection a pair and one for entries a pair and
// shard, each in order until it breaks, and calls beside them.
//
// A message in flight outlives its sender; what was on its way when a connection breaks is lost. A
// link that is cut loses everything, and what it lost breaks its connections in the end, as TCP
// does.
//
// Threads: the world's one. Ownership: the world and the endpoints outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "tests/sim/world.h"

namespace garam::sim {

// The other side of the network: a node as its links see it.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual bool running() const = 0;
  // Whether the machine has power: then a closed port refuses at once.
  virtual bool powered() const = 0;
  // Of this life of the process: what was sent to an earlier one does not reach a later one.
  virtual uint64_t life() const = 0;
  virtual size_t shards() const = 0;
  virtual void Deliver(size_t shard, Task task) = 0;
  virtual void ConnectionChanged(NodeId peer, size_t channel, bool open) = 0;
};

// Channel 0 is the control plane; 1 + s are the entries of shard s.
inline constexpr size_t kControlChannel = 0;

class Network {
 public:
  Network(World& world, Duration delay, size_t channels)
      : world_(world), delay_(delay), channels_(channels) {}

  void Add(NodeId node, Endpoint& endpoint) { endpoints_[node] = &endpoint; }

  // The process of `node` has started, or ended. `silent`: nobody sends a last word.
  void Started(NodeId node);
  void Ended(NodeId node, bool silent);

  // False, dropping it, when the connection is not open.
  bool Send(NodeId from, NodeId to, size_t channel, Task deliver);
  // Runs `deliver` there once, outside any connection; `lost` here instead when it cannot be, at
  // once when nobody listens there, and else after `timeout`. Neither after the end of this life.
  void Call(NodeId from, NodeId to, Duration timeout, Task deliver,
            std::function<void(bool refused)> lost);
  // The way back of a call that is delivered: no answer when the link is cut.
  void Answer(NodeId from, NodeId to, uint64_t life, Task deliver);

  void Cut(NodeId from, NodeId to);
  void Heal(NodeId from, NodeId to);
  void HealAll();
  // Breaks every connection of the pair.
  void Reset(NodeId a, NodeId b);
  // What `from` says on the pair's control connection does not arrive any more, though the
  // connection looks open and the other way works: until it ends, or `from` dials anew.
  void Stick(NodeId from, NodeId to);
  // Ends the pair's control connection for another one.
  void Redial(NodeId from, NodeId to);
  void SetDelay(Duration delay) { delay_ = delay; }
  // So often messages between replicas arrive twice: whoever sends asks, and sends once more.
  void SetDuplicates(double probability) { duplicates_ = probability; }
  bool Duplicates() { return duplicates_ > 0 && world_.Chance(duplicates_); }
  bool IsCut(NodeId from, NodeId to) const { return cut_.contains({from, to}); }

 private:
  using Pair = std::pair<NodeId, NodeId>;  // Ascending.
  struct Connection {
    bool open = false;
    bool broken = false;  // Something was lost: what comes later must not arrive.
    bool opening = false;
    NodeId stuck = kNoNode;  // Whose words are swallowed.
    uint64_t epoch = 0;
    std::map<NodeId, MonoTime> last_delivery{};  // By receiver.
  };

  static Pair PairOf(NodeId a, NodeId b) { return a < b ? Pair(a, b) : Pair(b, a); }
  Connection& At(Pair pair, size_t channel) { return connections_[{pair, channel}]; }
  Duration Delay();
  void Open(Pair pair, size_t channel);
  void OpenSoon(Pair pair, size_t channel, Duration wait);
  void Close(Pair pair, size_t channel);
  void CloseSoon(Pair pair, size_t channel, Duration wait);
  bool Reachable(NodeId from, NodeId to) const;

  World& world_;
  Duration delay_;
  const size_t channels_;
  double duplicates_ = 0;
  std::map<NodeId, Endpoint*> endpoints_;
  std::map<std::pair<Pair, size_t>, Connection> connections_;
  std::set<Pair> cut_;  // (from, to).
};

}  // namespace garam::sim
