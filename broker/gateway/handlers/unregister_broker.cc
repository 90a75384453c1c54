// UnregisterBroker: passed on to the controller, wherever it is. The request names no time limit.
#include <string>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/unregister_broker.h"

namespace garam {
namespace {

using kafka::UnregisterBrokerRequest;
using kafka::UnregisterBrokerResponse;

// What Kafka's clients wait for an answer by default is twice that.
constexpr Duration kTimeLimit = Millis(15'000);

}  // namespace

void HandleUnregisterBroker(RequestPtr request) {
  const auto message = request->Decode<UnregisterBrokerRequest>();
  if (!message.has_value()) return;
  Broker& broker = request->broker();
  broker.UnregisterBroker(NodeId(message->broker_id), broker.clock().Mono() + kTimeLimit,
                          request->services().shard, [request](const absl::Status& status) {
                            UnregisterBrokerResponse response;
                            response.error_code = ToErrorCode(status);
                            response.error_message = std::nullopt;
                            if (!status.ok()) {
                              response.error_message = std::string(status.message());
                            }
                            request->Answer(response);
                          });
}

}  // namespace garam
