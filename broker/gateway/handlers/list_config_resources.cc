// ListConfigResources: what DescribeConfigs can be asked about. Version 0 knew client metrics only.
#include <algorithm>
#include <string>

#include "broker/gateway/handlers/cluster_view.h"
#include "broker/gateway/handlers/config_resources.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/list_config_resources.h"

namespace garam {
namespace {

using kafka::ListConfigResourcesRequest;
using kafka::ListConfigResourcesResponse;

void Add(ConfigResource type, std::string name, ListConfigResourcesResponse& response) {
  auto& resource = response.config_resources.emplace_back();
  resource.resource_name = std::move(name);
  resource.resource_type = static_cast<int8_t>(type);
}

void AddAll(Request& request, ConfigResource type, ListConfigResourcesResponse& response) {
  const std::shared_ptr<const MetadataImage> image = request.broker().image();
  switch (type) {
    case ConfigResource::kTopic:
      image->ForEachTopic([&](const auto& topic) { Add(type, topic->name, response); });
      return;
    case ConfigResource::kBroker:
    case ConfigResource::kBrokerLogger:
      for (const BrokerRow& row : BrokerRows(request.broker(), *image, request.listener())) {
        if (row.listed) Add(type, std::to_string(row.node.value()), response);
      }
      return;
    case ConfigResource::kClientMetrics:
      for (std::string& name : image->NamesOf(ConfiguredKind::kClientMetrics)) {
        Add(type, std::move(name), response);
      }
      return;
    case ConfigResource::kGroup:
      for (std::string& name : image->NamesOf(ConfiguredKind::kGroup)) {
        Add(type, std::move(name), response);
      }
      return;
  }
}

}  // namespace

void HandleListConfigResources(RequestPtr request) {
  const auto message = request->Decode<ListConfigResourcesRequest>();
  if (!message.has_value()) return;
  ListConfigResourcesResponse response;
  if (request->version() == 0) {
    AddAll(*request, ConfigResource::kClientMetrics, response);
    return request->Answer(response);
  }
  size_t known = 0;
  for (ConfigResource type :
       {ConfigResource::kTopic, ConfigResource::kBroker, ConfigResource::kBrokerLogger,
        ConfigResource::kClientMetrics, ConfigResource::kGroup}) {
    const auto& asked = message->resource_types;
    const auto times = std::count(asked.begin(), asked.end(), static_cast<int8_t>(type));
    known += static_cast<size_t>(times);
    if (asked.empty() || times > 0) AddAll(*request, type, response);
  }
  if (known < message->resource_types.size()) {
    response.config_resources.clear();
    response.error_code = kafka::ErrorCode::kUnsupportedVersion;
  }
  request->Answer(response);
}

}  // namespace garam
