// IncrementalAlterConfigs: configs are set, unset, and their lists made longer and shorter. Passed
// on to the controller, wherever it is.
#include "proto/kafka/incremental_alter_configs.h"
#include "absl/strings/str_cat.h"
#include "broker/gateway/handlers/config_resources.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::IncrementalAlterConfigsRequest;
using kafka::IncrementalAlterConfigsResponse;

absl::StatusOr<std::vector<ConfigEdit>> EditsOf(
    const IncrementalAlterConfigsRequest::AlterConfigsResource& resource) {
  std::vector<ConfigEdit> edits;
  std::string nulls;
  for (const auto& config : resource.configs) {
    const int op = config.config_operation;
    if (op < 0 || op > static_cast<int>(ConfigOp::kSubtract)) {
      return MakeError(Errc::kInvalidRequest, absl::StrCat("Unknown operation type ", op));
    }
    ConfigEdit& edit = edits.emplace_back();
    edit.name = config.name;
    edit.op = static_cast<ConfigOp>(op);
    if (edit.op == ConfigOp::kDelete) continue;
    edit.value = config.value.value_or("");
    if (!config.value.has_value()) nulls += (nulls.empty() ? "" : ", ") + edit.name;
  }
  if (nulls.empty()) return edits;
  return MakeError(Errc::kInvalidRequest, "Null value not supported for : " + nulls);
}

}  // namespace

void HandleIncrementalAlterConfigs(RequestPtr request) {
  AlterConfigsAsAsked<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
      request, /*replaces=*/false, EditsOf);
}

}  // namespace garam
