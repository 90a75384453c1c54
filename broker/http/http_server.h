// A small HTTP/1.1 server for what people and monitors ask: GET and HEAD of a few fixed paths, and
// POST where something is to be done.
// It takes connections up to a limit, and closes those that are slow or silent.
//
// Threads:   Route, Start and Stop on the owner's thread; handlers run on the loop, so they must be
//            quick and must not block. The loop must be running from Start to Stop.
// Ownership: `loop` outlives the server; what handlers refer to outlives Stop.
// Errors:    Start: kInvalidConfig in one line when the address cannot be had.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "broker/asio/asio_executor.h"
#include "broker/asio/task_group.h"
#include "broker/broker_config.h"

namespace garam {

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
};

struct HttpCall {
  bool post = false;   // Else it changes nothing: GET or HEAD.
  std::string rest{};  // Of the path, behind the route's prefix; without the query.
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse()>;
  using CallHandler = std::function<HttpResponse(const HttpCall&)>;

  HttpServer(ShardLoop& loop, HostPort address);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Before Start. `path` without a query.
  void Route(std::string path, Handler handler);
  // The same for every longer path that begins with `prefix`, and for POST too.
  void RouteUnder(std::string prefix, CallHandler handler);

  absl::Status Start();
  // Closes everything and waits for it. Idempotent.
  void Stop();

  // The configured port, or what 0 became.
  uint16_t port() const { return port_; }

 private:
  using Tcp = boost::asio::ip::tcp;

  absl::Status Bind();
  absl::Status TryBind(const Tcp::endpoint& endpoint);
  boost::asio::awaitable<void> AcceptAll();
  boost::asio::awaitable<void> Serve(Tcp::socket socket);
  HttpResponse Answer(bool post, const std::string& target) const;

  ShardLoop& loop_;
  const HostPort address_;
  std::map<std::string, Handler> handlers_;
  std::map<std::string, CallHandler> prefixes_;
  Tcp::acceptor acceptor_;
  TaskGroup tasks_;
  uint16_t port_ = 0;
  bool started_ = false;
};

}  // namespace garam
