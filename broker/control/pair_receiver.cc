#include "broker/control/pair_receiver.h"

#include <optional>
#include <utility>
#include <vector>

#include "broker/control/control_convert.h"
#include "broker/control/status_map.h"
#include "broker/wire/peer_check.h"
#include "broker/wire/stream_codec.h"
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
  const control::Hello& hello = envelope_.hello();
  peer_ = FromProto(hello.self());
  const NodeIdentity self = context_->self();
  RETURN_IF_ERROR(CheckReached(NodeId(hello.to()), self.node));
  RETURN_IF_ERROR(CheckPeer(self, peer_, ProtocolOf(hello)));
  greeted_ = true;
  welcome_ = MakeWelcome(self, context_->stream_port());
  StartWrite(&welcome_);
  context_->executor.Post([context = context_, peer = peer_] { context->on_peer(peer); });
  return absl::OkStatus();
}

absl::Status PairReceiver::Deliver() {
  std::optional<Heartbeat> heartbeat;
  if (envelope_.has_heartbeat()) heartbeat = FromProto(envelope_.heartbeat());
  ASSIGN_OR_RETURN(std::vector<GroupMessage> messages, DecodeMessages(envelope_.raft()));
  std::vector<LeaderState> states;
  states.reserve(static_cast<size_t>(envelope_.leader_states_size()));
  for (const auto& state : envelope_.leader_states()) states.push_back(FromProto(state));

  context_->executor.Post([&events = context_->events, from = peer_.node, start_id = peer_.start_id,
                           heartbeat, messages = std::move(messages),
                           states = std::move(states)]() mutable {
    if (heartbeat.has_value()) events.OnHeartbeat(from, start_id, *heartbeat);
    if (!messages.empty()) events.OnRaft(from, std::move(messages));
    if (!states.empty()) events.OnLeaderStates(from, std::move(states));
  });
  return absl::OkStatus();
}

}  // namespace garam
