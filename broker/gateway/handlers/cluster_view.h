// What Metadata and DescribeCluster both tell of the cluster.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "proto/kafka/error_code.h"

namespace garam {

// Bit sets of ACL operations: everything, for there is no authorizer.
inline constexpr int32_t kAllTopicOperations = 3576;
inline constexpr int32_t kAllClusterOperations = 8096;
inline constexpr int32_t kAllGroupOperations = 3400;

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

std::vector<int32_t> Numbers(const std::vector<NodeId>& nodes);

// What clients are told of a partition, in the answer of whatever API.
template <class Partition>
void DescribePartition(const Broker& broker, const TopicImage& topic, int32_t index,
                       Partition& to) {
  const PartitionState state = broker.StateOf(topic, index);
  to.partition_index = index;
  to.leader_id = state.leader.value();
  to.leader_epoch = state.leader_epoch.value();
  if (state.leader == kNoNode) to.error_code = kafka::ErrorCode::kLeaderNotAvailable;
  to.replica_nodes = Numbers(state.replicas);
  to.isr_nodes = Numbers(state.isr);
  to.offline_replicas = Numbers(state.offline);
}

}  // namespace garam
