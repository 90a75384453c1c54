// The TCP plane between brokers: PeerStreams over the shards' own loops.
//
// Every shard connects to every peer; a listener on shard 0 takes the peers' connections, checks
// their hello and deals each to the shard of the same number as the peer's. OnStreamMessages runs
// on the loop that read the bytes. OnEntryStream tells of our own connections (peer, our shard): a
// peer's answers come back on those, and a peer's own connections are that peer's to count.
//
// Threads:   as PeerStreams says; Listen, Start and Stop on the owner's thread.
// Ownership: the loops and `events` outlive the plane and what executor 0 has queued.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/asio/asio_executor.h"
#include "broker/peers.h"
#include "broker/replication/stream_shard.h"

namespace garam {

class StreamListener;

struct ReplicationOptions {
  std::string listen_host = "0.0.0.0";
  uint16_t listen_port = 0;  // 0: any free one.
  size_t frame_bytes_max = size_t{128} << 20;
  size_t queue_bytes_max = size_t{32} << 20;  // A connection.
  Duration backoff_min = Millis(20);
  Duration backoff_max = Millis(500);
  Duration handshake_timeout = Millis(1000);
  // Who we are now; the cluster id appears when a cluster forms. Any thread.
  std::function<NodeIdentity()> self;
};

class ReplicationPlane final : public PeerStreams {
 public:
  ReplicationPlane(ReplicationOptions options, std::vector<ShardLoop*> loops, PeerEvents& events);
  ~ReplicationPlane() override;

  // Takes the port; kInvalidConfig when it is taken or the address is not ours.
  absl::Status Listen();
  // The port that peers connect to; after Listen.
  uint16_t port() const { return port_; }
  // Begins to accept; after Listen, with the loops running. Peers are set after this.
  void Start();
  // Closes every connection; returns when no loop will call `events` for this plane. Idempotent.
  void Stop();

  void SetPeer(PeerAddress address) override;
  void RemovePeer(NodeId node) override;
  bool Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) override;

 private:
  const ReplicationOptions options_;
  const std::vector<ShardLoop*> loops_;
  PeerEvents& events_;
  uint16_t port_ = 0;
  bool started_ = false;
  bool stopped_ = false;
  std::vector<std::shared_ptr<StreamShard>> shards_;
  std::unique_ptr<StreamListener> listener_;
};

}  // namespace garam
