// What both planes check when two brokers meet (D7): the same cluster, a protocol that both speak,
// and that the one who answers is the one who was meant.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "broker/peers.h"
#include "common/ids.h"

namespace garam {

// The versions of the protocol between brokers that this build speaks.
struct ProtocolRange {
  uint16_t min = 1;
  uint16_t max = 1;
};

// Ok, or why `self` has nothing to say to `peer`, in one line for the log. A blank side (empty
// cluster id) agrees with every cluster. kInconsistentClusterId, kUnsupportedVersion. Any thread.
absl::Status CheckPeer(const NodeIdentity& self, const NodeIdentity& peer, ProtocolRange theirs);

// Ok when a caller who wanted `meant` has reached `reached`; kInvalidRequest otherwise.
absl::Status CheckReached(NodeId meant, NodeId reached);

}  // namespace garam
