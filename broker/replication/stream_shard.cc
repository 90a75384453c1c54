#include "broker/replication/stream_shard.h"

#include <boost/asio/ip/tcp.hpp>

#include "common/logging.h"

namespace garam {

StreamShard::StreamShard(size_t shard, ShardLoop& loop, Executor& control, PeerEvents& events,
                         OutgoingStream::Options options)
    : shard_(shard),
      loop_(loop),
      control_(control),
      events_(events),
      options_(std::move(options)) {}

void StreamShard::SetPeer(const PeerAddress& address) {
  if (closed_) return;
  auto& stream = outgoing_[address.node];
  if (stream != nullptr) return stream->SetAddress(address);
  const NodeId node = address.node;
  OutgoingStream::Events events;
  events.on_open = [this, node](bool open) {
    control_.Post(
        [&core = events_, node, shard = shard_, open] { core.OnEntryStream(node, shard, open); });
  };
  events.on_messages = [this, node](std::vector<GroupMessage> messages) {
    events_.OnStreamMessages(node, shard_, std::move(messages));
  };
  stream = std::make_shared<OutgoingStream>(loop_, shard_, address, options_, std::move(events));
  stream->Wake();
}

void StreamShard::RemovePeer(NodeId node) {
  if (auto stream = outgoing_.extract(node)) stream.mapped()->Close();
  if (auto streams = incoming_.extract(node)) {
    for (auto& [shard, place] : streams.mapped()) place.connection->Close();
  }
}

// The peer's shard of our own number, if it is connected here: with as many shards on both sides
// that is the one which asked. Otherwise any that this loop reads.
StreamConnection* StreamShard::AnswerTo(NodeId to) {
  auto streams = incoming_.find(to);
  if (streams == incoming_.end() || streams->second.empty()) return nullptr;
  auto same = streams->second.find(static_cast<uint32_t>(shard_));
  return (same != streams->second.end() ? same : streams->second.begin())->second.connection.get();
}

bool StreamShard::Send(NodeId to, const std::vector<GroupMessage>& messages) {
  auto outgoing = outgoing_.find(to);
  StreamConnection* const answers = AnswerTo(to);
  bool all = true;
  for (const GroupMessage& message : messages) {
    if (answers != nullptr && IsAnswer(message)) {
      all = answers->Queue(message) && all;
    } else {
      all = outgoing != outgoing_.end() && outgoing->second->Send(message) && all;
    }
  }
  return all;
}

void StreamShard::Adopt(StreamConnection::Socket::native_handle_type fd, bool v6,
                        const StreamHello& hello, const StreamHello& welcome) {
  using boost::asio::ip::tcp;
  StreamConnection::Socket socket(loop_.context(), v6 ? tcp::v6() : tcp::v4(), fd);
  if (closed_) return;
  const NodeId node = hello.self.node;
  const uint64_t id = ++adopted_;
  Adopted& place = incoming_[node][hello.shard];
  // The peer has given up the one before, or is another process now.
  if (place.connection != nullptr) place.connection->Close();

  StreamConnection::Handlers handlers;
  handlers.on_messages = [this, node](std::vector<GroupMessage> messages) {
    events_.OnStreamMessages(node, shard_, std::move(messages));
  };
  handlers.on_closed = [this, node, from = hello.shard, id](const absl::Status& why) {
    // A peer that goes is told of by our own stream to it; one that talks nonsense is not.
    if (!absl::IsUnavailable(why)) {
      LogWarn("closing stream {} of broker {}: {}", from, node.value(), std::string(why.message()));
    }
    Drop(node, from, id);
  };
  place.id = id;
  place.connection = std::make_shared<StreamConnection>(loop_, std::move(socket), options_.limits,
                                                        std::move(handlers));
  place.connection->Start();
  place.connection->QueueHello(welcome);
  // A peer that reaches us can be reached: do not wait for our own back-off.
  if (auto outgoing = outgoing_.find(node); outgoing != outgoing_.end()) outgoing->second->Wake();
}

void StreamShard::Drop(NodeId node, uint32_t shard, uint64_t id) {
  auto streams = incoming_.find(node);
  if (streams == incoming_.end()) return;
  auto place = streams->second.find(shard);
  if (place != streams->second.end() && place->second.id == id) streams->second.erase(place);
}

void StreamShard::Close() {
  closed_ = true;
  for (auto& [node, stream] : outgoing_) stream->Close();
  for (auto& [node, streams] : incoming_) {
    for (auto& [shard, place] : streams) place.connection->Close();
  }
  outgoing_.clear();
  incoming_.clear();
}

}  // namespace garam
