// The whole of garamd: construction in order, stop in reverse.
//
// Threads: the process's main one. Errors: one line each, for the person who started it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/asio/asio_executor.h"
#include "broker/broker_config.h"
#include "broker/broker_core.h"
#include "broker/control/control_plane.h"
#include "broker/data_folder.h"
#include "broker/gateway/gateway.h"
#include "broker/http/http_server.h"
#include "broker/replication/replication_plane.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/random.h"
#include "common/thread_pool.h"
#include "storage/kv_store.h"
#include "storage/posix_file_system.h"

namespace garam {

class ProcessEvents;

class BrokerProcess {
 public:
  BrokerProcess(BrokerConfig config, ProcessEvents& events);
  ~BrokerProcess();

  // Takes folder and ports and begins to join the cluster.
  absl::Status Start();
  // Opens the Kafka listeners: the broker is in the cluster.
  absl::Status Serve();
  // Hands over leaderships, then closes everything.
  void Stop();

 private:
  absl::Status ListenToPeers();
  absl::Status ListenToMonitors();
  std::string ReadyLine() const;

  const BrokerConfig config_;
  ProcessEvents& events_;
  SystemClock clock_;
  SystemRandom random_;
  storage::PosixFileSystem files_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<storage::KvStore> kv_;
  ThreadPool pool_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  std::unique_ptr<BrokerCore> core_;
  std::unique_ptr<ControlPlane> control_;
  std::unique_ptr<ReplicationPlane> streams_;
  std::unique_ptr<Gateway> gateway_;
  Metrics metrics_;
  std::unique_ptr<HttpServer> http_;  // Unset without garam.http.listener.
};

}  // namespace garam
