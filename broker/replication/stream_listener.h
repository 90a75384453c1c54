// Takes the entry streams of peers: accepts, reads the hello, refuses or hands the socket on.
//
// Threads:   the loop; the constructor, Listen, Start and Join on the owner's thread.
// Ownership: what `accepted` refers to outlives Join.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "broker/asio/asio_executor.h"
#include "broker/asio/task_group.h"
#include "broker/peers.h"
#include "broker/wire/refusal_log.h"
#include "broker/wire/stream_codec.h"

namespace garam {

class StreamListener {
 public:
  struct Options {
    std::string host;
    uint16_t port = 0;
    Duration hello_timeout;
    std::function<NodeIdentity()> self;
    // PeerEvents::Admit.
    std::function<absl::Status(const NodeIdentity&)> admit;
  };
  // Takes over the file descriptor. `welcome` is to be sent on it first.
  using AcceptedFn = absl::AnyInvocable<void(int fd, bool v6, const StreamHello& hello,
                                             const StreamHello& welcome)>;

  StreamListener(ShardLoop& loop, Options options, AcceptedFn accepted);

  // kInvalidConfig, in one line, when the address cannot be taken.
  absl::Status Listen();
  uint16_t port() const { return port_; }
  void Start();
  void CloseAcceptor();
  // Ends what is under way and waits for it; after CloseAcceptor.
  void Join();

 private:
  using Tcp = boost::asio::ip::tcp;

  boost::asio::awaitable<void> AcceptAll();
  boost::asio::awaitable<void> Greet(Tcp::socket socket);
  absl::Status Check(const StreamHello& hello) const;

  ShardLoop& loop_;
  const Options options_;
  AcceptedFn accepted_;
  Tcp::acceptor acceptor_;
  uint16_t port_ = 0;
  TaskGroup tasks_;
  RefusalLog refusals_;
};

}  // namespace garam
