// What Metadata and DescribeCluster both tell of the cluster.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "broker/broker.h"

namespace garam {

// Bit sets of ACL operations: everything, for there is no authorizer.
inline constexpr int32_t kAllTopicOperations = 3576;
inline constexpr int32_t kAllClusterOperations = 8096;

// A registered broker, as a client that came in by one listener sees it.
struct BrokerRow {
  NodeId node;
  const BrokerEndpoint* endpoint;
  const BrokerImage* image;
  bool alive;
  bool listed;  // Alive, or was until a moment ago.
};

// By id. Pointers live as long as `image`.
std::vector<BrokerRow> BrokerRows(const Broker& broker, const MetadataImage& image,
                                  std::string_view listener);

// The controller, if it is alive; -1 otherwise.
int32_t ControllerId(const Broker& broker);

}  // namespace garam
