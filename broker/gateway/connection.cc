#include "broker/gateway/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "broker/gateway/dispatch.h"
#include "common/logging.h"

namespace garam {
namespace {

using boost::asio::ip::tcp;

// No further request starts while this much of the answers has not been taken by the client.
constexpr size_t kOutputBytesMax = size_t{1} << 20;
constexpr size_t kInFlightMax = 1000;
// Then other connections of the shard have their turn.
constexpr int kReadsPerTurn = 4;
constexpr size_t kPiecesPerSend = 64;

}  // namespace

Connection::Connection(std::shared_ptr<ShardServices> services, tcp::socket socket,
                       std::string listener, std::string peer)
    : services_(std::move(services)),
      socket_(std::move(socket)),
      listener_(std::move(listener)),
      peer_(std::move(peer)),
      client_host_(absl::StrCat("/", peer_.substr(0, peer_.rfind(':')))),
      assembler_(services_->memory->requests,
                 static_cast<size_t>(services_->broker.config().socket_request_max_bytes)) {}

Connection::~Connection() = default;

void Connection::Start(std::function<void()> closed) {
  closed_ = std::move(closed);
  boost::system::error_code ignored;
  socket_->set_option(tcp::no_delay(true), ignored);
  socket_->set_option(boost::asio::socket_base::keep_alive(true), ignored);
  socket_->native_non_blocking(true, ignored);
  last_activity_ = services_->broker.clock().Mono();
  WatchIdle();
  WaitReadable();
}

void Connection::Stop() {
  closed_ = nullptr;
  Release();
}

// ---- Reading ---------------------------------------------------------------------------------

void Connection::WaitReadable() {
  if (!open() || reading_ || waiting_for_memory_ || !pending_.empty()) return;
  if (mute_timer_ != kNoTimer) return;
  if (assembler_.wanted_bytes() > 0) return WaitForMemory(assembler_.wanted_bytes());
  if (!services_->memory->requests.Fits(1)) return WaitForMemory(1);
  reading_ = true;
  socket_->async_wait(tcp::socket::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        self->reading_ = false;
                        if (!error) self->OnReadable();
                      });
}

void Connection::WaitForMemory(size_t bytes) {
  waiting_for_memory_ = true;
  services_->memory->requests.WhenFits(bytes, services_->executor(),
                                       [weak = weak_from_this()](MemoryBudget::Charge charge) {
                                         const std::shared_ptr<Connection> self = weak.lock();
                                         if (self == nullptr || !self->open()) return;
                                         self->waiting_for_memory_ = false;
                                         if (self->assembler_.wanted_bytes() > 0)
                                           self->assembler_.Grant(std::move(charge));
                                         charge = MemoryBudget::Charge();
                                         self->OnReadable();
                                       });
}

void Connection::OnReadable() {
  for (int i = 0; i < kReadsPerTurn && open(); ++i) {
    bool drained = false;
    if (ReadOnce(drained) == 0) break;
    Pump();
    if (drained || !pending_.empty() || assembler_.wanted_bytes() > 0) break;
    if (mute_timer_ != kNoTimer) break;
  }
  WaitReadable();
}

