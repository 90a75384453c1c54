#include "broker/wire/peer_check.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam {

absl::Status CheckPeer(const NodeIdentity& self, const NodeIdentity& peer, ProtocolRange theirs) {
  const ProtocolRange ours;
  if (theirs.min > ours.max || theirs.max < ours.min) {
    return MakeError(
        Errc::kUnsupportedVersion,
        absl::StrCat("broker ", peer.node.value(), " speaks the peer protocol ", theirs.min, " to ",
                     theirs.max, ", this broker ", ours.min, " to ", ours.max,
                     theirs.min > ours.max ? ": upgrade this broker" : ": upgrade that broker"));
  }
  if (!self.cluster_id.empty() && !peer.cluster_id.empty() && self.cluster_id != peer.cluster_id) {
    return MakeError(Errc::kInconsistentClusterId,
                     absl::StrCat("broker ", peer.node.value(), " belongs to cluster ",
                                  peer.cluster_id, ", this broker to ", self.cluster_id));
  }
  if (self.node == peer.node && self.incarnation != peer.incarnation) {
    return MakeError(
        Errc::kInvalidRequest,
        absl::StrCat("another broker calls itself ", peer.node.value(), ": node ids must differ"));
  }
  return absl::OkStatus();
}

absl::Status CheckReached(NodeId meant, NodeId reached) {
  if (meant == reached) return absl::OkStatus();
  return MakeError(Errc::kInvalidRequest, absl::StrCat("the address of broker ", meant.value(),
                                                       " reaches broker ", reached.value()));
}

}  // namespace garam
