#include "raft/membership_plan.h"

#include <algorithm>

#include "common/mutation.h"

namespace garam::raft {
namespace {

bool Contains(const std::vector<Member>& members, const Member& member) {
  return std::any_of(members.begin(), members.end(), [&member](const Member& other) {
    return other.node == member.node && other.incarnation == member.incarnation;
  });
}

// Equal but for order and roles.
bool SameNodes(const std::vector<Member>& a, const std::vector<Member>& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&b](const Member& member) {
           return Contains(b, member);
         });
}

}  // namespace

bool IsAsWanted(const Configuration& current, const WantedMembers& wanted) {
  return !current.joint() && current.learners.empty() && current.version == wanted.version &&
         SameNodes(current.voters, wanted.voters);
}

std::optional<Configuration> NextConfiguration(const Configuration& current, bool committed,
                                               const WantedMembers& wanted,
                                               const std::function<bool(NodeId)>& caught_up) {
  if (!committed || wanted.voters.empty() || current.version > wanted.version ||
      IsAsWanted(current, wanted)) {
    return std::nullopt;
  }
  Configuration next;
  next.version = wanted.version;
  next.voters = current.voters;
  if (current.joint()) return next;  // Out of it, whatever is wanted by now.

  std::vector<Member> newcomers;
  for (const Member& member : wanted.voters) {
    if (Contains(current.voters, member)) continue;
    newcomers.push_back({member.node, member.incarnation, MemberRole::kLearner});
  }
  if (!SameNodes(current.learners, newcomers)) {
    next.learners = newcomers;
    return next;
  }
  if (SameNodes(current.voters, wanted.voters)) return next;  // Learners too many, or a new wish.
  for (const Member& newcomer : newcomers) {
    if (!caught_up(newcomer.node)) return std::nullopt;
  }
  next.voters = wanted.voters;
  if (!Mutated(Mutation::kNoJointStep)) next.outgoing = current.voters;
  return next;
}

}  // namespace garam::raft
