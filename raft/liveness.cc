#include "raft/liveness.h"

#include <algorithm>
#include <utility>

namespace garam::raft {

using Kind = LivenessEvent::Kind;

void Liveness::Add(NodeId node, MonoTime now) {
  auto [entry, added] = peers_.try_emplace(node);
  if (!added) return;
  entry->second.unheard_max = timing_.unheard_max;
  Probe(node, entry->second, now);
}

void Liveness::Remove(NodeId node) { peers_.erase(node); }

void Liveness::HeartbeatReceived(NodeId node, StartId start_id, uint32_t unheard, MonoTime now) {
  auto found = peers_.find(node);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  Heard(node, peer, start_id, now);
  if (peer.start_id != start_id) return;
  peer.sent = 0;
  peer.missed = unheard;
  peer.unheard = std::min(peer.unheard, unheard);
  if (unheard < timing_.unheard_max) peer.unheard_max = timing_.unheard_max;
}

uint32_t Liveness::Beat(NodeId node) {
  auto found = peers_.find(node);
  if (found == peers_.end()) return 0;
  Peer& peer = found->second;
  ++peer.unheard;
  // Of a peer that we do not hear nothing is known: its silence is judged by the clock.
  if (peer.state == NodeState::kUp && std::min(peer.missed, peer.unheard) >= peer.unheard_max) {
    peer.missed = peer.unheard = 0;
    peer.unheard_max = std::min(2 * peer.unheard_max, timing_.unheard_backoff_max);
    redials_.push_back(node);
  }
  return peer.sent++;
}

void Liveness::HandshakeDone(NodeId node, StartId start_id, MonoTime asked_at, MonoTime now) {
  auto found = peers_.find(node);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  if (peer.start_id && peer.start_id != start_id) {
    // One of the two is gone, and it is not known which.
    if (asked_at < peer.known_since) return Probe(node, peer, now);
    peer.previous_start_id.reset();
  }
  Heard(node, peer, start_id, now);
}

void Liveness::HandshakeReceived(NodeId node, StartId start_id, MonoTime now) {
  auto found = peers_.find(node);
  if (found != peers_.end()) Heard(node, found->second, start_id, now);
}

void Liveness::Heard(NodeId node, Peer& peer, StartId start_id, MonoTime now) {
  if (peer.previous_start_id == start_id) {
    // The last words of a process that is gone, or the first ones that were overtaken by those.
    if (!peer.probing) Probe(node, peer, now);
    return;
  }
  if (peer.start_id && peer.start_id != start_id) {
    peer.previous_start_id = peer.start_id;
    events_.push_back({node, Kind::kRestarted, start_id});
  }
  if (peer.start_id != start_id) peer.known_since = now;
  peer.start_id = start_id;
  peer.silence_at = now + timing_.suspect_after;
  peer.pause_credited = false;
  peer.probing = false;
  peer.probe_at.reset();
  if (peer.state == NodeState::kUp) return;
  peer.state = NodeState::kUp;
  events_.push_back({node, Kind::kUp, start_id});
}

void Liveness::StreamOpened(NodeId node, uint64_t stream, MonoTime /*now*/) {
  auto found = peers_.find(node);
  if (found != peers_.end()) found->second.streams.insert(stream);
}

void Liveness::StreamClosed(NodeId node, uint64_t stream, MonoTime now) {
  auto found = peers_.find(node);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.streams.erase(stream);
  // One reset proves nothing; all of them ask for a handshake, and only a new one counts.
  if (peer.streams.empty() && peer.state != NodeState::kDown) Probe(node, peer, now);
}

void Liveness::Probe(NodeId node, Peer& peer, MonoTime now) {
  peer.probing = true;
  peer.probe_at = now + timing_.handshake_wait;
  peer.pause_credited = false;
  probes_.push_back(node);
}

void Liveness::HandshakeRefused(NodeId node, MonoTime now) { ProbeFailed(node, now); }

void Liveness::HandshakeTimedOut(NodeId node, MonoTime now) { ProbeFailed(node, now); }

void Liveness::ProbeFailed(NodeId node, MonoTime now) {
  auto found = peers_.find(node);
  if (found == peers_.end() || !found->second.probing) return;
  Peer& peer = found->second;
  peer.probing = false;
  peer.probe_at.reset();
  if (!peer.streams.empty()) return;
  peer.probe_at = now + timing_.reprobe;
  peer.silence_at.reset();
  if (peer.state == NodeState::kDown) return;
  peer.state = NodeState::kDown;
  events_.push_back({node, Kind::kDown, StartId(0)});
}

void Liveness::Tick(MonoTime now) {
  // Late by that much, it was we who slept: what the peers sent meanwhile may still be unread.
  auto own_pause = [&](Peer& peer, MonoTime deadline) {
    if (now - deadline <= timing_.own_pause || peer.pause_credited) return false;
    peer.pause_credited = true;
    return true;
  };
  for (auto& [node, peer] : peers_) {
    if (peer.silence_at && now >= *peer.silence_at) {
      if (own_pause(peer, *peer.silence_at)) {
        peer.silence_at = now + timing_.suspect_after;
      } else {
        peer.silence_at.reset();
        peer.state = NodeState::kSuspect;
        events_.push_back({node, Kind::kSuspect, StartId(0)});
        if (peer.streams.empty() && !peer.probing) Probe(node, peer, now);
      }
    }
    if (!peer.probe_at || now < *peer.probe_at) continue;
    if (!peer.probing) {
      Probe(node, peer, now);
    } else if (own_pause(peer, *peer.probe_at)) {
      peer.probe_at = now + timing_.handshake_wait;
    } else {
      ProbeFailed(node, now);
    }
  }
}

std::vector<LivenessEvent> Liveness::TakeEvents() { return std::exchange(events_, {}); }

std::vector<NodeId> Liveness::TakeProbes() { return std::exchange(probes_, {}); }

std::vector<NodeId> Liveness::TakeRedials() { return std::exchange(redials_, {}); }

std::optional<MonoTime> Liveness::NextDeadline() const {
  std::optional<MonoTime> deadline;
  for (const auto& [node, peer] : peers_) {
    for (const std::optional<MonoTime>& at : {peer.silence_at, peer.probe_at}) {
      if (at) deadline = deadline ? std::min(*deadline, *at) : *at;
    }
  }
  return deadline;
}

NodeState Liveness::StateOf(NodeId node) const {
  auto found = peers_.find(node);
  return found == peers_.end() ? NodeState::kDown : found->second.state;
}

std::optional<StartId> Liveness::StartIdOf(NodeId node) const {
  auto found = peers_.find(node);
  return found == peers_.end() ? std::nullopt : found->second.start_id;
}

std::vector<NodeId> Liveness::Up() const {
  std::vector<NodeId> up;
  for (const auto& [node, peer] : peers_) {
    if (peer.state == NodeState::kUp) up.push_back(node);
  }
  return up;
}

}  // namespace garam::raft
