// AlterConfigs, the older form of IncrementalAlterConfigs: what it does not name is unset. Passed
// on to the controller, wherever it is.
#include "proto/kafka/alter_configs.h"
#include "broker/gateway/handlers/config_resources.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::AlterConfigsRequest;
using kafka::AlterConfigsResponse;

absl::StatusOr<std::vector<ConfigEdit>> EditsOf(
    const AlterConfigsRequest::AlterConfigsResource& resource) {
  std::vector<ConfigEdit> edits;
  std::string nulls;
  for (const auto& config : resource.configs) {
    ConfigEdit& edit = edits.emplace_back();
    edit.name = config.name;
    edit.value = config.value.value_or("");
    if (!config.value.has_value()) nulls += (nulls.empty() ? "" : ",") + edit.name;
  }
  if (nulls.empty()) return edits;
  return MakeError(Errc::kInvalidRequest, "Null value not supported for : " + nulls);
}

}  // namespace

void HandleAlterConfigs(RequestPtr request) {
  AlterConfigsAsAsked<AlterConfigsRequest, AlterConfigsResponse>(request, /*replaces=*/true,
                                                                 EditsOf);
}

}  // namespace garam
