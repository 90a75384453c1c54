#include "broker/control/pair_receiver.h"

#include <utility>

#include "broker/control/control_convert.h"
#include "broker/control/status_map.h"
#include "common/status.h"

namespace garam {

PairReceiver::PairReceiver(std::shared_ptr<const ControlService::Context> context)
    : context_(std::move(context)) {
  StartRead(&envelope_);
}

void PairReceiver::OnReadDone(bool ok) {
  // There is always a read under way until Finish, so this is the only place that ends the stream,
  // also when the peer hangs up or the server stops.
  if (!ok) return Finish(grpc::Status::OK);
  const absl::Status status = greeted_ ? Deliver() : OnHello();
  if (!status.ok()) {
    context_->refusals.Refused("the control stream", peer_.node, status);
    return Finish(ToGrpcStatus(status));
  }
  StartRead(&envelope_);
}

absl::Status PairReceiver::OnHello() {
  const NodeIdentity self = context_->self();
  peer_ = FromProto(envelope_.hello().self());
  RETURN_IF_ERROR(Meet(envelope_.hello(), self).status());
  RETURN_IF_ERROR(context_->events.Admit(peer_));
  greeted_ = true;
  welcome_ = MakeWelcome(self, context_->stream_port());
  StartWrite(&welcome_);
  context_->executor.Post([context = context_, peer = peer_] { context->on_peer(peer); });
  return absl::OkStatus();
}

absl::Status PairReceiver::Deliver() {
  ASSIGN_OR_RETURN(Delivery delivery, FromProto(envelope_));
  context_->executor.Post([&events = context_->events, from = peer_.node, start_id = peer_.start_id,
                           what = std::move(delivery)]() mutable {
    if (what.heartbeat.has_value()) events.OnHeartbeat(from, start_id, *what.heartbeat);
    if (!what.messages.empty()) events.OnRaft(from, std::move(what.messages));
    if (!what.states.empty()) events.OnLeaderStates(from, std::move(what.states));
  });
  return absl::OkStatus();
}

}  // namespace garam
