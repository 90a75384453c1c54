#include "bench/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/endian.h"

namespace garam::bench {
namespace {

constexpr size_t kReceiveBytes = 256 << 10;
constexpr size_t kPiecesMax = 32;
// Larger answers than any fetch asks for are garbage.
constexpr int32_t kAnswerBytesMax = 256 << 20;

absl::StatusOr<int> ConnectTo(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = absl::StrCat(endpoint.port);
  if (getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    return MakeError(Errc::kInvalidRequest, absl::StrCat("no such host: ", endpoint.host));
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int failed = connect(fd, found->ai_addr, found->ai_addrlen);
  const int reason = errno;
  freeaddrinfo(found);
  if (failed == 0) return fd;
  close(fd);
  return MakeError(Errc::kTimedOut, absl::StrCat("cannot connect to ", endpoint.host, ":",
                                                 endpoint.port, ": ", strerror(reason)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(Poller& poller,
                                                             const Endpoint& endpoint,
                                                             Listener* listener) {
  ASSIGN_OR_RETURN(const int fd, ConnectTo(endpoint));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return std::unique_ptr<Connection>(new Connection(poller, fd, endpoint.node, listener));
}

Connection::Connection(Poller& poller, int fd, int32_t node, Listener* listener)
    : poller_(poller), fd_(fd), node_(node), listener_(listener), received_(kReceiveBytes, '\0') {
  poller_.Add(fd_, EPOLLIN, this);
}

Connection::~Connection() {
  poller_.Remove(fd_);
  close(fd_);
}

void Connection::SendOwned(std::string frame, int64_t cookie) {
  const int32_t correlation = Enqueue({}, std::move(frame));
  in_flight_.push_back({correlation, cookie});
  Flush();
}

void Connection::SendShared(std::string_view frame, int64_t cookie) {
  const int32_t correlation = Enqueue(frame, {});
  in_flight_.push_back({correlation, cookie});
  Flush();
}

void Connection::SendUnanswered(std::string_view frame) {
  Enqueue(frame, {});
  Flush();
}

int32_t Connection::Enqueue(std::string_view frame, std::string owned) {
  Outgoing& out = outgoing_.emplace_back();
  out.owned = std::move(owned);
  if (!out.owned.empty()) frame = out.owned;
  std::memcpy(out.prefix.data(), frame.data(), out.prefix.size());
  StoreBigEndian<int32_t>(out.prefix.data() + kCorrelationAt, next_correlation_);
  out.rest = frame.substr(out.prefix.size());
  unsent_bytes_ += frame.size();
  return next_correlation_++;
}

void Connection::Flush() {
  while (!outgoing_.empty()) {
    std::array<iovec, kPiecesMax * 2> pieces;
    size_t used = 0;
    for (size_t i = 0; i < std::min(outgoing_.size(), kPiecesMax); ++i) {
      Outgoing& out = outgoing_[i];
      const size_t head = out.prefix.size();
      if (out.sent < head) pieces[used++] = {out.prefix.data() + out.sent, head - out.sent};
      const size_t skip = out.sent > head ? out.sent - head : 0;
      pieces[used++] = {const_cast<char*>(out.rest.data()) + skip, out.rest.size() - skip};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = used;
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;
    Sent(static_cast<size_t>(sent));
  }
  // A broken socket is left to the poller, which reports it on the next turn.
  const bool wants_write = !outgoing_.empty();
  if (wants_write == wants_write_) return;
  wants_write_ = wants_write;
  poller_.Modify(fd_, wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN, this);
}

void Connection::Sent(size_t bytes) {
  unsent_bytes_ -= bytes;
  while (bytes > 0) {
    Outgoing& out = outgoing_.front();
    const size_t whole = out.prefix.size() + out.rest.size();
    const size_t part = std::min(bytes, whole - out.sent);
    out.sent += part;
    bytes -= part;
    if (out.sent == whole) outgoing_.pop_front();
  }
}

void Connection::OnEvents(uint32_t events) {
  if (closed_) return;
  if ((events & EPOLLOUT) != 0) Flush();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Receive();
}

void Connection::Receive() {
  if (received_bytes_ == received_.size()) received_.resize(received_.size() * 2);
  const size_t room = received_.size() - received_bytes_;
  const ssize_t got = recv(fd_, received_.data() + received_bytes_, room, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return Close();
  received_bytes_ += static_cast<size_t>(got);
  if (!Deliver() && !closed_) Close();
}

bool Connection::Deliver() {
  size_t at = 0;
  // The listener may give the connection up while it handles an answer.
  while (!closed_ && received_bytes_ - at >= 2 * sizeof(int32_t)) {
    const int32_t size = LoadBigEndian<int32_t>(received_.data() + at);
    if (size < 4 || size > kAnswerBytesMax) return false;
    const size_t whole = static_cast<size_t>(size) + sizeof(int32_t);
    if (received_bytes_ - at < whole) {
      if (received_.size() < whole) received_.resize(whole + kReceiveBytes);
      break;
    }
    const int32_t correlation = LoadBigEndian<int32_t>(received_.data() + at + 4);
    if (in_flight_.empty() || in_flight_.front().correlation != correlation) return false;
    const int64_t cookie = in_flight_.front().cookie;
    in_flight_.pop_front();
    listener_->OnAnswer(*this, cookie, {received_.data() + at + 8, whole - 8});
    at += whole;
  }
  if (at > 0) std::memmove(received_.data(), received_.data() + at, received_bytes_ - at);
  received_bytes_ -= at;
  return true;
}

void Connection::Close() {
  closed_ = true;
  poller_.Remove(fd_);
  listener_->OnClosed(*this);
}

}  // namespace garam::bench
