// The way from the members that a group has to those that somebody wants, one configuration at a
// time (Raft thesis 4.1 to 4.3): newcomers learn first; once all have caught up, one joint step
// takes in all of them and lets all leavers go; then out of the joint.
//
// Level-triggered: asked again after each step, by whichever leader there is then, and for whatever
// is wanted by then. Learners that are to stay learners come and go in one step: they count in no
// quorum.
//
// Threads: any; pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/ids.h"
#include "raft/configuration.h"

namespace garam::raft {

// Who is to belong to a group. Of two wishes the later one has the larger version.
struct WantedMembers {
  uint64_t version = 0;
  std::vector<Member> voters;      // And witnesses; empty: nothing is wanted.
  std::vector<Member> learners{};  // For good; none of the voters.

  friend bool operator==(const WantedMembers&, const WantedMembers&) = default;
};

// What the leader should propose next: nothing while `current` (the latest in its log) is not
// committed or follows a later wish, while newcomers are still catching up, and when all is as
// wanted.
std::optional<Configuration> NextConfiguration(const Configuration& current, bool committed,
                                               const WantedMembers& wanted,
                                               const std::function<bool(NodeId)>& caught_up);

// Whether the members are those that are wanted, whatever wish they were made for.
bool HasMembers(const Configuration& current, const WantedMembers& wanted);

// The same, and made for this wish: then nobody will take it for anything else before a later one.
bool IsAsWanted(const Configuration& current, const WantedMembers& wanted);

}  // namespace garam::raft
