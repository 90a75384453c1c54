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

// Those who are not among the voters, as learners.
std::vector<Member> LearnersBeside(const std::vector<Member>& voters,
                                   const std::vector<Member>& members) {
  std::vector<Member> learners;
  for (const Member& member : members) {
    if (Contains(voters, member)) continue;
    learners.push_back({member.node, member.incarnation, MemberRole::kLearner});
  }
  return learners;
}

}  // namespace

bool HasMembers(const Configuration& current, const WantedMembers& wanted) {
  return !current.joint() && SameNodes(current.learners, wanted.learners) &&
         SameNodes(current.voters, wanted.voters);
}

bool IsAsWanted(const Configuration& current, const WantedMembers& wanted) {
  return current.version == wanted.version && HasMembers(current, wanted);
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
  next.learners = current.learners;
  if (current.joint()) return next;  // Out of it, whatever is wanted by now.

  const std::vector<Member> staying = LearnersBeside(current.voters, wanted.learners);
  const std::vector<Member> newcomers = LearnersBeside(current.voters, wanted.voters);
  next.learners = staying;
  next.learners.insert(next.learners.end(), newcomers.begin(), newcomers.end());
  if (!SameNodes(current.learners, next.learners)) return next;
  if (SameNodes(current.voters, wanted.voters)) return next;  // A new wish for the same.
  for (const Member& newcomer : newcomers) {
    if (!caught_up(newcomer.node)) return std::nullopt;
  }
  next.voters = wanted.voters;
  next.learners = staying;
  if (!Mutated(Mutation::kNoJointStep)) next.outgoing = current.voters;
  return next;
}

}  // namespace garam::raft
