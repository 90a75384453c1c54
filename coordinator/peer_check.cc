#include "coordinator/peer_check.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam {

absl::Status CheckPeer(const NodeIdentity& self, const NodeIdentity& peer,
                       std::optional<Incarnation> known) {
  const int32_t node = peer.node.value();
  if (peer.node == self.node) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("another process with node.id ", node,
                                  ": give each broker a node.id of its own"));
  }
  // A blank peer is on its way into a cluster; it is no stranger yet.
  if (!self.cluster_id.empty() && !peer.cluster_id.empty() && self.cluster_id != peer.cluster_id) {
    return MakeError(Errc::kInconsistentClusterId,
                     absl::StrCat("node ", node, " belongs to cluster ", peer.cluster_id,
                                  ", this is cluster ", self.cluster_id));
  }
  if (known.has_value() && *known != peer.incarnation) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("node ", node, " has another data folder than the cluster ",
                                  "knows it by: bring that folder back"));
  }
  return absl::OkStatus();
}

std::optional<Incarnation> IncarnationIn(const FormationProposal& proposal, NodeId node) {
  for (const FormationVoter& voter : proposal.voters) {
    if (voter.node == node) return voter.incarnation;
  }
  return std::nullopt;
}

}  // namespace garam
