// The connection of one shard of ours to one peer: resolves, connects, shakes hands, and does so
// again, with a back-off, whenever it breaks.
//
// Threads:   one loop.
// Ownership: shared with its pending operations; Close ends them and drops the events.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "broker/asio/asio_executor.h"
#include "broker/peers.h"
#include "broker/replication/stream_connection.h"
#include "broker/wire/stream_codec.h"

namespace garam {

class OutgoingStream final : public std::enable_shared_from_this<OutgoingStream> {
 public:
  struct Options {
    StreamConnection::Limits limits;
    Duration backoff_min;
    Duration backoff_max;
    Duration connect_timeout;  // From the first packet to the peer's welcome.
    std::function<NodeIdentity()> self;
  };
  // Called on the loop; not from inside a call into this object.
  struct Events {
    absl::AnyInvocable<void(bool open)> on_open;
    absl::AnyInvocable<void(std::vector<GroupMessage>)> on_messages;
  };

  OutgoingStream(ShardLoop& loop, size_t shard, PeerAddress address, const Options& options,
                 Events events);
  ~OutgoingStream();

  // Connects at once unless connected, forgetting the back-off: the peer gave a sign of life.
  void Wake();
  // Moves to another address; the same one wakes only.
  void SetAddress(PeerAddress address);
  void Close();

  bool open() const { return open_; }
  // False, dropping it, when not open or the queue has no room.
  bool Send(const GroupMessage& message) { return open_ && connection_->Queue(message); }
  size_t queued_bytes() const { return connection_ == nullptr ? 0 : connection_->queued_bytes(); }

 private:
  using Tcp = boost::asio::ip::tcp;
  using Resolver = Tcp::resolver;

  void Attempt();
  void Resolve(uint64_t attempt);
  void Connect(uint64_t attempt, Tcp::endpoint endpoint);
  void Connected(uint64_t attempt);
  void OnWelcome(const StreamHello& welcome);
  void Broken(const absl::Status& why);
  void Abandon();

  ShardLoop& loop_;
  const size_t shard_;
  PeerAddress address_;
  const Options& options_;
  Events events_;

  uint64_t attempt_ = 0;  // What belongs to an older attempt is ignored.
  bool trying_ = false;
  bool open_ = false;
  bool closed_ = false;
  Duration backoff_;
  TimerId timer_ = kNoTimer;  // Of the back-off, or of the attempt's end.
  Resolver resolver_;
  std::unique_ptr<StreamConnection::Socket> socket_;  // While connecting.
  std::shared_ptr<StreamConnection> connection_;
  std::string last_reason_;  // Of the last failure logged.
};

}  // namespace garam
