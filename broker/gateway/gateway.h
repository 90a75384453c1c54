// The Kafka door: listens where the configuration says and deals its connections to the shards.
//
// Threads:   Start and Stop from the owner's thread; the shards' loops must be running.
// Ownership: `broker` and `loops` must outlive it, and `loops` must still run at Stop.
// Errors:    Start says in one line which address cannot be had, and why.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "broker/asio/asio_executor.h"
#include "broker/broker.h"
#include "broker/gateway/connection.h"
#include "broker/gateway/connection_limits.h"
#include "broker/gateway/shard_services.h"
#include "common/metrics.h"

namespace garam {

class Gateway {
 public:
  // `loops[i]` is broker.executor(i).
  Gateway(Broker& broker, std::vector<ShardLoop*> loops);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Binds every listener, then accepts on all.
  absl::Status Start();
  // Closes the listeners and every connection; what is under way is dropped. Idempotent.
  void Stop();

  // Requests, bytes and connections so far. Any thread, between construction and destruction.
  void CollectMetrics(MetricSink& sink);

  // The port that listener number `listener` has: the configured one, or what 0 became.
  uint16_t port(size_t listener) const;

 private:
  class Acceptor;
  class HeldBack;
  // The connections of one shard; touched by its thread only.
  struct Shard {
    ShardLoop* loop;
    std::shared_ptr<ShardServices> services;
    absl::flat_hash_set<std::shared_ptr<Connection>> connections;
  };

  void Adopt(size_t shard, boost::asio::ip::tcp::socket socket, const std::string& listener);

  Broker& broker_;
  std::vector<std::unique_ptr<Shard>> shards_;
  ConnectionLimits limits_;
  std::unique_ptr<HeldBack> held_back_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  bool stopped_ = false;
};

}  // namespace garam
