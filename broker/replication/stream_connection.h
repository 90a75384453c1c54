// One TCP connection between two brokers, either end of it: frames in, frames out.
//
// What a turn of the loop queues leaves in one gathered write at the turn's end. Messages are
// delivered in the turn that read them, all frames of one read together, without a hop. The hello
// frames that open a connection go through `on_hello`.
//
// Threads:   one loop.
// Ownership: shared with its pending socket operations; the handlers are dropped by Close, so what
//            they refer to must live until then.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "broker/asio/asio_executor.h"
#include "broker/peers.h"
#include "broker/replication/send_queue.h"
#include "broker/wire/frame_buffer.h"
#include "broker/wire/stream_codec.h"

namespace garam {

class StreamConnection final : public std::enable_shared_from_this<StreamConnection> {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;

  struct Limits {
    size_t frame_bytes_max;  // A larger frame closes the connection.
    size_t queue_bytes_max;  // What may wait to be sent.
  };

  // `on_messages` gets what one read brought. `on_closed` runs once, when the connection ends other
  // than by Close. None is called from inside a call into this object.
  struct Handlers {
    absl::AnyInvocable<void(const StreamHello&)> on_hello;
    absl::AnyInvocable<void(std::vector<GroupMessage>)> on_messages;
    absl::AnyInvocable<void(const absl::Status&)> on_closed;
  };

  // `socket` is connected and belongs to `loop`.
  StreamConnection(ShardLoop& loop, Socket socket, Limits limits, Handlers handlers);
  ~StreamConnection();

  // Sets the socket's options and begins to read.
  void Start();
  void QueueHello(const StreamHello& hello);
  // False, queueing nothing of it, when the queue has no room.
  bool Queue(const GroupMessage& message);
  // Closes the socket; forgets what is queued and the handlers.
  void Close();

  size_t queued_bytes() const { return queue_.bytes(); }

 private:
  void Read();
  void OnRead(size_t count);
  absl::Status Deliver();
  void FlushSoon();
  void Flush();
  void Fail(const absl::Status& why);

  ShardLoop& loop_;
  Socket socket_;
  const Limits limits_;
  Handlers handlers_;
  FrameBuffer received_;
  SendQueue queue_;
  std::string head_;  // Scratch of Queue.
  bool flush_posted_ = false;
  bool waiting_for_room_ = false;  // The kernel's send buffer is full.
  bool closed_ = false;
};

}  // namespace garam
