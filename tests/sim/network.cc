#include "tests/sim/network.h"

#include <algorithm>

namespace garam::sim {
namespace {

constexpr Duration kLeastDelay = Micros(10);

}  // namespace

Duration Network::Delay() { return kLeastDelay + world_.Around(delay_); }

bool Network::Reachable(NodeId from, NodeId to) const {
  return !cut_.contains({from, to}) && !cut_.contains({to, from});
}

void Network::Started(NodeId node) {
  for (const auto& [other, endpoint] : endpoints_) {
    if (other == node) continue;
    for (size_t channel = 0; channel < channels_; ++channel) {
      const Pair pair = PairOf(node, other);
      // The first word over a connection of the life before is answered with a reset.
      if (At(pair, channel).open) CloseSoon(pair, channel, Delay());
      OpenSoon(pair, channel, world_.Between(Millis(1), Millis(60)));
    }
  }
}

void Network::Ended(NodeId node, bool silent) {
  for (auto& [key, connection] : connections_) {
    const auto& [pair, channel] = key;
    if (!connection.open || (pair.first != node && pair.second != node)) continue;
    connection.broken = true;
    const NodeId other = pair.first == node ? pair.second : pair.first;
    Duration wait = Delay();
    if (silent || !Reachable(node, other)) {
      wait = world_.Between(Millis(500), std::chrono::seconds(8));
    } else {
      // Its last words arrive before the end of the stream does.
      wait = std::max(wait, connection.last_delivery[other] - world_.now() + Micros(1));
    }
    CloseSoon(pair, channel, wait);
  }
}

bool Network::Send(NodeId from, NodeId to, size_t channel, Task deliver) {
  Connection& connection = At(PairOf(from, to), channel);
  if (!connection.open) return false;
  // Into a buffer that nobody will read.
  if (connection.broken || connection.stuck == from) return true;
  if (!Reachable(from, to)) {
    connection.broken = true;
    CloseSoon(PairOf(from, to), channel, world_.Between(Millis(500), std::chrono::seconds(8)));
    return true;
  }
  MonoTime& last = connection.last_delivery[to];
  last = std::max(last + std::chrono::nanoseconds(1), world_.now() + Delay());
  world_.At(last, [this, to, from, channel, epoch = connection.epoch,
                   life = endpoints_.at(to)->life(), deliver = std::move(deliver)]() mutable {
    Endpoint& receiver = *endpoints_.at(to);
    if (At(PairOf(from, to), channel).epoch != epoch) return;
    if (!receiver.running() || receiver.life() != life) return;
    const size_t shard = channel == kControlChannel ? 0 : (channel - 1) % receiver.shards();
    receiver.Deliver(shard, std::move(deliver));
  });
  return true;
}

void Network::Call(NodeId from, NodeId to, Duration timeout, Task deliver,
                   std::function<void(bool refused)> lost) {
  Endpoint& caller = *endpoints_.at(from);
  const uint64_t own_life = caller.life();
  auto tell = [this, from, own_life, lost = std::move(lost)](bool refused) {
    Endpoint& endpoint = *endpoints_.at(from);
    if (!endpoint.running() || endpoint.life() != own_life) return;
    endpoint.Deliver(0, [lost, refused] { lost(refused); });
  };
  Endpoint& callee = *endpoints_.at(to);
  if (Reachable(from, to) && callee.powered() && !callee.running()) {
    return world_.After(Delay() + Delay(), [tell] { tell(true); });
  }
  world_.After(timeout, [tell] { tell(false); });
  if (!Reachable(from, to) || !callee.running()) return;
  world_.After(Delay(), [this, to, life = callee.life(), deliver = std::move(deliver)]() mutable {
    Endpoint& receiver = *endpoints_.at(to);
    if (!receiver.running() || receiver.life() != life) return;
    receiver.Deliver(0, std::move(deliver));
  });
}

void Network::Answer(NodeId from, NodeId to, uint64_t life, Task deliver) {
  if (!Reachable(from, to)) return;
  world_.After(Delay(), [this, to, life, deliver = std::move(deliver)]() mutable {
    Endpoint& receiver = *endpoints_.at(to);
    if (!receiver.running() || receiver.life() != life) return;
    receiver.Deliver(0, std::move(deliver));
  });
}

void Network::OpenSoon(Pair pair, size_t channel, Duration wait) {
  Connection& connection = At(pair, channel);
  if (connection.opening) return;
  connection.opening = true;
  world_.After(wait, [this, pair, channel] {
    At(pair, channel).opening = false;
    Open(pair, channel);
  });
}

void Network::Open(Pair pair, size_t channel) {
  Connection& connection = At(pair, channel);
  Endpoint& a = *endpoints_.at(pair.first);
  Endpoint& b = *endpoints_.at(pair.second);
  if (!a.running() || !b.running()) return;  // Started calls again.
  if (connection.open || !Reachable(pair.first, pair.second)) {
    return OpenSoon(pair, channel, world_.Between(Millis(50), Millis(500)));
  }
  connection.open = true;
  connection.broken = false;
  connection.stuck = kNoNode;
  ++connection.epoch;
  connection.last_delivery.clear();
  a.ConnectionChanged(pair.second, channel, true);
  b.ConnectionChanged(pair.first, channel, true);
}

void Network::CloseSoon(Pair pair, size_t channel, Duration wait) {
  world_.After(wait, [this, pair, channel, epoch = At(pair, channel).epoch] {
    Connection& connection = At(pair, channel);
    if (connection.open && connection.epoch == epoch) Close(pair, channel);
  });
}

void Network::Close(Pair pair, size_t channel) {
  Connection& connection = At(pair, channel);
  connection.open = false;
  ++connection.epoch;
  Endpoint& a = *endpoints_.at(pair.first);
  Endpoint& b = *endpoints_.at(pair.second);
  if (a.running()) a.ConnectionChanged(pair.second, channel, false);
  if (b.running()) b.ConnectionChanged(pair.first, channel, false);
  OpenSoon(pair, channel, world_.Between(Millis(1), Millis(300)));
}

void Network::Stick(NodeId from, NodeId to) {
  Connection& connection = At(PairOf(from, to), kControlChannel);
  // Stuck both ways it would be silent, which is for the transport's own pings to notice.
  if (connection.open && connection.stuck == kNoNode) connection.stuck = from;
}

void Network::Redial(NodeId from, NodeId to) {
  const Pair pair = PairOf(from, to);
  if (At(pair, kControlChannel).open) Close(pair, kControlChannel);
}

void Network::Cut(NodeId from, NodeId to) { cut_.insert({from, to}); }

void Network::Heal(NodeId from, NodeId to) {
  if (cut_.erase({from, to}) == 0) return;
  // What was lost meanwhile is noticed as soon as the other side answers.
  for (size_t channel = 0; channel < channels_; ++channel) {
    const Pair pair = PairOf(from, to);
    if (At(pair, channel).broken) CloseSoon(pair, channel, world_.Between(Millis(1), Millis(200)));
  }
}

void Network::HealAll() {
  const std::set<Pair> cut = cut_;
  for (const auto& [from, to] : cut) Heal(from, to);
}

void Network::Reset(NodeId a, NodeId b) {
  for (size_t channel = 0; channel < channels_; ++channel) {
    if (At(PairOf(a, b), channel).open) Close(PairOf(a, b), channel);
  }
}

}  // namespace garam::sim
