#include "broker/http/http_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr size_t kConnectionsMax = 64;
constexpr uint32_t kHeaderBytesMax = 8192;
constexpr uint64_t kBodyBytesMax = 4096;
constexpr std::chrono::seconds kRequestTimeout{10};
constexpr std::chrono::seconds kIdleTimeout{60};
// After accept failed (no descriptors left, for example).
constexpr Duration kAcceptRetry = Millis(100);

const HttpResponse kNotAllowed{.status = 405, .body = "this method does nothing here\n"};

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

Response MakeResponse(const Request& request, HttpResponse answer) {
  Response response{static_cast<http::status>(answer.status), request.version()};
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(request.keep_alive());
  const size_t size = answer.body.size();
  if (request.method() != http::verb::head) response.body() = std::move(answer.body);
  response.content_length(size);
  return response;
}

}  // namespace

HttpServer::HttpServer(ShardLoop& loop, HostPort address)
    : loop_(loop), address_(std::move(address)), acceptor_(loop.context()), tasks_(loop) {}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Route(std::string path, Handler handler) {
  handlers_[std::move(path)] = std::move(handler);
}

void HttpServer::RouteUnder(std::string prefix, CallHandler handler) {
  prefixes_[std::move(prefix)] = std::move(handler);
}

absl::Status HttpServer::Start() {
  if (absl::Status status = Bind(); !status.ok()) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat("cannot listen on garam.http.listener ", address_.ToString(),
                                  ": ", status.message()));
  }
  started_ = true;
  loop_.Post([this] { tasks_.Spawn("http", AcceptAll()); });
  return absl::OkStatus();
}

void HttpServer::Stop() {
  if (!std::exchange(started_, false)) return;
  tasks_.Join();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

absl::Status HttpServer::Bind() {
  if (address_.host.empty()) {
    // Both protocols on one socket, where the machine has the newer one.
    if (TryBind(Tcp::endpoint(Tcp::v6(), address_.port)).ok()) return absl::OkStatus();
    return TryBind(Tcp::endpoint(Tcp::v4(), address_.port));
  }
  boost::system::error_code error;
  Tcp::resolver resolver(loop_.context());
  const auto found =
      resolver.resolve(address_.host, std::to_string(address_.port), Tcp::resolver::passive, error);
  if (error) return absl::UnavailableError(error.message());
  absl::Status status = absl::UnavailableError("no address");
  for (const auto& entry : found) {
    status = TryBind(entry.endpoint());
    if (status.ok()) break;
  }
  return status;
}

absl::Status HttpServer::TryBind(const Tcp::endpoint& endpoint) {
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6() && address_.host.empty()) {
    acceptor_.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  if (!error) return absl::OkStatus();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  return absl::UnavailableError(error.message());
}

asio::awaitable<void> HttpServer::AcceptAll() {
  asio::steady_timer retry(loop_.context());
  while (!tasks_.cancelled()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      LogWarn("cannot accept on the http listener: {}", error.message());
      retry.expires_after(kAcceptRetry);
      co_await retry.async_wait(kAwait);
      continue;
    }
    // One over the limit, this loop being a task too: closed unanswered.
    if (tasks_.size() > kConnectionsMax) continue;
    tasks_.Spawn("http connection", Serve(std::move(socket)));
  }
}

asio::awaitable<void> HttpServer::Serve(Tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  auto timeout = kRequestTimeout;
  while (!tasks_.cancelled()) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytesMax);
    parser.body_limit(kBodyBytesMax);
    stream.expires_after(timeout);
    auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAwait);
    if (read_error) break;
    const Request request = parser.release();
    HttpResponse answer = kNotAllowed;
    const bool post = request.method() == http::verb::post;
    if (post || request.method() == http::verb::get || request.method() == http::verb::head) {
      answer = Answer(post, std::string(request.target()));
    }
    Response response = MakeResponse(request, std::move(answer));
    http::response_serializer<http::string_body> serializer(response);
    stream.expires_after(kRequestTimeout);
    auto [write_error, written] = co_await http::async_write(stream, serializer, kAwait);
    if (write_error || response.need_eof()) break;
    timeout = kIdleTimeout;
  }
  boost::system::error_code ignored;
  stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
}

HttpResponse HttpServer::Answer(bool post, const std::string& target) const {
  const std::string path = target.substr(0, target.find('?'));
  const auto found = handlers_.find(path);
  if (found != handlers_.end()) return post ? kNotAllowed : found->second();
  for (const auto& [prefix, handler] : prefixes_) {
    if (path.size() <= prefix.size() || !absl::StartsWith(path, prefix)) continue;
    return handler({post, path.substr(prefix.size())});
  }
  return {.status = 404, .body = "not found\n"};
}

}  // namespace garam
