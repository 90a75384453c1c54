// The gRPC service: what peers ask of this broker, handed to the core on executor 0.
//
// Threads:   gRPC's; the core is called on executor 0 only.
// Ownership: the executor and `events` outlive the server that serves this.
#pragma once

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "broker/peers.h"
#include "broker/wire/refusal_log.h"
#include "common/executor.h"
#include "proto/control.grpc.pb.h"

namespace garam {

class ControlService final : public control::Control::CallbackService {
 public:
  // Shared with what executor 0 has queued, which may outlive the service.
  struct Context {
    Context(Executor& executor_0, PeerEvents& core, std::function<NodeIdentity()> who,
            std::function<uint16_t()> port, std::function<void(const NodeIdentity&)> reached)
        : executor(executor_0),
          events(core),
          self(std::move(who)),
          stream_port(std::move(port)),
          on_peer(std::move(reached)) {}

    Executor& executor;
    PeerEvents& events;
    std::function<NodeIdentity()> self;                // Any thread.
    std::function<uint16_t()> stream_port;             // Any thread.
    std::function<void(const NodeIdentity&)> on_peer;  // A peer reached us. Executor 0.
    mutable RefusalLog refusals;
  };

  explicit ControlService(std::shared_ptr<const Context> context) : context_(std::move(context)) {}

  grpc::ServerBidiReactor<control::Envelope, control::Welcome>* Pair(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* Handshake(grpc::CallbackServerContext* call,
                                      const control::Hello* request,
                                      control::Welcome* reply) override;
  grpc::ServerUnaryReactor* FetchFullState(grpc::CallbackServerContext* call,
                                           const control::FullStateRequest* request,
                                           control::FullStateReply* reply) override;
  grpc::ServerUnaryReactor* CallController(grpc::CallbackServerContext* call,
                                           const control::ControllerRequest* request,
                                           control::ControllerReply* reply) override;
  grpc::ServerUnaryReactor* FetchFormation(grpc::CallbackServerContext* call,
                                           const control::FormationRequest* request,
                                           control::FormationReply* reply) override;
  grpc::ServerUnaryReactor* OfferFormation(grpc::CallbackServerContext* call,
                                           const control::FormationOffer* request,
                                           control::FormationAccepted* reply) override;
  grpc::ServerUnaryReactor* CopyLog(grpc::CallbackServerContext* call,
                                    const control::CopyRequest* request,
                                    control::CopyReply* reply) override;

 private:
  const std::shared_ptr<const Context> context_;
};

}  // namespace garam
