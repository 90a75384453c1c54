// Whether a node may be talked to: the rules of a handshake between peers (D7, D18).
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/ids.h"
#include "coordinator/formation_types.h"

namespace garam {

// `known` is the incarnation that the cluster (or the stored proposal) has for peer.node, if any.
// kInconsistentClusterId or kInvalidRequest with one line for the log.
absl::Status CheckPeer(const NodeIdentity& self, const NodeIdentity& peer,
                       std::optional<Incarnation> known);

// The incarnation that `proposal` names for `node`.
std::optional<Incarnation> IncarnationIn(const FormationProposal& proposal, NodeId node);

}  // namespace garam
