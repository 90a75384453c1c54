// What the cores of one group say to each other: plain structs; the doors give them bytes.
//
// A message that carries term T leaves its sender only once T is on the sender's stable storage,
// requests for votes included. Copying a message copies no payload.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/log_entry.h"

namespace garam::raft {

// Asks for a vote, or, with `pre`, whether a vote would be given; that one changes nobody's term.
struct VoteRequest {
  Term term;  // The term to be voted in; of a pre-vote: the one after the sender's.
  bool pre = false;
  bool transfer = false;  // Sent on the leader's own wish: stickiness does not apply.
  Incarnation incarnation;
  LogIndex last_index;
  Term last_term;
  // Every voter has answered, and too few of them are sure of their logs: those in doubt may vote
  // as well (D3). Not of a pre-vote.
  bool last_resort = false;

  friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
};

struct VoteReply {
  Term term;  // Granted: the request's. Refused: the sender's own.
  bool pre = false;
  bool granted = false;
  // To a pre-vote: refused only because the sender's log may have lost its end (D3); the request's
  // log is at least as good as what is left.
  bool in_doubt = false;
  // The member that says so. A node that lost its disk is another one, and its vote is not the one
  // that the candidate's configuration counts.
  Incarnation from{0};

  friend bool operator==(const VoteReply&, const VoteReply&) = default;
};

struct Append {
  Term term;
  // Numbers the conversation between this leader and this follower: raised when the follower's
  // connection broke or its process is another; answers to an older one are dropped.
  uint32_t session = 0;
  LogIndex prev_index;
  Term prev_term;
  LogIndex commit;
  std::vector<LogEntry> entries;  // prev_index + 1 and on, without a gap.
  // Where the leader's log ended when this left: a follower in doubt is whole again there (D3).
  LogIndex leader_last{0};
  // The member that it is meant for, as the leader's configuration has it: a node that has left and
  // come back, or lost its disk, is another one. 0: whoever is there.
  Incarnation to{0};
  // The first entry that the leader's log has: who lacks earlier ones must get them elsewhere
  // (D15).
  LogIndex leader_first{0};
  // The latest round of questions whether the sender still leads (Raft thesis 6.4).
  uint64_t round = 0;
  uint32_t life = 0;  // CoreOptions::life of the follower, as its leader knows it.
  // Entries below are committed, and durable on every voter that is there: each replica may compact
  // them (D14).
  LogIndex compact_before{0};
};

struct AppendReply {
  Term term;
  uint32_t session = 0;  // The Append's.
  bool rejected = false;
  // Accepted: how far the sender's log agrees with the leader's AND is written, or durable (D3).
  LogIndex written;
  LogIndex durable;
  LogIndex commit;  // What the sender knows to be committed.
  // Rejected: the Append's prev_index, and where to look next: the sender's log has nothing above
  // `hint_index` that could agree, and there it has `hint_term`.
  LogIndex prev_index;
  LogIndex hint_index;
  Term hint_term;
  Incarnation from{0};  // The member that says so.
  uint64_t round = 0;   // The Append's.
  uint32_t life = 0;    // CoreOptions::life of the sender.

  friend bool operator==(const AppendReply&, const AppendReply&) = default;
};

// The leader asks a voter that has everything to stand at once.
struct TimeoutNow {
  Term term;

  friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

using Message = std::variant<VoteRequest, VoteReply, Append, AppendReply, TimeoutNow>;

}  // namespace garam::raft
