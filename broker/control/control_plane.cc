#include "broker/control/control_plane.h"

#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/control/control_convert.h"
#include "broker/control/grpc_deadline.h"
#include "broker/control/status_map.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

// A piece of a segment may wait for a slow disk; nobody waits for it.
constexpr Duration kCopyTimeout = Millis(30'000);

constexpr int kMessageBytesMax = 64 << 20;

// gRPC's own lines, which it would print for every refused connection, are for debugging only.
void QuietGrpc() {
  gpr_set_log_function([](gpr_log_func_args* args) { LogDebug("gRPC: {}", args->message); });
}

// gRPC 1.51 ends its callback threads when the last channel and server are gone, and aborts when
// one of those very threads drops the last. So one channel that goes nowhere is never dropped; a
// call binds it to the threads.
void KeepGrpcThreads() {
  struct Keeper {
    std::shared_ptr<ControlPeer::Stub> stub;
    grpc::ClientContext context;
    control::Hello request;
    control::Welcome reply;
  };
  // Volatile: a pointer that nobody reads would be optimised away, and the keeper be a leak.
  [[maybe_unused]] static Keeper* volatile keeper = [] {
    auto* made = new Keeper();
    made->stub = control::Control::NewStub(grpc::CreateChannel("ipv4:0.0.0.0:0", nullptr));
    made->stub->async()->Handshake(&made->context, &made->request, &made->reply,
                                   [](const grpc::Status&) {});
    return made;
  }();
}

template <class Request, class Reply>
struct UnaryCall {
  grpc::ClientContext context;
  std::shared_ptr<ControlPeer::Stub> stub;
  Request request;
  Reply reply;
};

}  // namespace

// The peers by id; shared with what executor 0 has queued.
class ControlPlane::Peers {
 public:
  std::shared_ptr<ControlPeer> Find(NodeId node) const {
    std::lock_guard lock(mutex_);
    auto peer = peers_.find(node);
    return peer == peers_.end() ? nullptr : peer->second;
  }
  // Puts `peer` (or nothing) in the place of `node`; returns what was there.
  std::shared_ptr<ControlPeer> Exchange(NodeId node, std::shared_ptr<ControlPeer> peer) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<ControlPeer> old = std::exchange(peers_[node], std::move(peer));
    if (peers_[node] == nullptr) peers_.erase(node);
    return old;
  }
  std::map<NodeId, std::shared_ptr<ControlPeer>> TakeAll() {
    std::lock_guard lock(mutex_);
    return std::exchange(peers_, {});
  }

 private:
  mutable std::mutex mutex_;
  std::map<NodeId, std::shared_ptr<ControlPeer>> peers_;
};

ControlPlane::ControlPlane(ControlOptions options, Executor& executor, PeerEvents& events)
    : options_(std::move(options)),
      executor_(executor),
      events_(events),
      calls_(std::make_shared<ClientCalls>()),
      peers_(std::make_shared<Peers>()) {
  QuietGrpc();
}

ControlPlane::~ControlPlane() { Stop(); }

absl::Status ControlPlane::Listen() {
  KeepGrpcThreads();
  auto on_peer = [peers = peers_](const NodeIdentity& identity) {
    if (auto peer = peers->Find(identity.node)) peer->Wake(identity.start_id);
  };
  service_ = std::make_unique<ControlService>(std::make_shared<const ControlService::Context>(
      executor_, events_, options_.self, options_.stream_port, on_peer));
  grpc::ServerBuilder builder;
  int port = 0;
  const bool v6 = options_.listen_host.find(':') != std::string::npos;
  builder.AddListeningPort(
      absl::StrCat(v6 ? "[" : "", options_.listen_host, v6 ? "]:" : ":", options_.listen_port),
      grpc::InsecureServerCredentials(), &port);
  // Two brokers on one port must be an error, not a lottery.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return MakeError(
        Errc::kInvalidConfig,
        absl::StrCat("cannot listen on ", options_.listen_host, ":", options_.listen_port,
                     " for the control plane: the port is taken or the address is "
                     "not of this machine"));
  }
  port_ = static_cast<uint16_t>(port);
  return absl::OkStatus();
}

void ControlPlane::Stop() {
  if (std::exchange(stopped_, true)) return;
  for (auto& [node, peer] : peers_->TakeAll()) {
    executor_.Post([peer = std::move(peer)] { peer->Close(); });
  }
  calls_->CancelAll();
  if (server_ != nullptr) server_->Shutdown(GrpcDeadline(Duration::zero()));
}

void ControlPlane::SetPeer(PeerAddress address) {
  std::shared_ptr<ControlPeer> old = peers_->Find(address.node);
  if (stopped_ || (old != nullptr && old->address().host == address.host &&
                   old->address().control_port == address.control_port)) {
    return;
  }
  KeepGrpcThreads();  // Not before there is a peer: a cluster of one has no use for them.
  const NodeId node = address.node;
  auto peer = std::make_shared<ControlPeer>(
      std::move(address), ControlPeer::Context{executor_, events_, options_.self,
                                               options_.backoff_min, options_.backoff_max, calls_});
  old = peers_->Exchange(node, peer);
  executor_.Post([old = std::move(old), peer = std::move(peer)] {
    if (old != nullptr) old->Close();
    peer->Open();
  });
}

void ControlPlane::RemovePeer(NodeId node) {
  auto old = peers_->Exchange(node, nullptr);
  if (old == nullptr) return;
  executor_.Post([old = std::move(old)] { old->Close(); });
}

