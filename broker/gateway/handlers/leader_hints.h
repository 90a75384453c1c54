// Who leads instead (KIP-951): what rides on an answer that says "not here", so that a client goes
// to the new leader without asking for metadata first.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "common/status.h"

namespace garam {

class LeaderHints {
 public:
  // `broker` must outlive this; `listener` is the one that the client came in by.
  LeaderHints(const Broker& broker, std::string_view listener)
      : broker_(broker), listener_(listener) {}

  // Whether an answer with this error carries a hint.
  static bool Wanted(const absl::Status& status);

  // The leader and epoch of a partition, named by id, or by name when the id is zero. Nothing while
  // no leader is known. Remembers the leader for Endpoints.
  std::optional<LeaderHint> Find(const TopicId& id, std::string_view topic, int32_t partition);

  // Where the leaders that Find gave can be reached.
  template <class NodeEndpoint>
  std::vector<NodeEndpoint> Endpoints() const {
    std::vector<NodeEndpoint> endpoints;
    if (leaders_.empty()) return endpoints;
    const std::shared_ptr<const MetadataImage> image = broker_.image();
    for (const NodeId leader : leaders_) {
      const BrokerImage* const node = image->FindBroker(leader);
      if (node == nullptr) continue;
      const BrokerEndpoint& at = node->EndpointFor(listener_);
      NodeEndpoint& endpoint = endpoints.emplace_back();
      endpoint.node_id = leader.value();
      endpoint.host = at.host;
      endpoint.port = at.port;
      endpoint.rack = node->rack;
    }
    return endpoints;
  }

 private:
  const Broker& broker_;
  const std::string listener_;
  std::set<NodeId> leaders_;
};

}  // namespace garam
