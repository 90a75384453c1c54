#include "coordinator/voter_watch.h"

#include <algorithm>

#include "coordinator/metadata_codec.h"
#include "proto/metadata.pb.h"

namespace garam {
namespace {

bool Votes(const MetadataImage& image, NodeId node) {
  return std::any_of(image.voters().begin(), image.voters().end(),
                     [node](const FormationVoter& voter) { return voter.node == node; });
}

const BrokerImage* FindSuccessor(const MetadataImage& image, const std::set<NodeId>& live) {
  for (const auto& [node, broker] : image.brokers()) {
    if (live.contains(node) && !Votes(image, node)) return broker.get();
  }
  return nullptr;
}

std::string ReplaceCommand(const FormationVoter& voter, const BrokerImage& successor) {
  metadata::Command command = NewCommand();
  metadata::ReplaceVoter& replace = *command.mutable_replace_voter();
  replace.set_node(voter.node.value());
  replace.set_incarnation(voter.incarnation.value());
  replace.set_successor(successor.node.value());
  replace.set_successor_incarnation(successor.incarnation.value());
  return command.SerializeAsString();
}

}  // namespace

std::optional<std::string> VoterWatch::Look(const MetadataImage& image,
                                            const std::set<NodeId>& live, MonoTime now) {
  std::erase_if(dead_since_, [&](const auto& dead) {
    return live.contains(dead.first) || !Votes(image, dead.first);
  });
  const FormationVoter* longest = nullptr;
  for (const FormationVoter& voter : image.voters()) {
    if (live.contains(voter.node)) continue;
    const MonoTime since = dead_since_.try_emplace(voter.node, now).first->second;
    if (now - since < dead_max_) continue;
    if (longest == nullptr || since < dead_since_[longest->node]) longest = &voter;
  }
  if (longest == nullptr) return std::nullopt;
  const BrokerImage* successor = FindSuccessor(image, live);
  if (successor == nullptr) return std::nullopt;
  return ReplaceCommand(*longest, *successor);
}

}  // namespace garam
