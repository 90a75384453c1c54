// The small words of the raft room: roles, stages, timing, and what a core starts from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/hard_state.h"
#include "common/ids.h"
#include "common/log_entry.h"
#include "common/term_rows.h"
#include "raft/configuration.h"

namespace garam::raft {

// Which match counts for commit, acknowledgement and ISR (D1, D3): kWritten in P mode, kDurable in
// F mode and for group 0.
enum class Stage { kWritten, kDurable };

enum class Role { kFollower, kPreCandidate, kCandidate, kLeader };

// What a replica may do in elections. A draining node still votes; one whose storage failed or
// whose log is damaged does neither.
enum class Standing { kFull, kVoteOnly, kNone };

// What the liveness of node pairs says of a node (D17). Nobody heard of yet counts as kUp.
enum class NodeState { kUp, kSuspect, kDown };

// D17. All of it is configurable; the defaults suit a local network.
struct Timing {
  Duration heartbeat = Millis(100);
  Duration suspect_after = Millis(400);
  Duration handshake_wait = Millis(100);
  // Our stream to a peer that we hear is opened anew when this many of our heartbeats in a row have
  // not reached it; twice as many the next time, up to the largest.
  uint32_t unheard_max = 10;
  uint32_t unheard_backoff_max = 80;
  // A node that is down is asked again so often.
  Duration reprobe = Millis(500);
  // The normal election timeout is `election` + a random part of `election_jitter`.
  Duration election = Millis(400);
  Duration election_jitter = Millis(200);
  // A pre-vote needs no flush, so it is tried again sooner.
  Duration prevote_retry = Millis(120);
  Duration prevote_retry_jitter = Millis(120);
  // After a node-down event: rank * stagger + a random part of stagger_jitter.
  Duration stagger = Millis(60);
  Duration stagger_jitter = Millis(20);
  // A follower that was told nothing for so long after the commit moved gets an empty append.
  Duration commit_notice = Millis(5);
  // Something is on its way to a follower and nothing came back for so long: ask with an empty one.
  Duration append_retry = Millis(1000);
  // A peer's queue was full: probe again after so long.
  Duration send_retry = Millis(50);
  // A tick that comes later than this was our own pause, and nobody's silence.
  Duration own_pause = Millis(200);
};

struct CoreOptions {
  GroupId group;
  NodeId self = kNoNode;
  Incarnation incarnation;
  NodeId preferred = kNoNode;  // Ranks first among candidates after a node-down event.
  Stage stage = Stage::kDurable;
  Standing standing = Standing::kFull;
  // The machine lost power while the log's end was only in memory (D3): appends and answers, but
  // neither votes nor stands until it has again what its leader has.
  bool in_doubt = false;
  // In doubt because its log was damaged, and may lack nearly all: it is not elected even as a last
  // resort, and votes for another then only where elections may be unclean.
  bool damaged = false;
  // Raised each time that the replica begins anew with less than it had, in the same process: a
  // leader then counts nothing that it said before. A new process is known by its start id.
  uint32_t life = 0;
  // When too few voters are sure of their logs, the best log of those that are up is enough, though
  // one that is down may have had more. Otherwise all must be there.
  bool unclean_election = false;
  Timing timing;
  size_t append_bytes_max = size_t{1} << 20;        // Payload of one Append; at least one entry.
  size_t inflight_bytes_max = size_t{8} << 20;      // Sent to one follower, not acknowledged yet.
  size_t uncommitted_bytes_max = size_t{64} << 20;  // Proposed, not committed yet.
};

// What the disk says at start. Everything up to `last_index` must be on stable storage: recovery
// flushes the tail that it keeps.
struct InitialState {
  HardState hard_state;
  LogIndex first_index{1};  // The first entry that the log still has, or would have.
  LogIndex last_index{0};   // first_index - 1 when the log is empty.
  LogIndex commit;          // Known committed; raised to first_index - 1.
  TermRows terms;           // Covers [first_index - 1, last_index].
  // The configurations in force, oldest first: the one at or below `commit` (index 0: given when
  // the replica was made) and those above it. Empty: this replica waits for a leader to tell.
  struct ConfigurationAt {
    LogIndex index;
    Configuration configuration;
  };
  std::vector<ConfigurationAt> configurations;
};

struct RoleChange {
  Role role = Role::kFollower;
  Term term;
  NodeId leader = kNoNode;  // kNoNode while nobody is known to lead `term`.

  friend bool operator==(const RoleChange&, const RoleChange&) = default;
};

}  // namespace garam::raft