size_t Connection::ReadOnce(bool& drained) {
  const std::span<char> direct = assembler_.direct();
  std::array<iovec, 2> space{};
  size_t count = 0;
  if (!direct.empty()) space[count++] = {direct.data(), direct.size()};
  space[count++] = {services_->scratch.get(), ShardServices::kScratchBytes};
  msghdr message{};
  message.msg_iov = space.data();
  message.msg_iovlen = count;
  const ssize_t got = recvmsg(socket_->native_handle(), &message, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  if (got <= 0) {
    Close({});
    return 0;
  }
  last_activity_ = services_->broker.clock().Mono();
  const auto bytes = static_cast<size_t>(got);
  drained = bytes < direct.size() + ShardServices::kScratchBytes;
  const size_t direct_bytes = std::min(bytes, direct.size());
  const absl::Status status =
      assembler_.Received(direct_bytes, {services_->scratch.get(), bytes - direct_bytes}, pending_);
  if (!status.ok()) {
    CloseBecause({status.message().data(), status.message().size()});
    return 0;
  }
  return bytes;
}

// ---- Requests --------------------------------------------------------------------------------

bool Connection::MayStart() const {
  return open() && blocking_ == nullptr && mute_timer_ == kNoTimer &&
         output_bytes_ < kOutputBytesMax && in_flight_.size() < kInFlightMax;
}

void Connection::Pump() {
  if (!open() || pumping_) return;
  pumping_ = true;
  do {
    GatherAnswers();
    StartPending();
    Send();  // What leaves may make room for the next one.
  } while (!pending_.empty() && MayStart());
  pumping_ = false;
  WaitReadable();
}

void Connection::StartPending() {
  while (!pending_.empty() && MayStart()) {
    Frame frame = std::move(pending_.front());
    pending_.pop_front();
    StartRequest(std::move(frame));
    GatherAnswers();  // What finished at once counts for the next one.
  }
}

void Connection::StartRequest(Frame frame) {
  services_->counts.request_bytes.Add(frame.bytes.size());
  kafka::Reader reader(std::move(frame.bytes));
  const absl::StatusOr<kafka::RequestHeader> header = kafka::DecodeRequestHeader(reader);
  if (!header.ok())
    return CloseBecause({header.status().message().data(), header.status().message().size()});
  const ApiRow* const row = FindHandled(header->request_api_key);
  const kafka::ApiInfo* const api = kafka::FindApi(header->request_api_key);
  const int16_t version = header->request_api_version;
  const bool known_version =
      api != nullptr && version >= api->min_version && version <= api->max_version;
  // ApiVersions answers also what it does not know.
  if (row == nullptr || (!known_version && row->key != kafka::ApiKey::kApiVersions)) {
    return CloseBecause(
        fmt::format("no API {} of version {} here", header->request_api_key, version));
  }
  services_->counts.requests[static_cast<size_t>(header->request_api_key)].Add();
  auto request = std::make_shared<Request>(services_, weak_from_this(), listener_, client_host_,
                                           std::move(frame.charge), *header, std::move(reader));
  in_flight_.push_back(request);
  if (!row->overlaps) blocking_ = request.get();
  if (!services_->quotas.active(QuotaKind::kRequest)) return row->handler(std::move(request));
  request->StartClock();
  row->handler(request);
  request->StopClock();
}

void Connection::OnFinished(Request& request) {
  if (blocking_ == &request) blocking_ = nullptr;
  if (!pumping_) SchedulePump();
}

void Connection::SchedulePump() {
  if (std::exchange(pump_scheduled_, true)) return;
  // At the end of this turn: what else finishes in it leaves in the same system call.
  services_->executor().Post([self = shared_from_this()] {
    self->pump_scheduled_ = false;
    self->Pump();
  });
}

// ---- Answers ---------------------------------------------------------------------------------

// The answer leaves at once; nothing more is taken from the client until the time is over.
void Connection::Mute(Duration wait) {
  const MonoTime until = services_->broker.clock().Mono() + wait;
  if (mute_timer_ != kNoTimer && until <= muted_until_) return;
  if (mute_timer_ != kNoTimer) services_->executor().Cancel(mute_timer_);
  muted_until_ = until;
  mute_timer_ = services_->executor().PostAt(until, [weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (self == nullptr || !self->open()) return;
    self->mute_timer_ = kNoTimer;
    self->Pump();
  });
}

void Connection::GatherAnswers() {
  while (!in_flight_.empty() && in_flight_.front()->finished()) {
    const RequestPtr request = std::move(in_flight_.front());
    in_flight_.pop_front();
    if (request->throttle() > Duration::zero()) Mute(request->throttle());
    size_t bytes = 0;
    for (Bytes& piece : request->TakeFrame()) {
      bytes += piece.size();
      if (!piece.empty()) output_.push_back(Piece{std::move(piece), {}});
    }
    if (bytes == 0) continue;
    services_->counts.answer_bytes.Add(bytes);
    output_.back().charge = services_->memory->answers.ChargeAnyway(bytes);
    output_bytes_ += bytes;
  }
}

void Connection::Send() {
  while (open() && !writing_ && !output_.empty()) {
    std::array<iovec, kPiecesPerSend> pieces;
    size_t count = 0;
    for (const Piece& piece : output_) {
      if (count == pieces.size()) break;
      pieces[count++] = {const_cast<char*>(piece.bytes.data()), piece.bytes.size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(socket_->native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return WaitWritable();
      return Close({});
    }
    last_activity_ = services_->broker.clock().Mono();
    DropSent(static_cast<size_t>(sent));
  }
}

void Connection::DropSent(size_t bytes) {
  output_bytes_ -= bytes;
  while (bytes > 0) {
    Piece& first = output_.front();
    if (bytes < first.bytes.size()) {
      first.bytes = first.bytes.Slice(bytes, first.bytes.size() - bytes);
      return;
    }
    bytes -= first.bytes.size();
    output_.pop_front();
  }
}

void Connection::WaitWritable() {
  writing_ = true;
  socket_->async_wait(tcp::socket::wait_write,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        self->writing_ = false;
                        if (!error) self->Pump();
                      });
}

// ---- Its end ---------------------------------------------------------------------------------

void Connection::WatchIdle() {
  const MonoTime when = last_activity_ + services_->broker.config().connections_max_idle;
  idle_timer_ = services_->executor().PostAt(when, [weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (self == nullptr || !self->open()) return;
    self->idle_timer_ = kNoTimer;
    const MonoTime now = self->services_->broker.clock().Mono();
    const Duration idle_max = self->services_->broker.config().connections_max_idle;
    if (!self->in_flight_.empty()) self->last_activity_ = now;  // The client waits for us.
    if (now - self->last_activity_ >= idle_max) return self->Close({});
    self->WatchIdle();
  });
}

void Connection::CloseBecause(std::string_view reason) { Close(reason); }

void Connection::Close(std::string_view reason) {
  if (!open()) return;
  if (!reason.empty()) LogWarn("closing the connection of {}: {}", peer_, reason);
  const std::shared_ptr<Connection> self = shared_from_this();
  Release();
  if (std::function<void()> closed = std::exchange(closed_, nullptr)) closed();
}

void Connection::Release() {
  if (!open()) return;
  boost::system::error_code ignored;
  socket_->close(ignored);
  socket_.reset();
  if (idle_timer_ != kNoTimer) services_->executor().Cancel(std::exchange(idle_timer_, kNoTimer));
  if (mute_timer_ != kNoTimer) services_->executor().Cancel(std::exchange(mute_timer_, kNoTimer));
  pending_.clear();
  output_.clear();
  output_bytes_ = 0;
  blocking_ = nullptr;
  const std::deque<RequestPtr> in_flight = std::exchange(in_flight_, {});
  for (const RequestPtr& request : in_flight) request->Cancel();
}

}  // namespace garam
