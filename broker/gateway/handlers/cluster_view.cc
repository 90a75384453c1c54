#include "broker/gateway/handlers/cluster_view.h"

namespace garam {

std::vector<BrokerRow> BrokerRows(const Broker& broker, const MetadataImage& image,
                                  std::string_view listener) {
  const std::set<NodeId> live = broker.live_brokers();
  const std::set<NodeId> listed = broker.listed_brokers();
  std::vector<BrokerRow> rows;
  rows.reserve(image.brokers().size());
  for (const auto& [node, registered] : image.brokers()) {
    rows.push_back(BrokerRow{node, &registered->EndpointFor(listener), registered.get(),
                             live.contains(node), listed.contains(node)});
  }
  return rows;
}

int32_t ControllerId(const Broker& broker) {
  const NodeId controller = broker.controller();
  return broker.live_brokers().contains(controller) ? controller.value() : kNoNode.value();
}

std::vector<int32_t> Numbers(const std::vector<NodeId>& nodes) {
  std::vector<int32_t> numbers;
  numbers.reserve(nodes.size());
  for (const NodeId node : nodes) numbers.push_back(node.value());
  return numbers;
}

}  // namespace garam
