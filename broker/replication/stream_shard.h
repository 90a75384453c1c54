// The entry streams of one shard: its own connections to each peer, and those of peers that were
// dealt to it.
//
// Threads:   its loop, but for the constructor.
// Ownership: the loops and `events` outlive it, `events` also what executor 0 has queued; Close
//            before it is destroyed.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "broker/asio/asio_executor.h"
#include "broker/peers.h"
#include "broker/replication/outgoing_stream.h"
#include "broker/replication/stream_connection.h"

namespace garam {

class StreamShard {
 public:
  // `control` is executor 0, where OnEntryStream is called.
  StreamShard(size_t shard, ShardLoop& loop, Executor& control, PeerEvents& events,
              OutgoingStream::Options options);

  void SetPeer(const PeerAddress& address);
  void RemovePeer(NodeId node);
  // Everything to `to`; answers on the connection that asked, where this shard has it.
  bool Send(NodeId to, const std::vector<GroupMessage>& messages);
  // Takes over a connection whose hello was accepted; answers it with `welcome`.
  void Adopt(StreamConnection::Socket::native_handle_type fd, bool v6, const StreamHello& hello,
             const StreamHello& welcome);
  void Close();

 private:
  struct Adopted {
    uint64_t id = 0;  // Tells it from the one that takes its place.
    std::shared_ptr<StreamConnection> connection;
  };
  // Of one peer, by the peer's shard.
  using Incoming = std::map<uint32_t, Adopted>;

  StreamConnection* AnswerTo(NodeId to);
  void Drop(NodeId node, uint32_t shard, uint64_t id);

  const size_t shard_;
  ShardLoop& loop_;
  Executor& control_;
  PeerEvents& events_;
  const OutgoingStream::Options options_;
  bool closed_ = false;
  uint64_t adopted_ = 0;
  std::map<NodeId, std::shared_ptr<OutgoingStream>> outgoing_;
  std::map<NodeId, Incoming> incoming_;
};

}  // namespace garam
