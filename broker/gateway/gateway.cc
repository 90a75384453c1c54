#include "broker/gateway/gateway.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "broker/gateway/dispatch.h"
#include "broker/quota_manager.h"
#include "common/executor.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

using boost::asio::ip::tcp;

// After accept failed (no descriptors left, for example).
constexpr Duration kAcceptRetry = Millis(100);
// Without a memory budget in the configuration.
constexpr int64_t kDefaultMemoryBytes = int64_t{512} << 20;
constexpr size_t kShareBytesMin = size_t{16} << 20;

std::shared_ptr<GatewayMemory> MakeMemory(const BrokerConfig& config) {
  const int64_t all =
      config.memory_budget_bytes > 0 ? config.memory_budget_bytes : kDefaultMemoryBytes;
  const auto share = std::max(static_cast<size_t>(all / 4), kShareBytesMin);
  const size_t requests = config.queued_max_request_bytes.has_value()
                              ? static_cast<size_t>(*config.queued_max_request_bytes)
                              : share;
  return std::make_shared<GatewayMemory>(requests, share);
}

absl::StatusOr<std::vector<tcp::endpoint>> Resolve(ShardLoop& loop, const HostPort& address) {
  const tcp::endpoint any_v4(tcp::v4(), address.port);
  if (address.host == "0.0.0.0") return std::vector<tcp::endpoint>{any_v4};
  // Both protocols on one socket, where the machine has the newer one.
  if (address.host.empty())
    return std::vector<tcp::endpoint>{tcp::endpoint(tcp::v6(), address.port), any_v4};
  boost::system::error_code error;
  tcp::resolver resolver(loop.context());
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error) return absl::UnavailableError(error.message());
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  return endpoints;
}

// As clients of the older protocol know theirs, also on a socket for both.
std::string AddressOf(const tcp::endpoint& peer) {
  const boost::asio::ip::address address = peer.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address.to_string();
  return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()).to_string();
}

}  // namespace

// Connections of addresses that open too many a second (KIP-612): unanswered for a while, so that
// whoever would try again at once waits, and then closed. On shard 0's loop.
class Gateway::HeldBack {
 public:
  explicit HeldBack(ShardLoop& loop) : loop_(loop) {}

  // `closed` runs at `until`; not after Close.
  void Hold(tcp::socket socket, MonoTime until, Task closed) {
    const uint64_t number = next_++;
    const TimerId timer = loop_.PostAt(until, [this, number, closed = std::move(closed)]() mutable {
      sockets_.erase(number);
      std::move(closed)();
    });
    sockets_.emplace(number, std::pair(std::move(socket), timer));
  }

  void Close() {
    for (const auto& [number, held] : sockets_) loop_.Cancel(held.second);
    sockets_.clear();
  }

 private:
  ShardLoop& loop_;
  uint64_t next_ = 0;
  absl::flat_hash_map<uint64_t, std::pair<tcp::socket, TimerId>> sockets_;
};

// One listening socket, on shard 0's loop.
class Gateway::Acceptor {
 public:
  Acceptor(Gateway& gateway, Listener listener)
      : gateway_(gateway),
        listener_(std::move(listener)),
        loop_(*gateway.shards_[0]->loop),
        acceptor_(loop_.context()),
        retry_(loop_.context()) {}

  // On the owner's thread, before anything else.
  absl::Status Bind(int backlog) {
    absl::StatusOr<std::vector<tcp::endpoint>> endpoints = Resolve(loop_, listener_.address);
    absl::Status status = endpoints.status();
    for (size_t i = 0; endpoints.ok() && i < endpoints->size(); ++i) {
      status = TryBind((*endpoints)[i], backlog);
      if (status.ok()) break;
    }
    if (status.ok()) return status;
    return MakeError(
        Errc::kInvalidConfig,
        absl::StrCat("cannot listen on ", listener_.name, "://", listener_.address.host, ":",
                     listener_.address.port, ": ", absl::string_view(status.message()),
                     "; is another process using it?"));
  }

  uint16_t port() const { return port_; }

  // On the loop.
  void Accept() {
    const size_t shard = next_shard_++ % gateway_.shards_.size();
    acceptor_.async_accept(
        gateway_.shards_[shard]->loop->context(),
        [this, shard](const boost::system::error_code& error, tcp::socket socket) {
          if (error == boost::asio::error::operation_aborted) return;
          if (error) return Retry(error);
          gateway_.Adopt(shard, std::move(socket), listener_.name);
          Accept();
        });
  }

