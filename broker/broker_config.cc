#include "broker/broker_config.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/config_listeners.h"
#include "broker/config_registry.h"
#include "broker/config_sources.h"
#include "broker/topic_config_parse.h"
#include "common/status.h"

namespace garam {
namespace {

// A rate above this is none.
constexpr double kCleanerRateMax = 1e15;
constexpr char kPlaintext[] = "PLAINTEXT";
constexpr int64_t kMemoryBudgetMax = int64_t{1} << 30;
constexpr int64_t kMemoryBudgetMin = int64_t{64} << 20;
constexpr size_t kCoresPerShard = 4;

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool IsEverywhere(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

class Loader {
 public:
  explicit Loader(const ConfigSources& sources) : sources_(sources) {}

  absl::StatusOr<LoadedConfig> Load();

 private:
  absl::Status LoadNode();
  absl::Status LoadVoters();
  absl::Status LoadBootstrapServers();
  absl::Status LoadListeners();
  absl::Status LoadAdvertised();
  absl::Status LoadControl();
  absl::Status LoadHttp();
  absl::Status LoadTopics();
  absl::Status LoadGroups();
  absl::Status LoadConsumerGroups();
  absl::Status LoadTimings();
  void LoadRequests();
  void LoadMachine();
  // The topic default `key` from a coarser key, unless the exact one is set.
  absl::Status LoadCoarse(const char* topic_key, const char* exact, const char* coarse,
                          int64_t unit_ms);

  absl::Status CheckProtocol(const std::string& listener,
                             const std::map<std::string, std::string>& protocols,
                             bool controller) const;
  absl::StatusOr<std::optional<HostPort>> Address(const char* key) const;
  // `status` with the key and where it was set in front.
  absl::Status At(const char* key, const absl::Status& status) const {
    return settings_.Error(key, std::string_view(status.message().data(), status.message().size()));
  }
  Duration MillisOf(const char* key) const { return BoundedMillis(*settings_.Int(key)); }

  const ConfigSources& sources_;
  ConfigSettings settings_;
  BrokerConfig config_;
  std::vector<std::string> notes_;
  std::optional<HostPort> controller_listener_;
};

absl::StatusOr<LoadedConfig> Loader::Load() {
  ASSIGN_OR_RETURN(MergedConfig merged, MergeConfig(sources_));
  settings_ = std::move(merged.settings);
  notes_ = std::move(merged.notes);
  config_.given = settings_.Given();
  if (!settings_.Text("authorizer.class.name").empty()) {
    return settings_.Error("authorizer.class.name",
                           "authorization is not available: remove the key");
  }
  RETURN_IF_ERROR(LoadNode());
  RETURN_IF_ERROR(LoadVoters());
  RETURN_IF_ERROR(LoadListeners());
  RETURN_IF_ERROR(LoadAdvertised());
  RETURN_IF_ERROR(LoadControl());
  RETURN_IF_ERROR(LoadBootstrapServers());
  RETURN_IF_ERROR(LoadHttp());
  RETURN_IF_ERROR(LoadTopics());
  RETURN_IF_ERROR(LoadGroups());
  RETURN_IF_ERROR(LoadTimings());
  LoadRequests();
  LoadMachine();
  return LoadedConfig{.config = std::move(config_), .notes = std::move(notes_)};
}

absl::Status Loader::LoadNode() {
  const std::optional<int64_t> node = settings_.Int("node.id");
  const std::optional<int64_t> broker = settings_.Int("broker.id");
  if (node.has_value() && broker.has_value() && *node != *broker) {
    return settings_.Error("broker.id", "must be the same as node.id, or not be set");
  }
  if (broker.value_or(0) < 0) {
    return settings_.Error("broker.id", "ids are not made up here: set node.id");
  }
  const bool listed = !settings_.List("controller.quorum.voters").empty();
  if (!node.has_value() && !broker.has_value() && listed) {
    return MakeError(Errc::kInvalidConfig,
                     "node.id: must be set where controller.quorum.voters is, to say which of "
                     "them this broker is");
  }
  config_.node_id = NodeId(static_cast<int32_t>(node.value_or(broker.value_or(1))));

  const std::vector<std::string> roles = settings_.List("process.roles");
  if (!roles.empty() && std::find(roles.begin(), roles.end(), "broker") == roles.end()) {
    return settings_.Error("process.roles", "every node is a broker here: add broker");
  }
  std::vector<std::string> folders = settings_.List("log.dirs");
  if (folders.empty()) folders.push_back(settings_.Text("log.dir"));
  if (folders.size() > 1) {
    notes_.push_back(absl::StrCat("log.dirs: only the first folder, ", folders[0], ", is used"));
  }
  config_.data_dir = folders[0];
  const std::string rack = settings_.Text("broker.rack");
  if (!rack.empty()) config_.rack = rack;
  return absl::OkStatus();
}

absl::Status Loader::LoadVoters() {
  auto voters = ParseVoters(settings_.List("controller.quorum.voters"));
  if (!voters.ok()) return At("controller.quorum.voters", voters.status());
  config_.voters = *std::move(voters);
  return absl::OkStatus();
}

// Kafka 4 writes this key into the configuration of a cluster of one, where it names the broker
// itself. Anything else means a cluster that must not silently fall apart into clusters of one.
absl::Status Loader::LoadBootstrapServers() {
  const std::vector<std::string> servers = settings_.List("controller.quorum.bootstrap.servers");
  if (servers.empty() || !config_.voters.empty()) return absl::OkStatus();
  const auto address = ParseHostPort(servers[0]);
  const bool itself = servers.size() == 1 && address.ok() && controller_listener_.has_value() &&
                      address->port == controller_listener_->port &&
                      (IsLoopback(address->host) || address->host == controller_listener_->host ||
                       address->host == sources_.machine.host_name);
  if (itself) return absl::OkStatus();
  return settings_.Error("controller.quorum.bootstrap.servers",
                         "list all brokers in controller.quorum.voters instead, as id@host:port");
}

absl::Status Loader::CheckProtocol(const std::string& listener,
                                   const std::map<std::string, std::string>& protocols,
                                   bool controller) const {
  const auto found = protocols.find(listener);
  if (found == protocols.end()) {
    if (controller) return absl::OkStatus();
    return settings_.Error("listeners",
                           absl::StrCat(listener, " is not in listener.security.protocol.map"));
  }
  if (found->second == kPlaintext) return absl::OkStatus();
  return settings_.Error("listeners", absl::StrCat(listener, " asks for ", found->second,
                                                   ", but only PLAINTEXT is available"));
}

absl::Status Loader::LoadListeners() {
  auto listeners = ParseListeners(settings_.List("listeners"));
  if (!listeners.ok()) return At("listeners", listeners.status());
  auto protocols = ParseProtocolMap(settings_.List("listener.security.protocol.map"));
  if (!protocols.ok()) return At("listener.security.protocol.map", protocols.status());
  // Names of protocols need no entry of their own.
  for (const char* name : {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}) {
    protocols->emplace(name, name);
  }
  const std::vector<std::string> controllers = settings_.List("controller.listener.names");
  for (Listener& listener : *listeners) {
    const bool controller = std::any_of(
        controllers.begin(), controllers.end(),
        [&](const std::string& name) { return absl::EqualsIgnoreCase(name, listener.name); });
    RETURN_IF_ERROR(CheckProtocol(listener.name, *protocols, controller));
    if (!controller) {
      config_.listeners.push_back(std::move(listener));
    } else if (!controller_listener_.has_value()) {
      controller_listener_ = std::move(listener.address);
    }
  }
  if (config_.listeners.empty()) return settings_.Error("listeners", "none is left for clients");
  return absl::OkStatus();
}

absl::Status Loader::LoadAdvertised() {
  auto advertised = ParseListeners(settings_.List("advertised.listeners"));
  if (!advertised.ok()) return At("advertised.listeners", advertised.status());
  for (const Listener& listener : config_.listeners) {
    const auto named =
        std::find_if(advertised->begin(), advertised->end(),
                     [&](const Listener& other) { return other.name == listener.name; });
    Listener result = named == advertised->end() ? listener : *named;
    if (IsEverywhere(result.address.host)) {
      if (named != advertised->end()) {
        return settings_.Error("advertised.listeners",
                               absl::StrCat(result.name, " needs a host that clients can reach"));
      }
      // A broker that is alone is somebody's first try, on the machine it runs on.
      result.address.host = config_.voters.empty() ? "localhost" : sources_.machine.host_name;
    }
    config_.advertised_listeners.push_back(std::move(result));
  }
  for (const Listener& listener : *advertised) {
    const bool known =
        std::any_of(config_.listeners.begin(), config_.listeners.end(),
                    [&](const Listener& other) { return other.name == listener.name; });
    if (!known && !absl::StrContains(settings_.Text("controller.listener.names"), listener.name)) {
      return settings_.Error("advertised.listeners",
                             absl::StrCat(listener.name, " is not among the listeners"));
    }
  }
  return absl::OkStatus();
}

absl::Status Loader::LoadControl() {
  config_.stream_port = static_cast<uint16_t>(*settings_.Int("garam.stream.port"));
  ASSIGN_OR_RETURN(config_.control_listener, Address("garam.control.listener"));
  if (!config_.control_listener.has_value()) config_.control_listener = controller_listener_;
  const auto own =
      std::find_if(config_.voters.begin(), config_.voters.end(),
                   [&](const VoterAddress& voter) { return voter.node == config_.node_id; });
  if (own != config_.voters.end()) {
    config_.control_address = own->address;
    if (!config_.control_listener.has_value()) {
      // A name that others resolve need not be an address of this machine.
      config_.control_listener = own->address;
      if (!IsLoopback(own->address.host)) config_.control_listener->host.clear();
    }
  } else if (config_.control_listener.has_value()) {
    config_.control_address = *config_.control_listener;
    if (IsEverywhere(config_.control_address.host)) {
      config_.control_address.host = config_.advertised_listeners.front().address.host;
    }
  }
  return absl::OkStatus();
}

absl::Status Loader::LoadHttp() {
  ASSIGN_OR_RETURN(config_.http_listener, Address("garam.http.listener"));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<HostPort>> Loader::Address(const char* key) const {
  const std::string text = settings_.Text(key);
  if (text.empty()) return std::optional<HostPort>();
  auto address = ParseHostPort(text);
  if (!address.ok()) return At(key, address.status());
  return std::optional<HostPort>(*std::move(address));
}

absl::Status Loader::LoadTopics() {
  config_.num_partitions = static_cast<int32_t>(*settings_.Int("num.partitions"));
  if (const auto factor = settings_.Int("default.replication.factor"); factor.has_value()) {
    config_.default_replication_factor = static_cast<int32_t>(*factor);
  }
  config_.auto_create_topics = settings_.Bool("auto.create.topics.enable");
  config_.delete_topic_enable = settings_.Bool("delete.topic.enable");
  config_.auto_leader_rebalance = settings_.Bool("auto.leader.rebalance.enable");
  config_.leader_settle = MillisOf("garam.leader.settle.ms");
  config_.voter_dead_max = MillisOf("garam.voter.dead.max.ms");
  config_.replica_lag_time_max = MillisOf("replica.lag.time.max.ms");
  config_.retention_check_every = MillisOf("log.retention.check.interval.ms");
  config_.producer_expiration = MillisOf("producer.id.expiration.ms");
  config_.copy_bytes_per_second = *settings_.Int("garam.copy.bytes.per.second");
  config_.metadata_segment_bytes = *settings_.Int("garam.metadata.segment.bytes");
  for (const TopicOption& topic : TopicOptions()) {
    const ConfigSetting* setting = settings_.Find(topic.broker_key);
    if (setting == nullptr || ConfigTrim(setting->value).empty()) continue;
    config_.topic_defaults[std::string(topic.option.name)] = ConfigTrim(setting->value);
  }
  constexpr int64_t kMinuteMs = 60'000;
  constexpr int64_t kHourMs = 60 * kMinuteMs;
  RETURN_IF_ERROR(
      LoadCoarse("retention.ms", "log.retention.ms", "log.retention.minutes", kMinuteMs));
  RETURN_IF_ERROR(LoadCoarse("retention.ms", "log.retention.ms", "log.retention.hours", kHourMs));
  RETURN_IF_ERROR(LoadCoarse("segment.ms", "log.roll.ms", "log.roll.hours", kHourMs));
  RETURN_IF_ERROR(
      LoadCoarse("segment.jitter.ms", "log.roll.jitter.ms", "log.roll.jitter.hours", kHourMs));
  return ParseTopicConfig(config_.topic_defaults, {}).status();
}

absl::Status Loader::LoadGroups() {
  GroupSettings& groups = config_.groups;
  groups.limits.session_timeout_min = MillisOf("group.min.session.timeout.ms");
  groups.limits.session_timeout_max = MillisOf("group.max.session.timeout.ms");
  groups.limits.initial_rebalance_delay = MillisOf("group.initial.rebalance.delay.ms");
  groups.limits.group_size_max = static_cast<size_t>(*settings_.Int("group.max.size"));
  groups.limits.groups_max = static_cast<size_t>(*settings_.Int("garam.groups.max"));
  groups.limits.offset_metadata_bytes_max =
      static_cast<size_t>(*settings_.Int("offset.metadata.max.bytes"));
  groups.limits.offsets_retention =
      std::chrono::minutes(*settings_.Int("offsets.retention.minutes"));
  groups.expiry_check_every = MillisOf("offsets.retention.check.interval.ms");
  groups.commit_timeout = MillisOf("offsets.commit.timeout.ms");
  groups.partitions = static_cast<int32_t>(*settings_.Int("offsets.topic.num.partitions"));
  if (const auto factor = settings_.Int("offsets.topic.replication.factor"); factor.has_value()) {
    groups.replication_factor = static_cast<int32_t>(*factor);
  }
  if (groups.limits.session_timeout_min > groups.limits.session_timeout_max) {
    return settings_.Error("group.min.session.timeout.ms",
                           "must not be above group.max.session.timeout.ms");
  }
  return LoadConsumerGroups();
}

absl::Status Loader::LoadConsumerGroups() {
  ConsumerGroupLimits& limits = config_.groups.limits.consumers;
  for (const auto& [what, place] :
       {std::pair("assignment.interval.ms", &limits.assignment_interval),
        std::pair("heartbeat.interval.ms", &limits.heartbeat_interval),
        std::pair("session.timeout.ms", &limits.session_timeout)}) {
    const std::string key = absl::StrCat("group.consumer.", what);
    const std::string least = absl::StrCat("group.consumer.min.", what);
    const std::string most = absl::StrCat("group.consumer.max.", what);
    *place = MillisOf(key.c_str());
    if (*place < MillisOf(least.c_str()) || *place > MillisOf(most.c_str())) {
      return settings_.Error(key, absl::StrCat("must be between ", least, " and ", most));
    }
  }
  if (limits.heartbeat_interval >= limits.session_timeout) {
    return settings_.Error("group.consumer.heartbeat.interval.ms",
                           "must be below group.consumer.session.timeout.ms");
  }
  limits.group_size_max = static_cast<size_t>(*settings_.Int("group.consumer.max.size"));
  const std::string policy =
      absl::AsciiStrToLower(settings_.Text("group.consumer.migration.policy"));
  limits.upgrades = policy == "upgrade" || policy == "bidirectional";
  limits.downgrades = policy == "downgrade" || policy == "bidirectional";
  if (!limits.upgrades && !limits.downgrades && policy != "disabled") {
    return settings_.Error("group.consumer.migration.policy",
                           "must be disabled, upgrade, downgrade or bidirectional");
  }
  limits.assignors = settings_.List("group.consumer.assignors");
  if (!limits.assignors.empty()) return absl::OkStatus();
  return settings_.Error("group.consumer.assignors", "must name at least one assignor");
}

absl::Status Loader::LoadCoarse(const char* topic_key, const char* exact, const char* coarse,
                                int64_t unit_ms) {
  const std::optional<int64_t> value = settings_.Int(coarse);
  if (!value.has_value()) return absl::OkStatus();
  // Time without an end is -1; no time at all makes sense for a jitter only.
  const bool jitter = std::string_view(topic_key) == "segment.jitter.ms";
  if (*value < -1 || (*value == 0 && !jitter)) {
    return settings_.Error(coarse, "must be above 0, or -1");
  }
  if (settings_.Find(exact) != nullptr) return absl::OkStatus();
  // Minutes, asked first, win over hours.
  config_.topic_defaults.emplace(topic_key, absl::StrCat(*value < 0 ? -1 : *value * unit_ms));
  return absl::OkStatus();
}

absl::Status Loader::LoadTimings() {
  config_.scrub_bytes_per_second = *settings_.Int("garam.scrub.mb.per.second") << 20;
  CleanerSettings& cleaner = config_.cleaner;
  cleaner.enable = settings_.Bool("log.cleaner.enable");
  cleaner.threads = static_cast<size_t>(*settings_.Int("log.cleaner.threads"));
  cleaner.dedupe_bytes = *settings_.Int("log.cleaner.dedupe.buffer.size");
  cleaner.backoff = MillisOf("log.cleaner.backoff.ms");
  const double rate = ConfigDouble(settings_.Text("log.cleaner.io.max.bytes.per.second"));
  if (rate < kCleanerRateMax) cleaner.bytes_per_second = static_cast<int64_t>(rate);
  config_.heartbeat = MillisOf("garam.heartbeat.ms");
  config_.suspect = MillisOf("garam.suspect.ms");
  config_.election = MillisOf("garam.election.ms");
  config_.shutdown_max = MillisOf("garam.shutdown.max.ms");
  if (config_.suspect < 2 * config_.heartbeat) {
    return settings_.Error("garam.suspect.ms", "must be at least twice garam.heartbeat.ms");
  }
  if (config_.election < 2 * config_.heartbeat) {
    return settings_.Error("garam.election.ms", "must be at least twice garam.heartbeat.ms");
  }
  return absl::OkStatus();
}

void Loader::LoadRequests() {
  const auto small = [&](const char* key) { return static_cast<int32_t>(*settings_.Int(key)); };
  config_.socket_request_max_bytes = *settings_.Int("socket.request.max.bytes");
  config_.fetch_max_bytes = *settings_.Int("fetch.max.bytes");
  config_.fetch_session_slots = small("max.incremental.fetch.session.cache.slots");
  config_.request_partitions_max = small("max.request.partition.size.limit");
  config_.connections_max_idle = MillisOf("connections.max.idle.ms");
  config_.quota_samples = static_cast<int32_t>(*settings_.Int("quota.window.num"));
  config_.quota_sample = std::chrono::seconds(*settings_.Int("quota.window.size.seconds"));
  if (config_.connections_max_idle < Duration::zero()) config_.connections_max_idle = kForever;
  config_.max_connections = small("max.connections");
  config_.max_connections_per_ip = small("max.connections.per.ip");
  config_.socket_listen_backlog = small("socket.listen.backlog.size");
  config_.socket_send_buffer_bytes = small("socket.send.buffer.bytes");
  config_.socket_receive_buffer_bytes = small("socket.receive.buffer.bytes");
  const int64_t queued = *settings_.Int("queued.max.request.bytes");
  if (queued > 0) config_.queued_max_request_bytes = queued;
}

void Loader::LoadMachine() {
  config_.memory_budget_bytes = *settings_.Int("garam.memory.budget.bytes");
  if (config_.memory_budget_bytes == 0) {
    config_.memory_budget_bytes =
        std::clamp(sources_.machine.memory_bytes / 4, kMemoryBudgetMin, kMemoryBudgetMax);
  }
  const size_t cores = std::max<size_t>(sources_.machine.cores, 1);
  config_.shards = static_cast<size_t>(
      settings_.Int("garam.shards")
          .value_or(static_cast<int64_t>((cores + kCoresPerShard - 1) / kCoresPerShard)));
  const std::string level = settings_.Text("garam.log.level");
  config_.log_level = level == "debug"   ? LogLevel::kDebug
                      : level == "warn"  ? LogLevel::kWarn
                      : level == "error" ? LogLevel::kError
                                         : LogLevel::kInfo;
}

void AppendHelp(const ConfigOption& option, std::string_view name, std::string& help) {
  absl::StrAppend(&help, "  ", std::string(name), "  (", std::string(ConfigTypeName(option.type)));
  if (option.fallback != nullptr && *option.fallback != '\0') {
    absl::StrAppend(&help, ", default ", option.fallback);
  }
  absl::StrAppend(&help, ")\n      ", std::string(option.doc), "\n");
}

}  // namespace

absl::StatusOr<LoadedConfig> LoadBrokerConfig(const ConfigSources& sources) {
  return Loader(sources).Load();
}

std::string BrokerConfigHelp() {
  std::string help =
      "Keys of server.properties; also as --set key=value, or as environment variables\n"
      "(KAFKA_ before the key in capitals, '.' as '_', '_' as '__', '-' as '___').\n"
      "A flag wins over the environment, the environment over the file.\n\n";
  for (const ConfigOption& option : BrokerOptions()) AppendHelp(option, option.name, help);
  absl::StrAppend(&help, "\nDefaults of topics:\n\n");
  for (const TopicOption& topic : TopicOptions()) {
    if (!topic.broker_key.empty()) AppendHelp(topic.option, topic.broker_key, help);
  }
  return help;
}

}  // namespace garam
