#include "broker/replication/replication_plane.h"

#include <utility>

#include "broker/replication/stream_listener.h"
#include "common/status.h"

namespace garam {

ReplicationPlane::ReplicationPlane(ReplicationOptions options, std::vector<ShardLoop*> loops,
                                   PeerEvents& events)
    : options_(std::move(options)), loops_(std::move(loops)), events_(events) {
  OutgoingStream::Options stream;
  stream.limits = {options_.frame_bytes_max, options_.queue_bytes_max};
  stream.backoff_min = options_.backoff_min;
  stream.backoff_max = options_.backoff_max;
  stream.connect_timeout = options_.handshake_timeout;
  stream.self = options_.self;
  for (size_t shard = 0; shard < loops_.size(); ++shard) {
    shards_.push_back(
        std::make_shared<StreamShard>(shard, *loops_[shard], *loops_[0], events, stream));
  }
}

ReplicationPlane::~ReplicationPlane() { Stop(); }

absl::Status ReplicationPlane::Listen() {
  StreamListener::Options options;
  options.host = options_.listen_host;
  options.port = options_.listen_port;
  options.hello_timeout = options_.handshake_timeout;
  options.self = options_.self;
  options.admit = [this](const NodeIdentity& peer) { return events_.Admit(peer); };
  auto accepted = [this](int fd, bool v6, const StreamHello& hello, const StreamHello& welcome) {
    const size_t shard = hello.shard % shards_.size();
    loops_[shard]->Post(
        [to = shards_[shard], fd, v6, hello, welcome] { to->Adopt(fd, v6, hello, welcome); });
  };
  listener_ = std::make_unique<StreamListener>(*loops_[0], std::move(options), accepted);
  RETURN_IF_ERROR(listener_->Listen());
  port_ = listener_->port();
  return absl::OkStatus();
}

void ReplicationPlane::Start() {
  started_ = true;
  listener_->Start();
}

void ReplicationPlane::Stop() {
  if (!started_ || std::exchange(stopped_, true)) return;
  loops_[0]->RunAndWait([this] { listener_->CloseAcceptor(); });
  listener_->Join();
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    loops_[shard]->RunAndWait([to = shards_[shard]] { to->Close(); });
  }
}

void ReplicationPlane::SetPeer(PeerAddress address) {
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    loops_[shard]->Post([to = shards_[shard], address] { to->SetPeer(address); });
  }
}

void ReplicationPlane::RemovePeer(NodeId node) {
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    loops_[shard]->Post([to = shards_[shard], node] { to->RemovePeer(node); });
  }
}

bool ReplicationPlane::Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) {
  return shards_[shard]->Send(to, messages);
}

}  // namespace garam
