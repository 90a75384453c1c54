// FindCoordinator, before there are groups: shown because librdkafka infers codecs from it
// (docs/decisions), answered with "not available".
#include "proto/kafka/find_coordinator.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

constexpr int16_t kFirstVersionWithManyKeys = 4;
constexpr std::string_view kReason = "this broker does not coordinate groups yet";

}  // namespace

void HandleFindCoordinator(RequestPtr request) {
  const auto message = request->Decode<kafka::FindCoordinatorRequest>();
  if (!message.has_value()) return;
  kafka::FindCoordinatorResponse response;
  if (request->version() < kFirstVersionWithManyKeys) {
    response.error_code = kafka::ErrorCode::kCoordinatorNotAvailable;
    response.error_message = kReason;
    response.node_id = -1;
    response.port = -1;
    return request->Answer(response);
  }
  for (const std::string_view key : message->coordinator_keys) {
    auto& coordinator = response.coordinators.emplace_back();
    coordinator.key = key;
    coordinator.node_id = -1;
    coordinator.port = -1;
    coordinator.error_code = kafka::ErrorCode::kCoordinatorNotAvailable;
    coordinator.error_message = kReason;
  }
  request->Answer(response);
}

}  // namespace garam
