// Who belongs to a group, and what a majority of it is. Joint from the first day: while `outgoing`
// is not empty, a decision needs a majority of both sets (Raft thesis 4.3).
//
// Threads: none of its own; a value type.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"

namespace garam::raft {

// Values are on disk: never renumber. A witness votes and keeps no records (D4): it counts in
// votes, never stands.
enum class MemberRole : uint8_t { kVoter = 0, kLearner = 1, kWitness = 2 };

struct Member {
  NodeId node = kNoNode;
  Incarnation incarnation;
  MemberRole role = MemberRole::kVoter;

  friend bool operator==(const Member&, const Member&) = default;
};

enum class VoteResult { kPending, kWon, kLost };

struct Configuration {
  std::vector<Member> voters;    // Incoming; voters and witnesses.
  std::vector<Member> outgoing;  // The old voters of a joint configuration; else empty.
  std::vector<Member> learners;
  // Whose wish it follows: later wishes have larger numbers, and a leader that knows only of an
  // older one leaves the configuration alone.
  uint64_t version = 0;

  bool empty() const { return voters.empty() && outgoing.empty() && learners.empty(); }
  bool joint() const { return !outgoing.empty(); }

  bool IsVoter(NodeId node) const;
  // A voter of that very incarnation that keeps records: it may stand for election.
  bool MayStand(NodeId node, Incarnation incarnation) const;
  // The member named `node`, of any incarnation.
  std::optional<Member> Find(NodeId node) const;
  bool Contains(NodeId node, Incarnation incarnation) const;
  // Of the members named `node` the one that came last; 0 when there is none.
  Incarnation LatestOf(NodeId node) const;

  // Whether another incarnation of a voter's node has come into the group after it: the disk of
  // this one is gone for good, so it neither votes nor has anything, whatever its successor says.
  bool IsReplaced(const Member& voter) const;

  // Every node once, ascending.
  std::vector<NodeId> Nodes() const;
  std::vector<NodeId> VoterNodes() const;

  // The largest index that a quorum has, when `match_of` tells each voter's; of a replaced one it
  // is 0. LogIndex(0) without voters.
  LogIndex QuorumIndex(const std::function<LogIndex(NodeId)>& match_of) const;
  // Whether the nodes in `yes` are a quorum, or cannot become one as those in `no` refused. A
  // replaced voter refuses.
  VoteResult Count(const std::set<NodeId>& yes, const std::set<NodeId>& no) const;

  // The payload of a kConfiguration entry. Decode fails (kUnsupportedVersion, kCorruptRecord)
  // rather than guess.
  std::string Encode() const;
  static absl::StatusOr<Configuration> Decode(std::string_view encoded);

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

}  // namespace garam::raft