  // On the loop.
  void Close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
  }

 private:
  absl::Status TryBind(const tcp::endpoint& endpoint, int backlog) {
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6())
      acceptor_.set_option(boost::asio::ip::v6_only(false), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(backlog, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (!error) return absl::OkStatus();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    return absl::UnavailableError(error.message());
  }

  void Retry(const boost::system::error_code& error) {
    LogWarn("cannot accept on {}: {}", listener_.name, error.message());
    retry_.expires_after(kAcceptRetry);
    retry_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) Accept();
    });
  }

  Gateway& gateway_;
  const Listener listener_;
  ShardLoop& loop_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  uint16_t port_ = 0;
  size_t next_shard_ = 0;
};

Gateway::Gateway(Broker& broker, std::vector<ShardLoop*> loops)
    : broker_(broker),
      limits_(static_cast<size_t>(broker.config().max_connections),
              static_cast<size_t>(broker.config().max_connections_per_ip)) {
  const std::shared_ptr<GatewayMemory> memory = MakeMemory(broker.config());
  const auto slots = static_cast<size_t>(std::max(broker.config().fetch_session_slots, 0));
  for (size_t i = 0; i < loops.size(); ++i) {
    auto services = std::make_shared<ShardServices>(broker, i, memory,
                                                    (slots + loops.size() - 1) / loops.size());
    shards_.push_back(std::make_unique<Shard>(Shard{loops[i], std::move(services), {}}));
  }
  held_back_ = std::make_unique<HeldBack>(*loops[0]);
}

Gateway::~Gateway() { Stop(); }

absl::Status Gateway::Start() {
  for (const Listener& listener : broker_.config().listeners) {
    acceptors_.push_back(std::make_unique<Acceptor>(*this, listener));
    RETURN_IF_ERROR(acceptors_.back()->Bind(broker_.config().socket_listen_backlog));
  }
  shards_[0]->loop->RunAndWait([this] {
    for (const auto& acceptor : acceptors_) acceptor->Accept();
  });
  return absl::OkStatus();
}

void Gateway::CollectMetrics(MetricSink& sink) {
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  for (const auto& shard : shards_) {
    bytes_in += shard->services->counts.request_bytes.value();
    bytes_out += shard->services->counts.answer_bytes.value();
  }
  for (const ApiRow& row : HandledApis()) {
    const auto key = static_cast<size_t>(row.key);
    uint64_t requests = 0;
    for (const auto& shard : shards_) requests += shard->services->counts.requests[key].value();
    const kafka::ApiInfo* const api = kafka::FindApi(static_cast<int16_t>(row.key));
    sink.Counter("garam_kafka_requests_total", "Requests taken, by API",
                 {{"api", std::string(api->name)}}, static_cast<double>(requests));
  }
  sink.Counter("garam_kafka_request_bytes_total", "Bytes of requests taken", {},
               static_cast<double>(bytes_in));
  sink.Counter("garam_kafka_answer_bytes_total", "Bytes of answers", {},
               static_cast<double>(bytes_out));
  sink.Gauge("garam_kafka_connections", "Connections of clients", {},
             static_cast<double>(limits_.total()));
}

uint16_t Gateway::port(size_t listener) const { return acceptors_[listener]->port(); }

void Gateway::Adopt(size_t shard, tcp::socket socket, const std::string& listener) {
  boost::system::error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return;  // It has gone already.
  const std::string address = AddressOf(peer);
  if (!limits_.Enter(address)) {
    LogWarn("refusing a connection of {}: too many (max.connections)", address);
    return;
  }
  const MonoTime now = broker_.clock().Mono();
  if (const Duration wait = broker_.quotas().Connect(address, now); wait > Duration::zero()) {
    return held_back_->Hold(std::move(socket), now + wait,
                            [this, address] { limits_.Leave(address); });
  }
  Shard& to = *shards_[shard];
  to.loop->Post(
      [this, &to, listener, address, port = peer.port(), socket = std::move(socket)]() mutable {
        auto connection = std::make_shared<Connection>(to.services, std::move(socket), listener,
                                                       absl::StrCat(address, ":", port));
        to.connections.insert(connection);
        connection->Start([this, &to, address, raw = connection.get()] {
          limits_.Leave(address);
          to.connections.erase(raw->shared_from_this());
        });
      });
}

void Gateway::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (acceptors_.empty()) return;
  shards_[0]->loop->RunAndWait([this] {
    for (const auto& acceptor : acceptors_) acceptor->Close();
    held_back_->Close();
  });
  // Every connection that was accepted has been posted to its shard before this.
  for (const auto& shard : shards_) {
    shard->loop->RunAndWait([&shard] {
      for (const auto& connection : shard->connections) connection->Stop();
      shard->connections.clear();
    });
  }
  // The aborted waits of the listeners refer to them: let those handlers run first. They were
  // queued when the listeners closed.
  shards_[0]->loop->RunAndWait([] {});
  shards_[0]->loop->RunAndWait([this] { acceptors_.clear(); });
}

}  // namespace garam
