#include "broker/control/control_peer.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/control/control_convert.h"
#include "broker/control/grpc_deadline.h"
#include "broker/control/status_map.h"
#include "broker/wire/peer_check.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr int kMessageBytesMax = 64 << 20;

// A literal address needs no resolver.
std::string TargetOf(const PeerAddress& address) {
  in6_addr parsed;
  if (inet_pton(AF_INET, address.host.c_str(), &parsed) == 1) {
    return absl::StrCat("ipv4:", address.host, ":", address.control_port);
  }
  if (inet_pton(AF_INET6, address.host.c_str(), &parsed) == 1) {
    return absl::StrCat("ipv6:[", address.host, "]:", address.control_port);
  }
  return absl::StrCat("dns:///", address.host, ":", address.control_port);
}

int ToMillis(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<Millis>(duration).count());
}

}  // namespace

struct ControlPeer::Attempt {
  MonoTime deadline;
  HandshakeFn done;
  int dials = 0;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<Stub> stub;
  std::unique_ptr<grpc::ClientContext> context;
  control::Hello hello;
  control::Welcome welcome;
};

ControlPeer::ControlPeer(PeerAddress address, const Context& context)
    : address_(std::move(address)), context_(context), backoff_(context.backoff_min) {
  copy_stub_ = control::Control::NewStub(NewChannel());
  channel_ = NewChannel();  // Connects when it is first used.
  stub_ = control::Control::NewStub(channel_);
}

std::shared_ptr<grpc::Channel> ControlPeer::NewChannel() const {
  grpc::ChannelArguments args;
  // One peer's failures and back-off are its own; sharing would also undo dialling anew.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, ToMillis(context_.backoff_max));
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, ToMillis(context_.backoff_min));
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, ToMillis(context_.backoff_max));
  // This one is the time that a connection attempt is given.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, ToMillis(context_.backoff_max));
  // Heartbeats notice a silent peer; pings only free the socket of one that never closed it. They
  // are patient, so that a stopped process or a busy machine loses no connection.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  return grpc::CreateCustomChannel(TargetOf(address_), grpc::InsecureChannelCredentials(), args);
}

std::shared_ptr<PairStream> ControlPeer::stream() const {
  std::lock_guard lock(mutex_);
  return stream_;
}

std::shared_ptr<ControlPeer::Stub> ControlPeer::stub() const {
  std::lock_guard lock(mutex_);
  return stub_;
}

void ControlPeer::Open() { OpenStream(); }

void ControlPeer::Close() {
  closed_ = true;
  ++stream_number_;
  context_.executor.Cancel(std::exchange(timer_, kNoTimer));
  std::lock_guard lock(mutex_);
  if (stream_ != nullptr) stream_->Cancel();
  stream_ = nullptr;
}

void ControlPeer::Redial() {
  if (!closed_) MoveTo(NewChannel());
}

// Takes `channel` for the pair's, and opens the stream over it.
void ControlPeer::MoveTo(std::shared_ptr<grpc::Channel> channel) {
  channel_ = std::move(channel);
  const bool was_open = std::exchange(open_, false);
  backoff_ = context_.backoff_min;
  std::shared_ptr<PairStream> old;
  {
    std::lock_guard lock(mutex_);
    stub_ = control::Control::NewStub(channel_);
    old = std::move(stream_);
    stream_ = nullptr;
  }
  if (old != nullptr) old->Cancel();
  if (was_open) context_.events.OnControlStream(address_.node, false);
  OpenStream();
}

void ControlPeer::OpenStream() {
  if (closed_) return;
  context_.executor.Cancel(std::exchange(timer_, kNoTimer));
  const uint64_t number = ++stream_number_;
  stream_begun_ = MonoTime::clock::now();
  PairStream::Callbacks callbacks;
  // On gRPC's threads: judge there, tell executor 0.
  callbacks.check = [self = shared_from_this()](const control::Welcome& welcome) {
    const NodeIdentity peer = FromProto(welcome.self());
    RETURN_IF_ERROR(CheckReached(self->address_.node, peer.node));
    return CheckPeer(self->context_.self(), peer, ProtocolOf(welcome));
  };
  callbacks.on_open = [self = shared_from_this(), number](const control::Welcome& welcome) {
    const NodeIdentity peer = FromProto(welcome.self());
    self->context_.executor.Post(
        [self, number, start_id = peer.start_id] { self->OnWelcome(number, start_id); });
  };
  callbacks.on_ended = [self = shared_from_this(), number](const absl::Status& reason) {
    self->context_.executor.Post([self, number, reason] { self->OnEnded(number, reason); });
  };
  auto stream = std::make_shared<PairStream>(stub_, context_.calls, std::move(callbacks));
  {
    std::lock_guard lock(mutex_);
    stream_ = stream;
  }
  stream->Start(MakeHello(context_.self(), address_.node));
}

