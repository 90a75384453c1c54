#include "broker/replication/stream_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace garam {
namespace {

// Pieces in one write: enough for a turn under load, and the array stays on the stack.
constexpr size_t kPiecesMax = 256;

// A peer that vanished without a word (power, cable): probes on an idle connection, and the time
// that sent bytes may stay unacknowledged. Heartbeats notice sooner; this frees the socket.
constexpr int kKeepaliveIdleSeconds = 2;
constexpr int kKeepaliveProbeSeconds = 1;
constexpr int kKeepaliveProbes = 3;
constexpr int kUnacknowledgedMs = 5000;

void SetOption(int fd, int level, int name, int value) {
  // Best effort: a kernel without the option still carries the bytes.
  (void)setsockopt(fd, level, name, &value, sizeof(value));
}

absl::Status SocketError(std::string_view doing, const std::string& reason) {
  return absl::UnavailableError(
      absl::StrCat(absl::string_view(doing.data(), doing.size()), ": ", reason));
}

}  // namespace

StreamConnection::StreamConnection(ShardLoop& loop, Socket socket, Limits limits, Handlers handlers)
    : loop_(loop),
      socket_(std::move(socket)),
      limits_(limits),
      handlers_(std::move(handlers)),
      received_(limits.frame_bytes_max) {}

StreamConnection::~StreamConnection() = default;

void StreamConnection::Start() {
  const int fd = socket_.native_handle();
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveProbeSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
  Read();
}

void StreamConnection::Read() {
  const FrameBuffer::Space space = received_.Prepare();
  socket_.async_read_some(
      boost::asio::buffer(space.data, space.size),
      [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
        if (self->closed_) return;
        if (error) return self->Fail(SocketError("reading", error.message()));
        self->OnRead(count);
      });
}

void StreamConnection::OnRead(size_t count) {
  received_.Commit(count);
  if (absl::Status status = Deliver(); !status.ok()) return Fail(status);
  if (!closed_) Read();
}

absl::Status StreamConnection::Deliver() {
  std::vector<GroupMessage> messages;
  absl::Status status;
  while (!closed_) {
    auto frame = received_.Next();
    if (!frame.ok()) status = frame.status();
    if (!frame.ok() || !frame->has_value()) break;
    if (FrameKindOf(**frame) == FrameKind::kMessage) {
      auto message =
          DecodeMessage(**frame, [this](std::string_view part) { return received_.Keep(part); });
      if (!message.ok()) status = message.status();
      if (!message.ok()) break;
      messages.push_back(*std::move(message));
    } else {
      auto hello = DecodeHello(**frame);
      if (!hello.ok()) status = hello.status();
      if (!hello.ok()) break;
      if (handlers_.on_hello) handlers_.on_hello(*hello);
    }
  }
  // What came whole before a broken frame counts: it arrived in order.
  if (!messages.empty() && !closed_) handlers_.on_messages(std::move(messages));
  return status;
}

void StreamConnection::QueueHello(const StreamHello& hello) {
  if (closed_) return;
  head_.clear();
  EncodeHello(hello, head_);
  queue_.Copy(head_);
  FlushSoon();
}

bool StreamConnection::Queue(const GroupMessage& message) {
  if (closed_) return false;
  head_.clear();
  const size_t entry_bytes = EncodeMessageHead(message, head_);
  if (queue_.bytes() + head_.size() + entry_bytes > limits_.queue_bytes_max) return false;
  queue_.Copy(head_);
  ForEachEntry(message, [this](const LogEntry& entry) { queue_.Share(entry.bytes); });
  FlushSoon();
  return true;
}

void StreamConnection::FlushSoon() {
  if (flush_posted_ || waiting_for_room_) return;
  flush_posted_ = true;
  loop_.Post([self = shared_from_this()] {
    self->flush_posted_ = false;
    self->Flush();
  });
}

void StreamConnection::Flush() {
  std::array<iovec, kPiecesMax> pieces;
  while (!closed_ && !queue_.empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = queue_.Gather(pieces.data(), pieces.size());
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      queue_.Consume(static_cast<size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return Fail(SocketError("writing", std::generic_category().message(errno)));
    }
    waiting_for_room_ = true;
    socket_.async_wait(Socket::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (self->closed_) return;
                         self->waiting_for_room_ = false;
                         if (error) return self->Fail(SocketError("writing", error.message()));
                         self->Flush();
                       });
    return;
  }
}

void StreamConnection::Fail(const absl::Status& why) {
  if (closed_) return;
  auto on_closed = std::move(handlers_.on_closed);
  Close();
  if (on_closed) on_closed(why);
}

void StreamConnection::Close() {
  if (closed_) return;
  closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  queue_.Clear();
  // A handler may be running, and its captures must outlive it.
  loop_.Post([self = shared_from_this()] { self->handlers_ = Handlers(); });
}

}  // namespace garam
