// What a leader knows of one follower.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/clock.h"
#include "common/ids.h"

namespace garam::raft {

enum class PeerState {
  kProbe,         // Where the logs agree is not known: one append at a time.
  kReplicate,     // Appends are pipelined up to the window.
  kTooFarBehind,  // Needs entries that our log no longer has: it copies segments (D15).
};

struct Progress {
  PeerState state = PeerState::kProbe;
  Incarnation member{0};  // Who on that node it is.
  uint32_t life = 0;      // Which of its lives the matches below are of.
  uint32_t session = 0;   // No two of a leader's have the same, whoever they are with.
  LogIndex written;       // Match, by the follower's own reports; each only grows within a session.
  LogIndex durable;
  LogIndex commit;     // What the follower said it knows.
  uint64_t round = 0;  // The latest that it has answered.
  LogIndex next{1};
  bool rejected = false;  // Probing after a reject: with empty appends.
  LogIndex probe_prev;    // prev_index of the latest probe.
  bool awaiting = false;  // A probe is on its way.
  // From where on its entries are being read from the disk.
  std::optional<LogIndex> reading;
  LogIndex told_commit;   // The highest commit sent such that the follower can take it over.
  LogIndex told_compact;  // Append::compact_before, as sent last.
  std::optional<MonoTime> last_ack;
  std::optional<MonoTime> retry_at;  // Nothing came back by then: ask again.

  struct Inflight {
    LogIndex last;
    size_t bytes;
  };
  std::deque<Inflight> inflight;
  size_t inflight_bytes = 0;

  void FreeInflight(LogIndex up_to) {
    while (!inflight.empty() && inflight.front().last <= up_to) {
      inflight_bytes -= inflight.front().bytes;
      inflight.pop_front();
    }
  }
  void ClearInflight() {
    inflight.clear();
    inflight_bytes = 0;
  }
};

}  // namespace garam::raft
