#include "raft/configuration.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/endian.h"
#include "common/status.h"

namespace garam::raft {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kMemberBytes = 4 + 8 + 1;

bool Holds(const std::vector<Member>& members, NodeId node) {
  return std::any_of(members.begin(), members.end(),
                     [node](const Member& member) { return member.node == node; });
}

LogIndex MajorityIndex(const Configuration& configuration, const std::vector<Member>& voters,
                       const std::function<LogIndex(NodeId)>& match_of) {
  if (voters.empty()) return LogIndex(0);
  std::vector<LogIndex> matches;
  matches.reserve(voters.size());
  for (const Member& voter : voters) {
    matches.push_back(configuration.IsReplaced(voter) ? LogIndex(0) : match_of(voter.node));
  }
  std::sort(matches.begin(), matches.end());
  return matches[(matches.size() - 1) / 2];
}

VoteResult CountSet(const Configuration& configuration, const std::vector<Member>& voters,
                    const std::set<NodeId>& yes, const std::set<NodeId>& no) {
  size_t in_favour = 0;
  size_t against = 0;
  for (const Member& voter : voters) {
    const bool replaced = configuration.IsReplaced(voter);
    if (!replaced && yes.contains(voter.node)) ++in_favour;
    if (replaced || no.contains(voter.node)) ++against;
  }
  const size_t quorum = voters.size() / 2 + 1;
  if (in_favour >= quorum) return VoteResult::kWon;
  return voters.size() - against < quorum ? VoteResult::kLost : VoteResult::kPending;
}

void PutMembers(std::string& out, const std::vector<Member>& members) {
  char number[8];
  StoreBigEndian(number, static_cast<uint16_t>(members.size()));
  out.append(number, 2);
  for (const Member& member : members) {
    StoreBigEndian(number, member.node.value());
    out.append(number, 4);
    StoreBigEndian(number, member.incarnation.value());
    out.append(number, 8);
    out.push_back(static_cast<char>(member.role));
  }
}

bool GetMembers(std::string_view& in, std::vector<Member>& members) {
  if (in.size() < 2) return false;
  const size_t count = LoadBigEndian<uint16_t>(in.data());
  in.remove_prefix(2);
  if (in.size() < count * kMemberBytes) return false;
  for (size_t i = 0; i < count; ++i, in.remove_prefix(kMemberBytes)) {
    const auto role = static_cast<uint8_t>(in[12]);
    if (role > static_cast<uint8_t>(MemberRole::kWitness)) return false;
    members.push_back({NodeId(LoadBigEndian<int32_t>(in.data())),
                       Incarnation(LoadBigEndian<uint64_t>(in.data() + 4)),
                       static_cast<MemberRole>(role)});
  }
  return true;
}

}  // namespace

bool Configuration::IsVoter(NodeId node) const {
  return Holds(voters, node) || Holds(outgoing, node);
}

bool Configuration::MayStand(NodeId node, Incarnation incarnation) const {
  const Member self{node, incarnation, MemberRole::kVoter};
  return std::count(voters.begin(), voters.end(), self) > 0 ||
         std::count(outgoing.begin(), outgoing.end(), self) > 0;
}

std::optional<Member> Configuration::Find(NodeId node) const {
  for (const std::vector<Member>* members : {&voters, &outgoing, &learners}) {
    for (const Member& member : *members) {
      if (member.node == node) return member;
    }
  }
  return std::nullopt;
}

bool Configuration::Contains(NodeId node, Incarnation incarnation) const {
  for (const std::vector<Member>* members : {&voters, &outgoing, &learners}) {
    for (const Member& member : *members) {
      if (member.node == node && member.incarnation == incarnation) return true;
    }
  }
  return false;
}

Incarnation Configuration::LatestOf(NodeId node) const {
  for (const std::vector<Member>* members : {&learners, &voters, &outgoing}) {
    for (const Member& member : *members) {
      if (member.node == node) return member.incarnation;
    }
  }
  return Incarnation(0);
}

bool Configuration::IsReplaced(const Member& voter) const {
  auto succeeds = [&voter](const Member& other) {
    return other.node == voter.node && other.incarnation != voter.incarnation;
  };
  if (std::any_of(learners.begin(), learners.end(), succeeds)) return true;
  // In a joint configuration the incoming voters are the newer ones.
  const bool leaves = std::count(outgoing.begin(), outgoing.end(), voter) > 0 &&
                      std::count(voters.begin(), voters.end(), voter) == 0;
  return leaves && std::any_of(voters.begin(), voters.end(), succeeds);
}

std::vector<NodeId> Configuration::Nodes() const {
  std::set<NodeId> nodes;
  for (const std::vector<Member>* members : {&voters, &outgoing, &learners}) {
    for (const Member& member : *members) nodes.insert(member.node);
  }
  return {nodes.begin(), nodes.end()};
}

std::vector<NodeId> Configuration::VoterNodes() const {
  std::set<NodeId> nodes;
  for (const Member& member : voters) nodes.insert(member.node);
  for (const Member& member : outgoing) nodes.insert(member.node);
  return {nodes.begin(), nodes.end()};
}

LogIndex Configuration::QuorumIndex(const std::function<LogIndex(NodeId)>& match_of) const {
  const LogIndex incoming = MajorityIndex(*this, voters, match_of);
  return joint() ? std::min(incoming, MajorityIndex(*this, outgoing, match_of)) : incoming;
}

VoteResult Configuration::Count(const std::set<NodeId>& yes, const std::set<NodeId>& no) const {
  const VoteResult incoming = CountSet(*this, voters, yes, no);
  if (!joint()) return incoming;
  const VoteResult old = CountSet(*this, outgoing, yes, no);
  if (incoming == VoteResult::kLost || old == VoteResult::kLost) return VoteResult::kLost;
  return incoming == VoteResult::kWon ? old : incoming;
}

std::string Configuration::Encode() const {
  std::string out(1, static_cast<char>(kFormat));
  PutMembers(out, voters);
  PutMembers(out, outgoing);
  PutMembers(out, learners);
  char number[8];
  StoreBigEndian(number, version);
  out.append(number, sizeof(number));
  return out;
}

absl::StatusOr<Configuration> Configuration::Decode(std::string_view encoded) {
  if (encoded.empty()) return MakeError(Errc::kCorruptRecord, "empty raft configuration");
  const auto format = static_cast<uint8_t>(encoded[0]);
  if (format != kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     absl::StrCat("raft configuration of format ", int{format},
                                  ", this release reads ", int{kFormat}));
  }
  encoded.remove_prefix(1);
  Configuration configuration;
  if (!GetMembers(encoded, configuration.voters) || !GetMembers(encoded, configuration.outgoing) ||
      !GetMembers(encoded, configuration.learners) || encoded.size() != sizeof(uint64_t) ||
      configuration.voters.empty()) {
    return MakeError(Errc::kCorruptRecord, "raft configuration does not add up");
  }
  configuration.version = LoadBigEndian<uint64_t>(encoded.data());
  return configuration;
}

}  // namespace garam::raft
