// The gRPC plane between brokers: PeerControl, and the server that peers call.
//
// Threads:   as PeerControl says; Listen and Stop on the owner's thread.
// Ownership: the executor and `events` outlive the plane and what executor 0 has queued for it.
#pragma once

#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/control/client_calls.h"
#include "broker/control/control_peer.h"
#include "broker/control/control_service.h"
#include "broker/peers.h"
#include "common/executor.h"

namespace garam {

struct ControlOptions {
  std::string listen_host = "0.0.0.0";
  uint16_t listen_port = 0;  // 0: any free one.
  Duration backoff_min = Millis(50);
  Duration backoff_max = Millis(500);
  Duration call_timeout = Millis(2000);  // Of calls that name none.
  // Who we are now; the cluster id appears when a cluster forms. Any thread.
  std::function<NodeIdentity()> self;
  // Where our entry streams listen; peers learn it from the handshake. Any thread.
  std::function<uint16_t()> stream_port;
};

class ControlPlane final : public PeerControl {
 public:
  // `executor` is the cluster's, number 0.
  ControlPlane(ControlOptions options, Executor& executor, PeerEvents& events);
  ~ControlPlane() override;

  // Takes the port and serves from now on; kInvalidConfig when it is taken or not ours.
  absl::Status Listen();
  uint16_t port() const { return port_; }
  // Cancels what is under way, in and out, and waits until it has ended. Executor 0 may go on and
  // be told of ends that were already queued. Idempotent.
  void Stop();

  void SetPeer(PeerAddress address) override;
  void RemovePeer(NodeId node) override;
  void Handshake(NodeId node, Duration timeout,
                 absl::AnyInvocable<void(HandshakeResult) &&> done) override;
  void Redial(NodeId node) override;
  void SendHeartbeat(NodeId node, const Heartbeat& heartbeat) override;
  void SendRaft(NodeId node, std::vector<GroupMessage> messages) override;
  void PushLeaderStates(NodeId node, std::vector<LeaderState> states) override;
  void FetchFullState(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) override;
  void CallController(NodeId node, std::string request, Duration timeout,
                      absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) override;
  void FetchFormation(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&> done) override;
  void OfferFormation(NodeId node, FormationProposal proposal,
                      absl::AnyInvocable<void(absl::Status) &&> done) override;
  void CopyLog(NodeId node, CopyRequest request, CopyDone done) override;

 private:
  class Peers;

  std::shared_ptr<PairStream> StreamTo(NodeId node) const;
  using StubOf = std::shared_ptr<ControlPeer::Stub> (ControlPeer::*)() const;
  template <class Request, class Reply, class Start, class Done>
  void Call(NodeId node, Duration timeout, Request request, Start start, Done done,
            StubOf stub_of = &ControlPeer::stub);

  const ControlOptions options_;
  Executor& executor_;
  PeerEvents& events_;
  const std::shared_ptr<ClientCalls> calls_;
  uint16_t port_ = 0;
  bool stopped_ = false;
  std::unique_ptr<ControlService> service_;
  std::unique_ptr<grpc::Server> server_;
  const std::shared_ptr<Peers> peers_;
};

}  // namespace garam
