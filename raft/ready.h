// One numbered portion of a core's output. The owner does, in this order: start persisting, send
// `messages`, start `reads`, publish the rest. It need not wait for one Ready to be persisted
// before it takes the next, as long as the log writes of a group are done in order and the hard
// states of a group are too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/hard_state.h"
#include "common/ids.h"
#include "common/log_entry.h"
#include "raft/messages.h"
#include "raft/types.h"

namespace garam::raft {

struct Outgoing {
  NodeId to = kNoNode;
  Message message;
};

// Entries for `peer` that memory no longer has: read them from the log, from `from` on, at least
// one and then up to `bytes_max`, and give them to Core::OnEntriesRead.
struct ReadRequest {
  NodeId peer = kNoNode;
  LogIndex from;
  size_t bytes_max = 0;

  friend bool operator==(const ReadRequest&, const ReadRequest&) = default;
};

struct Ready {
  uint64_t seq = 0;

  // To be persisted. Report OnHardStateDurable(seq) when the hard state is on stable storage.
  std::optional<HardState> hard_state;
  // First drop everything from `truncate_from` on, then append `entries`. Report OnWritten(seq) and
  // OnDurable(seq); a report for a later seq covers the earlier ones.
  std::optional<LogIndex> truncate_from;
  std::vector<LogEntry> entries;

  // May leave at once: what had to wait for a disk was kept inside the core until the report came.
  std::vector<Outgoing> messages;

  std::optional<LogIndex> commit;  // Set when it moved.
  std::optional<RoleChange> role;  // Set when role, term or leader moved.
  std::vector<ReadRequest> reads;

  // The leader whose log begins above where ours may agree with it: copy from it what is missing,
  // and call Core::Install. Said again every second or so while it is true.
  std::optional<NodeId> copy_from;
  // Set when it moved: this node led, with a quorum, when Core::AskStillLeader gave this number.
  std::optional<uint64_t> confirmed_round;

  bool has_log_write() const { return truncate_from.has_value() || !entries.empty(); }
};

}  // namespace garam::raft
