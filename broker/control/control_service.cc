#include "broker/control/control_service.h"

#include <utility>

#include "broker/control/control_convert.h"
#include "broker/control/pair_receiver.h"
#include "broker/control/unary_answer.h"
#include "common/status.h"

namespace garam {

grpc::ServerBidiReactor<control::Envelope, control::Welcome>* ControlService::Pair(
    grpc::CallbackServerContext* /*call*/) {
  return new PairReceiver(context_);  // Ends itself.
}

grpc::ServerUnaryReactor* ControlService::Handshake(grpc::CallbackServerContext* /*call*/,
                                                    const control::Hello* request,
                                                    control::Welcome* reply) {
  auto [answer, reactor] = UnaryAnswer<control::Welcome>::Make(reply);
  const NodeIdentity self = context_->self();
  const NodeIdentity peer = FromProto(request->self());
  if (absl::Status status = Meet(*request, self).status(); !status.ok()) {
    context_->refusals.Refused("the handshake", peer.node, status);
    answer.Finish(status);
    return reactor;
  }
  context_->executor.Post([context = context_, peer, kept = std::move(answer)]() mutable {
    absl::StatusOr<NodeIdentity> own = context->events.OnHandshake(peer);
    kept.Finish(own.status(), [&](control::Welcome& welcome) {
      welcome = MakeWelcome(*own, context->stream_port());
    });
    if (own.ok()) context->on_peer(peer);
  });
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::FetchFullState(
    grpc::CallbackServerContext* /*call*/, const control::FullStateRequest* /*request*/,
    control::FullStateReply* reply) {
  auto [answer, reactor] = UnaryAnswer<control::FullStateReply>::Make(reply);
  context_->executor.Post([context = context_, kept = std::move(answer)]() mutable {
    const FullState state = context->events.OnFullStateAsked();
    kept.Finish(absl::OkStatus(), [&](control::FullStateReply& to) { ToProto(state, to); });
  });
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::CallController(grpc::CallbackServerContext* /*call*/,
                                                         const control::ControllerRequest* request,
                                                         control::ControllerReply* reply) {
  auto [answer, reactor] = UnaryAnswer<control::ControllerReply>::Make(reply);
  context_->executor.Post(
      [context = context_, bytes = request->request(), kept = std::move(answer)]() mutable {
        context->events.OnControllerCall(
            std::move(bytes), [kept = std::move(kept)](absl::StatusOr<std::string> result) mutable {
              kept.Finish(result.status(),
                          [&](control::ControllerReply& to) { to.set_reply(*std::move(result)); });
            });
      });
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::FetchFormation(
    grpc::CallbackServerContext* /*call*/, const control::FormationRequest* /*request*/,
    control::FormationReply* reply) {
  auto [answer, reactor] = UnaryAnswer<control::FormationReply>::Make(reply);
  context_->executor.Post([context = context_, kept = std::move(answer)]() mutable {
    const FormationStatus status = context->events.OnFormationAsked();
    kept.Finish(absl::OkStatus(), [&](control::FormationReply& to) { ToProto(status, to); });
  });
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::OfferFormation(grpc::CallbackServerContext* /*call*/,
                                                         const control::FormationOffer* request,
                                                         control::FormationAccepted* reply) {
  auto [answer, reactor] = UnaryAnswer<control::FormationAccepted>::Make(reply);
  context_->executor.Post([context = context_, proposal = FromProto(request->proposal()),
                           kept = std::move(answer)]() mutable {
    context->events.OnFormationOffered(
        std::move(proposal),
        [kept = std::move(kept)](absl::Status status) mutable { kept.Finish(status); });
  });
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::CopyLog(grpc::CallbackServerContext* /*call*/,
                                                  const control::CopyRequest* request,
                                                  control::CopyReply* reply) {
  auto [answer, reactor] = UnaryAnswer<control::CopyReply>::Make(reply);
  context_->executor.Post(
      [context = context_, asked = FromProto(*request), kept = std::move(answer)]() mutable {
        context->events.OnCopyAsked(
            asked, [kept = std::move(kept)](absl::StatusOr<CopyReply> result) mutable {
              kept.Finish(result.status(), [&](control::CopyReply& to) {
                to.set_bytes(std::move(result->bytes));
                to.set_snapshot(std::move(result->snapshot));
              });
            });
      });
  return reactor;
}

}  // namespace garam