void ControlPlane::Handshake(NodeId node, Duration timeout,
                             absl::AnyInvocable<void(HandshakeResult) &&> done) {
  executor_.Post([peer = peers_->Find(node), timeout, done = std::move(done)]() mutable {
    if (peer != nullptr) return peer->Handshake(timeout, std::move(done));
    HandshakeResult result;
    result.outcome = HandshakeOutcome::kRejected;
    result.reason = "no such peer";
    std::move(done)(std::move(result));
  });
}

std::shared_ptr<PairStream> ControlPlane::StreamTo(NodeId node) const {
  auto peer = peers_->Find(node);
  return peer == nullptr ? nullptr : peer->stream();
}

void ControlPlane::Redial(NodeId node) {
  auto peer = peers_->Find(node);
  if (peer == nullptr) return;
  executor_.Post([peer = std::move(peer)] { peer->Redial(); });
}

void ControlPlane::SendHeartbeat(NodeId node, const Heartbeat& heartbeat) {
  if (auto stream = StreamTo(node)) stream->SendHeartbeat(heartbeat);
}

void ControlPlane::SendRaft(NodeId node, std::vector<GroupMessage> messages) {
  if (auto stream = StreamTo(node)) stream->SendRaft(messages);
}

void ControlPlane::PushLeaderStates(NodeId node, std::vector<LeaderState> states) {
  if (auto stream = StreamTo(node)) stream->SendLeaderStates(states);
}

// One unary call over the pair's channel, or another of `stub_of`. `start(async, context, request,
// reply, callback)` makes it; `done(status, reply)` runs on executor 0.
template <class Request, class Reply, class Start, class Done>
void ControlPlane::Call(NodeId node, Duration timeout, Request request, Start start, Done done,
                        StubOf stub_of) {
  auto call = std::make_shared<UnaryCall<Request, Reply>>();
  auto shared_done = std::make_shared<Done>(std::move(done));
  const auto finish = [&executor = executor_, call, shared_done](const absl::Status& status) {
    executor.Post([call, shared_done, status] { (*shared_done)(status, call->reply); });
  };
  if (auto peer = peers_->Find(node)) call->stub = ((*peer).*stub_of)();
  if (call->stub == nullptr) {
    return finish(MakeError(Errc::kBrokerIdNotRegistered,
                            absl::StrCat("broker ", node.value(), " is no peer of this one")));
  }
  call->request = std::move(request);
  call->context.set_deadline(GrpcDeadline(timeout));
  if (!calls_->Add(&call->context)) {
    return finish(MakeError(Errc::kShuttingDown, "the broker is stopping"));
  }
  start(call->stub->async(), &call->context, &call->request, &call->reply,
        [calls = calls_, call, finish](grpc::Status status) {
          finish(FromGrpcStatus(status));
          calls->Remove(&call->context);
        });
}

void ControlPlane::FetchFullState(NodeId node,
                                  absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) {
  using Reply = control::FullStateReply;
  Call<control::FullStateRequest, Reply>(
      node, options_.call_timeout, {},
      [](auto* async, auto... args) { async->FetchFullState(args...); },
      [done = std::move(done)](const absl::Status& status, const Reply& reply) mutable {
        if (!status.ok()) return std::move(done)(status);
        std::move(done)(FromProto(reply));
      });
}

void ControlPlane::CallController(NodeId node, std::string request, Duration timeout,
                                  absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  using Reply = control::ControllerReply;
  control::ControllerRequest message;
  message.set_request(std::move(request));
  Call<control::ControllerRequest, Reply>(
      node, timeout, std::move(message),
      [](auto* async, auto... args) { async->CallController(args...); },
      [done = std::move(done)](const absl::Status& status, Reply& reply) mutable {
        if (status.ok()) return std::move(done)(std::move(*reply.mutable_reply()));
        // The controller that we knew cannot be reached: there may be another in a moment.
        const bool unreachable =
            ErrcOf(status) == Errc::kUnknown && status.code() == absl::StatusCode::kUnavailable;
        std::move(done)(unreachable ? MakeError(Errc::kNoController, std::string(status.message()))
                                    : status);
      });
}

void ControlPlane::FetchFormation(
    NodeId node, absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&> done) {
  using Reply = control::FormationReply;
  Call<control::FormationRequest, Reply>(
      node, options_.call_timeout, {},
      [](auto* async, auto... args) { async->FetchFormation(args...); },
      [done = std::move(done)](const absl::Status& status, const Reply& reply) mutable {
        if (!status.ok()) return std::move(done)(status);
        std::move(done)(FromProto(reply));
      });
}

void ControlPlane::OfferFormation(NodeId node, FormationProposal proposal,
                                  absl::AnyInvocable<void(absl::Status) &&> done) {
  using Reply = control::FormationAccepted;
  control::FormationOffer offer;
  ToProto(proposal, *offer.mutable_proposal());
  Call<control::FormationOffer, Reply>(
      node, options_.call_timeout, std::move(offer),
      [](auto* async, auto... args) { async->OfferFormation(args...); },
      [done = std::move(done)](const absl::Status& status, const Reply&) mutable {
        std::move(done)(status);
      });
}

void ControlPlane::CopyLog(NodeId node, CopyRequest request, CopyDone done) {
  using Reply = control::CopyReply;
  control::CopyRequest message;
  ToProto(request, message);
  Call<control::CopyRequest, Reply>(
      node, kCopyTimeout, std::move(message),
      [](auto* async, auto... args) { async->CopyLog(args...); },
      [done = std::move(done)](const absl::Status& status, Reply& reply) mutable {
        if (!status.ok()) return std::move(done)(status);
        std::move(done)(
            CopyReply{std::move(*reply.mutable_bytes()), std::move(*reply.mutable_snapshot())});
      },
      &ControlPeer::copy_stub);
}

}  // namespace garam