void ControlPeer::OnWelcome(uint64_t stream, StartId start_id) {
  if (stream != stream_number_ || closed_) return;
  open_ = true;
  start_id_ = start_id;
  backoff_ = context_.backoff_min;
  last_reason_.clear();
  LogDebug("the control stream to broker {} is open", address_.node.value());
  context_.events.OnControlStream(address_.node, true);
}

void ControlPeer::OnEnded(uint64_t stream, const absl::Status& reason) {
  if (stream != stream_number_ || closed_) return;
  const bool was_open = std::exchange(open_, false);
  {
    std::lock_guard lock(mutex_);
    stream_ = nullptr;
  }
  std::string text(reason.message());
  // Every attempt fails alike: one line tells it.
  if (text != last_reason_) {
    LogInfo("control stream to broker {} at {}:{}: {}", address_.node.value(), address_.host,
            address_.control_port, text);
    last_reason_ = std::move(text);
  }
  timer_ = context_.executor.PostAt(MonoTime::clock::now() + backoff_,
                                    [self = shared_from_this()] { self->OpenStream(); });
  backoff_ = std::min(backoff_ * 2, context_.backoff_max);
  if (was_open) context_.events.OnControlStream(address_.node, false);
}

void ControlPeer::Wake(StartId start_id) {
  if (closed_) return;
  // The process that our stream reached is gone, though nobody told us (its address moved).
  if (open_ && start_id != start_id_) return Redial();
  if (open_) return;
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  if (timer_ != kNoTimer) OpenStream();
}

// Whether the pair should take over a connection that has just reached the process `start_id`.
bool ControlPeer::NeedsChannelTo(StartId start_id) const {
  if (open_) return start_id != start_id_;
  // A stream that has just begun over a live connection is about to open. One that has waited for
  // long on it waits for a peer that is no longer behind it.
  const bool opening = timer_ == kNoTimer && channel_->GetState(false) == GRPC_CHANNEL_READY &&
                       MonoTime::clock::now() - stream_begun_ < context_.backoff_max;
  return !opening;
}

void ControlPeer::Handshake(Duration timeout, HandshakeFn done) {
  auto attempt = std::make_shared<Attempt>();
  attempt->deadline = MonoTime::clock::now() + timeout;
  attempt->done = std::move(done);
  Dial(std::move(attempt));
}

void ControlPeer::Dial(std::shared_ptr<Attempt> attempt) {
  ++attempt->dials;
  attempt->channel = NewChannel();
  attempt->stub = control::Control::NewStub(attempt->channel);
  attempt->context = std::make_unique<grpc::ClientContext>();
  attempt->context->set_deadline(GrpcDeadline(attempt->deadline - MonoTime::clock::now()));
  attempt->hello = MakeHello(context_.self(), address_.node);
  grpc::ClientContext* const context = attempt->context.get();
  if (!context_.calls->Add(context)) {
    return std::move(attempt->done)(HandshakeResult());  // The broker is stopping.
  }
  attempt->stub->async()->Handshake(
      context, &attempt->hello, &attempt->welcome,
      [self = shared_from_this(), attempt, context](grpc::Status status) {
        self->context_.executor.Post([self, attempt, status] { self->Finish(attempt, status); });
        self->context_.calls->Remove(context);
      });
}

void ControlPeer::Finish(std::shared_ptr<Attempt> attempt, const grpc::Status& status) {
  HandshakeResult result;
  if (status.ok()) {
    result.peer = FromProto(attempt->welcome.self());
    result.stream_port = static_cast<uint16_t>(attempt->welcome.stream_port());
    absl::Status check = CheckReached(address_.node, result.peer.node);
    if (check.ok()) {
      check = CheckPeer(context_.self(), result.peer, ProtocolOf(attempt->welcome));
    }
    result.outcome = check.ok() ? HandshakeOutcome::kDone : HandshakeOutcome::kRejected;
    result.reason = std::string(check.message());
    if (check.ok() && !closed_ && NeedsChannelTo(result.peer.start_id)) MoveTo(attempt->channel);
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    const bool refused = absl::StrContains(status.error_message(), "refused");
    // Connected and cut off: the process was just dying. Once more, for a plain answer.
    if (!refused && attempt->dials == 1 && MonoTime::clock::now() < attempt->deadline) {
      return Dial(std::move(attempt));
    }
    result.outcome = refused ? HandshakeOutcome::kRefused : HandshakeOutcome::kTimedOut;
  } else if (status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED &&
             status.error_code() != grpc::StatusCode::CANCELLED) {
    result.outcome = HandshakeOutcome::kRejected;
    result.reason = status.error_message();
  }
  std::move(attempt->done)(std::move(result));
}

}  // namespace garam
