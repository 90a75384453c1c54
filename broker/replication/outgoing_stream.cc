#include "broker/replication/outgoing_stream.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/wire/peer_check.h"
#include "common/logging.h"

namespace garam {

OutgoingStream::OutgoingStream(ShardLoop& loop, size_t shard, PeerAddress address,
                               const Options& options, Events events)
    : loop_(loop),
      shard_(shard),
      address_(std::move(address)),
      options_(options),
      events_(std::move(events)),
      backoff_(options.backoff_min),
      resolver_(loop.context()) {}

OutgoingStream::~OutgoingStream() = default;

void OutgoingStream::Wake() {
  if (closed_ || open_) return;
  backoff_ = options_.backoff_min;
  if (!trying_) Attempt();
}

void OutgoingStream::SetAddress(PeerAddress address) {
  // Registrations do not know the port; what a handshake told stays good.
  if (address.stream_port == 0 && address.host == address_.host) {
    address.stream_port = address_.stream_port;
  }
  const bool same = address.host == address_.host && address.stream_port == address_.stream_port;
  address_ = std::move(address);
  if (same) return Wake();
  const bool was_open = open_;
  Abandon();
  if (was_open && events_.on_open) {
    loop_.Post([self = shared_from_this()] {
      if (!self->closed_ && !self->open_) self->events_.on_open(false);
    });
  }
  Wake();
}

void OutgoingStream::Close() {
  if (closed_) return;
  closed_ = true;
  Abandon();
  loop_.Post([self = shared_from_this()] { self->events_ = Events(); });
}

// Ends the connection or the attempt under way.
void OutgoingStream::Abandon() {
  ++attempt_;
  open_ = false;
  trying_ = false;
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  resolver_.cancel();
  socket_.reset();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
}

void OutgoingStream::Attempt() {
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  if (closed_ || address_.stream_port == 0) return;  // SetAddress will tell the port.
  trying_ = true;
  const uint64_t attempt = ++attempt_;
  timer_ = loop_.PostAt(MonoTime::clock::now() + options_.connect_timeout,
                        [self = shared_from_this(), attempt] {
                          if (attempt != self->attempt_) return;
                          self->timer_ = kNoTimer;
                          self->Broken(absl::DeadlineExceededError("no answer"));
                        });
  // A literal address spares the thread that Asio resolves names on.
  boost::system::error_code not_literal;
  const auto literal = boost::asio::ip::make_address(address_.host, not_literal);
  if (not_literal) return Resolve(attempt);
  Connect(attempt, Tcp::endpoint(literal, address_.stream_port));
}

void OutgoingStream::Resolve(uint64_t attempt) {
  resolver_.async_resolve(
      address_.host, std::to_string(address_.stream_port),
      [self = shared_from_this(), attempt](const boost::system::error_code& error,
                                           const Resolver::results_type& results) {
        if (attempt != self->attempt_) return;
        if (error || results.empty()) {
          return self->Broken(absl::UnavailableError(absl::StrCat("resolving: ", error.message())));
        }
        // One address an attempt, in turn: the names of a cluster have one as a rule.
        auto pick = results.begin();
        std::advance(pick, static_cast<ptrdiff_t>(attempt % results.size()));
        self->Connect(attempt, pick->endpoint());
      });
}

void OutgoingStream::Connect(uint64_t attempt, Tcp::endpoint endpoint) {
  socket_ = std::make_unique<StreamConnection::Socket>(loop_.context());
  socket_->async_connect(
      endpoint, [self = shared_from_this(), attempt](const boost::system::error_code& error) {
        if (attempt != self->attempt_) return;
        if (error) return self->Broken(absl::UnavailableError(error.message()));
        self->Connected(attempt);
      });
}

void OutgoingStream::Connected(uint64_t attempt) {
  StreamConnection::Handlers handlers;
  handlers.on_hello = [this, attempt](const StreamHello& welcome) {
    if (attempt == attempt_) OnWelcome(welcome);
  };
  handlers.on_messages = [this, attempt](std::vector<GroupMessage> messages) {
    if (attempt == attempt_ && open_) events_.on_messages(std::move(messages));
  };
  handlers.on_closed = [this, attempt](const absl::Status& why) {
    if (attempt == attempt_) Broken(why);
  };
  connection_ = std::make_shared<StreamConnection>(loop_, std::move(*socket_), options_.limits,
                                                   std::move(handlers));
  socket_.reset();
  StreamHello hello;
  hello.self = options_.self();
  hello.to = address_.node;
  hello.shard = static_cast<uint32_t>(shard_);
  connection_->Start();
  connection_->QueueHello(hello);
}

void OutgoingStream::OnWelcome(const StreamHello& welcome) {
  if (open_) return;
  absl::Status status = absl::OkStatus();
  if (!welcome.refusal.empty()) {
    status = absl::FailedPreconditionError(absl::StrCat("it refuses: ", welcome.refusal));
  }
  if (status.ok()) status = CheckReached(address_.node, welcome.self.node);
  if (status.ok()) status = CheckPeer(options_.self(), welcome.self, welcome.protocol);
  if (!status.ok()) return Broken(status);
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  trying_ = false;
  open_ = true;
  backoff_ = options_.backoff_min;
  last_reason_.clear();
  LogDebug("stream {} to broker {} is open", shard_, address_.node.value());
  events_.on_open(true);
}

void OutgoingStream::Broken(const absl::Status& why) {
  const bool was_open = open_;
  Abandon();
  std::string reason(why.message());
  // Every attempt at a dead peer fails alike: one line tells it.
  if (reason != last_reason_) {
    LogInfo("stream {} to broker {} at {}:{}: {}", shard_, address_.node.value(), address_.host,
            address_.stream_port, reason);
    last_reason_ = std::move(reason);
  }
  timer_ = loop_.PostAt(MonoTime::clock::now() + backoff_, [self = shared_from_this()] {
    self->timer_ = kNoTimer;
    self->Attempt();
  });
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  if (was_open) events_.on_open(false);
}

}  // namespace garam
