#include "broker/replication/stream_listener.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "broker/wire/peer_check.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

namespace asio = boost::asio;

// Errors as values: a peer that hangs up is no exception.
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// A hello is some dozens of bytes; a stranger gets no more memory than this.
constexpr size_t kHelloBytesMax = 4096;

// Out of descriptors or memory: accepting again at once would spin.
constexpr auto kAcceptPause = Millis(50);

}  // namespace

StreamListener::StreamListener(ShardLoop& loop, Options options, AcceptedFn accepted)
    : loop_(loop),
      options_(std::move(options)),
      accepted_(std::move(accepted)),
      acceptor_(loop.context()),
      tasks_(loop) {}

absl::Status StreamListener::Listen() {
  boost::system::error_code error;
  const auto fail = [&] {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat("cannot listen on ", options_.host, ":", options_.port,
                                  " for replication: ", error.message()));
  };
  const auto address = asio::ip::make_address(options_.host, error);
  if (error) return fail();
  const Tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), error);
  // Only for ports in TIME_WAIT: a second listener on the port still fails.
  if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail();
  port_ = acceptor_.local_endpoint(error).port();
  return absl::OkStatus();
}

void StreamListener::Start() {
  loop_.Post([this] { tasks_.Spawn("accepting replication streams", AcceptAll()); });
}

void StreamListener::CloseAcceptor() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void StreamListener::Join() { tasks_.Join(); }

asio::awaitable<void> StreamListener::AcceptAll() {
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (!acceptor_.is_open() || tasks_.cancelled()) co_return;
    if (!error) {
      tasks_.Spawn("greeting a replication stream", Greet(std::move(socket)));
      continue;
    }
    LogWarn("accepting replication streams: {}", error.message());
    asio::steady_timer pause(loop_.context(), kAcceptPause);
    co_await pause.async_wait(kAwait);
  }
}

absl::Status StreamListener::Check(const StreamHello& hello) const {
  const NodeIdentity self = options_.self();
  RETURN_IF_ERROR(CheckReached(hello.to, self.node));
  RETURN_IF_ERROR(CheckPeer(self, hello.self, hello.protocol));
  return options_.admit(hello.self);
}

asio::awaitable<void> StreamListener::Greet(Tcp::socket accepted) {
  auto socket = std::make_shared<Tcp::socket>(std::move(accepted));
  const TimerId timer = loop_.PostAt(MonoTime::clock::now() + options_.hello_timeout, [socket] {
    boost::system::error_code ignored;
    socket->close(ignored);
  });
  std::string frame(kFrameHeaderBytes, '\0');
  auto [error, count] = co_await asio::async_read(*socket, asio::buffer(frame), kAwait);
  absl::StatusOr<FrameHeader> header = absl::UnavailableError("");
  if (!error) header = ParseFrameHeader(frame, kHelloBytesMax);
  if (header.ok()) {
    frame.resize(header->frame_bytes());
    auto [rest_error, rest] = co_await asio::async_read(
        *socket, asio::buffer(frame.data() + kFrameHeaderBytes, frame.size() - kFrameHeaderBytes),
        kAwait);
    error = rest_error;
  }
  loop_.Cancel(timer);
  // Somebody probing the port, or a peer that died meanwhile.
  if (error || tasks_.cancelled()) co_return;

  const absl::StatusOr<StreamHello> hello =
      header.ok() ? DecodeHello(frame) : absl::StatusOr<StreamHello>(header.status());
  if (!hello.ok()) {
    LogWarn("a replication stream did not begin with a hello: {}", hello.status().ToString());
    co_return;
  }
  StreamHello welcome;
  welcome.self = options_.self();
  welcome.to = hello->self.node;
  welcome.shard = hello->shard;
  absl::Status status = Check(*hello);
  if (status.ok()) {
    const bool v6 = socket->local_endpoint(error).address().is_v6();
    const int fd = socket->release(error);
    if (!error) accepted_(fd, v6, *hello, welcome);
    co_return;
  }
  refusals_.Refused("the replication stream", hello->self.node, status);
  welcome.refusal = std::string(status.message());
  std::string answer;
  EncodeHello(welcome, answer);
  co_await asio::async_write(*socket, asio::buffer(answer), kAwait);
}

}  // namespace garam
