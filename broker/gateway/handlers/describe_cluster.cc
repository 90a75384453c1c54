// DescribeCluster: the brokers, the controller and the cluster's id.
#include "proto/kafka/describe_cluster.h"
#include "broker/gateway/handlers/cluster_view.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

constexpr int8_t kBrokerEndpoints = 1;
constexpr int8_t kControllerEndpoints = 2;

}  // namespace

void HandleDescribeCluster(RequestPtr request) {
  const auto message = request->Decode<kafka::DescribeClusterRequest>();
  if (!message.has_value()) return;
  kafka::DescribeClusterResponse response;
  response.endpoint_type = message->endpoint_type;
  if (message->endpoint_type != kBrokerEndpoints) {
    const bool controllers = message->endpoint_type == kControllerEndpoints;
    response.error_code = controllers ? kafka::ErrorCode::kMismatchedEndpointType
                                      : kafka::ErrorCode::kUnsupportedEndpointType;
    response.error_message = controllers ? "this is a broker's address, not a controller's"
                                         : "the endpoint type is neither 1 nor 2";
    return request->Answer(response);
  }
  const std::shared_ptr<const MetadataImage> image = request->broker().image();
  response.cluster_id = image->cluster_id();
  response.controller_id = ControllerId(request->broker());
  for (const BrokerRow& row : BrokerRows(request->broker(), *image, request->listener())) {
    if (!row.alive && !message->include_fenced_brokers) continue;
    auto& broker = response.brokers.emplace_back();
    broker.broker_id = row.node.value();
    broker.host = row.endpoint->host;
    broker.port = row.endpoint->port;
    broker.rack = row.image->rack;
    broker.is_fenced = !row.alive && message->include_fenced_brokers;
  }
  if (message->include_cluster_authorized_operations)
    response.cluster_authorized_operations = kAllClusterOperations;
  request->Answer(response);
}

}  // namespace garam
