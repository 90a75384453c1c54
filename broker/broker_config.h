// What a broker was told at its start: server.properties, KAFKA_* environment variables and flags
// (in that order: a flag wins over the environment, the environment over the file), each key typed
// and checked by the registry (broker/config_registry.h).
//
// Threads: immutable once loaded; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/cleaner_settings.h"
#include "broker/group_settings.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/logging.h"

namespace garam {

struct HostPort {
  std::string host{};  // Empty: every address of the machine.
  uint16_t port = 0;
  std::string ToString() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct Listener {
  std::string name{};
  HostPort address{};
  friend bool operator==(const Listener&, const Listener&) = default;
};

// One entry of controller.quorum.voters.
struct VoterAddress {
  NodeId node{};
  HostPort address{};
  friend bool operator==(const VoterAddress&, const VoterAddress&) = default;
};

struct BrokerConfig {
  // Every key that was set to something, as it was written.
  std::map<std::string, std::string> given{};

  NodeId node_id{1};
  std::string data_dir{};  // The first of log.dirs.
  std::optional<std::string> rack{};

  // Kafka listeners, and where clients are told to find each: same names, same order.
  std::vector<Listener> listeners{};
  std::vector<Listener> advertised_listeners{};

  // The gRPC plane: where to listen (unset: this is a cluster of one), and what to tell peers.
  std::optional<HostPort> control_listener{};
  HostPort control_address{};
  uint16_t stream_port = 0;                 // 0: any free port; peers learn it in the handshake.
  std::optional<HostPort> http_listener{};  // Unset: no metrics and health endpoint.
  std::vector<VoterAddress> voters{};       // Empty: form a cluster of one.

  // Topics.
  int32_t num_partitions = 1;
  std::optional<int32_t> default_replication_factor{};  // Unset: min(3, brokers).
  bool auto_create_topics = true;
  bool delete_topic_enable = true;
  // Broker-level values of topic settings, by the topic's key; only what was set explicitly.
  std::map<std::string, std::string> topic_defaults{};

  GroupSettings groups{};

  bool auto_leader_rebalance = true;
  Duration voter_dead_max = Millis(300'000);  // Then another broker votes in group 0.
  Duration leader_settle = Millis(5000);      // In sync for so long before it leads again.
  Duration replica_lag_time_max = Millis(30000);
  Duration retention_check_every = Millis(300'000);
  Duration producer_expiration = std::chrono::hours(24);  // producer.id.expiration.ms
  int64_t copy_bytes_per_second = 100'000'000;  // Of segments, from others (D15), a shard. 0: any.
  int64_t metadata_segment_bytes = 4 << 20;     // Group 0's log is kept as a snapshot beyond these.

  // Requests and connections.
  int64_t socket_request_max_bytes = 104857600;
  int64_t fetch_max_bytes = 57671680;
  int32_t fetch_session_slots = 1000;
  int32_t request_partitions_max = 2000;           // max.request.partition.size.limit
  Duration connections_max_idle = Millis(600000);  // kForever: never closed.
  int32_t max_connections = 2147483647;
  int32_t max_connections_per_ip = 2147483647;
  int32_t socket_listen_backlog = 50;
  int32_t socket_send_buffer_bytes = 102400;
  int32_t socket_receive_buffer_bytes = 102400;
  std::optional<int64_t> queued_max_request_bytes{};  // Unset: a share of the memory budget.
  int64_t memory_budget_bytes = 0;

  // Client quotas are rates over so many samples.
  int32_t quota_samples = 11;
  Duration quota_sample = std::chrono::seconds(1);

  // Timings between brokers (D17).
  Duration heartbeat = Millis(100);
  Duration suspect = Millis(400);
  Duration election = Millis(400);
  size_t append_bytes_max = size_t{1} << 20;    // As in raft::CoreOptions.
  size_t inflight_bytes_max = size_t{8} << 20;  // The same.
  // How long a clean stop may take to hand over leaderships.
  Duration shutdown_max = Millis(10000);

  int64_t scrub_bytes_per_second = 4 << 20;  // 0: never.
  CleanerSettings cleaner;

  size_t shards = 1;
  LogLevel log_level = LogLevel::kInfo;
};

// What the machine says about itself, for defaults.
struct MachineFacts {
  size_t cores = 1;
  int64_t memory_bytes = 0;  // 0: unknown.
  std::string host_name = "localhost";
};

struct ConfigSources {
  std::string file_name{};  // For messages.
  std::string file_text{};  // server.properties; empty when there is none.
  std::vector<std::pair<std::string, std::string>> environment{};  // All of it; others are ignored.
  std::vector<std::string> sets{};                                 // --set key=value
  MachineFacts machine{};
};

struct LoadedConfig {
  BrokerConfig config{};
  std::vector<std::string> notes{};  // One line each for the log: keys that mean nothing here, …
};

// kInvalidConfig with one line that names the key, where it was set and what to do.
absl::StatusOr<LoadedConfig> LoadBrokerConfig(const ConfigSources& sources);

// The text of --help about keys: name, type, default and what it does.
std::string BrokerConfigHelp();

}  // namespace garam
