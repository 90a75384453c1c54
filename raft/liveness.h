// Whether the other nodes are alive, as seen from this one (D17): one small machine for each pair.
//
//   up       heartbeats come, or a handshake succeeded.
//   suspect  silent for `suspect_after`, but something may still be open: the normal election
//            timeouts run.
//   down     all streams of the pair are closed AND a handshake made after that was refused or not
//            answered within `handshake_wait`. Never on one reset alone.
// A new start id is a restart, whatever the state was. Words may come late, and those of a process
// after those of the next one: an answer to a handshake that was asked for since is what decides.
// Our own pause is nobody's silence: a late
// tick is credited to every peer.
//
// A pair has a stream each way, and one of them may be stuck while the other works. So heartbeats
// say how many of them their sender has sent without receiving one, and when the peer misses those
// of `unheard_max` beats in a row, our stream to it is to be dialled anew. Both sides count beats
// and not time, and the smaller count is believed: who is stopped for a while counts nothing.
//
// Threads: its owner's. Time: passed in, never going back.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "raft/types.h"

namespace garam::raft {

struct LivenessEvent {
  enum class Kind {
    kUp,
    kSuspect,
    kDown,
    kRestarted,  // Another process answers under this id: what the old one held in memory is gone.
  };
  NodeId node = kNoNode;
  Kind kind = Kind::kUp;
  StartId start_id;  // Of kRestarted and kUp.

  friend bool operator==(const LivenessEvent&, const LivenessEvent&) = default;
};

class Liveness {
 public:
  explicit Liveness(Timing timing) : timing_(timing) {}

  // A peer to be watched, and probed at once. It starts as suspect, without an event.
  void Add(NodeId node, MonoTime now);
  void Remove(NodeId node);

  // `unheard`: how many heartbeats the node has sent since it last received one from here.
  void HeartbeatReceived(NodeId node, StartId start_id, uint32_t unheard, MonoTime now);
  // A heartbeat is about to be sent to the node: the number that it is to carry, as `unheard`
  // above.
  uint32_t Beat(NodeId node);
  // Any stream of the pair, of either plane and either direction, by a name of the owner's choice.
  void StreamOpened(NodeId node, uint64_t stream, MonoTime now);
  void StreamClosed(NodeId node, uint64_t stream, MonoTime now);
  // Our handshake, begun at `asked_at`, is answered. Who the incarnation is, is the owner's to
  // check before, here and below.
  void HandshakeDone(NodeId node, StartId start_id, MonoTime asked_at, MonoTime now);
  // The peer's own handshake.
  void HandshakeReceived(NodeId node, StartId start_id, MonoTime now);
  void HandshakeRefused(NodeId node, MonoTime now);
  void HandshakeTimedOut(NodeId node, MonoTime now);
  void Tick(MonoTime now);

  // Since the last call. `TakeProbes`: shake hands with these now, waiting `handshake_wait`.
  // `TakeRedials`: our streams to these are stuck.
  std::vector<LivenessEvent> TakeEvents();
  std::vector<NodeId> TakeProbes();
  std::vector<NodeId> TakeRedials();
  std::optional<MonoTime> NextDeadline() const;

  // kDown for a node that was never added.
  NodeState StateOf(NodeId node) const;
  std::optional<StartId> StartIdOf(NodeId node) const;
  std::vector<NodeId> Up() const;

 private:
  struct Peer {
    NodeState state = NodeState::kSuspect;
    std::optional<StartId> start_id;
    MonoTime known_since{};                    // The start id.
    std::optional<StartId> previous_start_id;  // Its last words may still come in.
    std::set<uint64_t> streams;
    std::optional<MonoTime> silence_at;  // Becomes suspect then.
    bool pause_credited = false;         // Since it was last heard.
    bool probing = false;
    std::optional<MonoTime> probe_at;  // Probing: no answer by then. Down: asks again then.
    uint32_t sent = 0;                 // Heartbeats to it since the last one from it.
    uint32_t missed = 0;       // How many it says that it has sent since the last one from us.
    uint32_t unheard = 0;      // Heartbeats to it since it was known to receive them.
    uint32_t unheard_max = 0;  // With both at that, our stream is dialled anew.
  };

  void Heard(NodeId node, Peer& peer, StartId start_id, MonoTime now);
  void Probe(NodeId node, Peer& peer, MonoTime now);
  void ProbeFailed(NodeId node, MonoTime now);

  Timing timing_;
  std::map<NodeId, Peer> peers_;
  std::vector<LivenessEvent> events_;
  std::vector<NodeId> probes_;
  std::vector<NodeId> redials_;
};

}  // namespace garam::raft
