// InitProducerId of an idempotent producer. Transactional ids wait for transactions.
#include "proto/kafka/init_producer_id.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using kafka::InitProducerIdResponse;

void Refuse(Request& request, ErrorCode error) {
  InitProducerIdResponse response;
  response.error_code = error;
  response.producer_epoch = -1;
  request.Answer(response);
}

}  // namespace

void HandleInitProducerId(RequestPtr request) {
  const auto message = request->Decode<kafka::InitProducerIdRequest>();
  if (!message.has_value()) return;
  if (message->transactional_id) {
    // Clients give up with it at once, whatever it is called.
    return Refuse(*request, ErrorCode::kTransactionalIdAuthorizationFailed);
  }
  Broker& broker = request->broker();
  broker.NewProducerId(request->services().shard, [request](const absl::StatusOr<int64_t>& id) {
    if (!id.ok()) {
      // The controller is not to be reached now: clients try again.
      return Refuse(*request, ErrorCode::kCoordinatorNotAvailable);
    }
    InitProducerIdResponse response;
    response.producer_id = *id;
    response.producer_epoch = 0;
    request->Answer(response);
  });
}

}  // namespace garam
