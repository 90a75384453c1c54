#include "broker/dynamic_config.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/config_registry.h"
#include "common/status.h"

namespace garam {
namespace {

absl::Status CheckValue(const TopicOption& topic, const std::string& key,
                        const std::string& value) {
  ConfigOption named = topic.option;
  named.name = key;
  if (absl::Status status = CheckConfigValue(named, value); !status.ok()) {
    return MakeError(Errc::kInvalidRequest, std::string(status.message()));
  }
  if (!topic.fixed_because.empty() && ConfigTrim(value) != topic.option.fallback) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("Invalid value ", value, " for configuration ", key, ": ",
                                  std::string(topic.fixed_because)));
  }
  return absl::OkStatus();
}

const ConfigOption* Find(std::span<const ConfigOption> options, std::string_view key) {
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const ConfigOption& option) { return option.name == key; });
  return found == options.end() ? nullptr : &*found;
}

std::span<const ConfigOption> OptionsOf(ConfiguredKind kind) {
  return kind == ConfiguredKind::kGroup ? GroupOptions() : ClientMetricsOptions();
}

// As this broker was given it.
int64_t BrokerValue(const BrokerConfig& broker, const std::string& key) {
  const auto given = broker.given.find(key);
  return ConfigInt(given == broker.given.end() ? std::string_view(FindBrokerOption(key)->fallback)
                                               : ConfigTrim(given->second));
}

// What is in force where `configs` are set for a group.
int64_t GroupValue(const ConfigMap& configs, const std::string& key, const BrokerConfig& broker) {
  const auto set = configs.find(key);
  return set == configs.end() ? BrokerValue(broker, absl::StrCat("group.", key))
                              : ConfigInt(set->second);
}

// A client does not set what the broker's operator does not allow.
absl::Status CheckBounds(const std::string& key, const std::string& value,
                         const BrokerConfig& broker) {
  const std::string what = key.substr(key.find('.') + 1);
  const std::string least = absl::StrCat("group.consumer.min.", what);
  const std::string most = absl::StrCat("group.consumer.max.", what);
  if (ConfigInt(value) < BrokerValue(broker, least)) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat(key, " must be greater than or equal to ", least));
  }
  if (ConfigInt(value) > BrokerValue(broker, most)) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat(key, " must be less than or equal to ", most));
  }
  return absl::OkStatus();
}

absl::Status CheckGroupConfigs(const ConfigMap& configs, const BrokerConfig& broker) {
  for (const auto& [key, value] : configs) {
    const ConfigOption* option = Find(GroupOptions(), key);
    if (option == nullptr) {
      return MakeError(Errc::kInvalidConfig, absl::StrCat("Unknown group config name: ", key));
    }
    RETURN_IF_ERROR(CheckConfigValue(*option, value));
    RETURN_IF_ERROR(CheckBounds(key, value, broker));
  }
  if (GroupValue(configs, "consumer.session.timeout.ms", broker) >
      GroupValue(configs, "consumer.heartbeat.interval.ms", broker)) {
    return absl::OkStatus();
  }
  return MakeError(
      Errc::kInvalidConfig,
      "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms");
}

// One item of `match`: what of a client is looked at, and the pattern that it must fit.
bool IsMatch(const std::string& item) {
  constexpr std::string_view kNames[] = {"client_instance_id",    "client_id",
                                         "client_software_name",  "client_software_version",
                                         "client_source_address", "client_source_port"};
  const size_t equals = item.find('=');
  if (equals == std::string::npos || equals + 1 == item.size()) return false;
  const std::string_view name = ConfigTrim(std::string_view(item).substr(0, equals));
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

absl::Status CheckClientMetrics(const ConfigMap& configs) {
  for (const auto& [key, value] : configs) {
    const ConfigOption* option = Find(ClientMetricsOptions(), key);
    if (option == nullptr) {
      return MakeError(Errc::kInvalidRequest,
                       absl::StrCat("Unknown client metrics configuration: ", key));
    }
    if (!CheckConfigValue(*option, value).ok()) {
      return MakeError(Errc::kInvalidRequest,
                       absl::StrCat("Invalid value ", value, " for ", key,
                                    ", interval must be between 100 and 3600000 (1 hour)"));
    }
    if (key != "match") continue;
    for (const std::string& item : ConfigList(value)) {
      if (IsMatch(item)) continue;
      return MakeError(Errc::kInvalidConfig,
                       absl::StrCat("Illegal client matching pattern: ", item));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckResourceConfigs(ConfiguredKind kind, const ConfigMap& configs,
                                  const BrokerConfig& broker) {
  return kind == ConfiguredKind::kGroup ? CheckGroupConfigs(configs, broker)
                                        : CheckClientMetrics(configs);
}

bool IsDynamicBrokerKey(std::string_view key) { return FindTopicOptionByBrokerKey(key) != nullptr; }

absl::Status CheckDynamicBrokerConfigs(const std::map<std::string, std::string>& configs) {
  std::vector<std::string> fixed;
  for (const auto& [key, value] : configs) {
    if (!IsDynamicBrokerKey(key)) fixed.push_back(key);
  }
  if (!fixed.empty()) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("Cannot update these configs dynamically: [",
                                  absl::StrJoin(fixed, ", "), "]"));
  }
  for (const auto& [key, value] : configs) {
    RETURN_IF_ERROR(CheckValue(*FindTopicOptionByBrokerKey(key), key, value));
  }
  return absl::OkStatus();
}

std::map<std::string, std::string> TopicDefaultsOf(const MetadataImage& image,
                                                   const BrokerConfig& config) {
  std::map<std::string, std::string> defaults = config.topic_defaults;
  for (NodeId node : {kNoNode, config.node_id}) {
    for (const auto& [key, value] : image.BrokerConfigs(node)) {
      const TopicOption* topic = FindTopicOptionByBrokerKey(key);
      if (topic != nullptr) defaults[std::string(topic->option.name)] = value;
    }
  }
  return defaults;
}

absl::StatusOr<ParsedTopicConfig> ParseTopicConfigUnder(
    const MetadataImage& image, const BrokerConfig& config,
    const std::map<std::string, std::string>& given) {
  ASSIGN_OR_RETURN(ParsedTopicConfig parsed,
                   ParseTopicConfig(given, TopicDefaultsOf(image, config)));
  for (EffectiveConfig& effective : parsed.effective) {
    if (effective.source != ConfigSource::kStaticBroker) continue;
    const std::string key(FindTopicOption(effective.name)->broker_key);
    if (image.BrokerConfigs(config.node_id).contains(key)) {
      effective.source = ConfigSource::kDynamicBroker;
    } else if (image.BrokerConfigs(kNoNode).contains(key)) {
      effective.source = ConfigSource::kDynamicDefaultBroker;
    }
  }
  return parsed;
}

std::optional<std::string> ListDefault(const BrokerConfig& config, ConfigScope scope,
                                       std::string_view key) {
  if (scope == ConfigScope::kGroup || scope == ConfigScope::kClientMetrics) {
    const ConfigOption* option =
        Find(OptionsOf(scope == ConfigScope::kGroup ? ConfiguredKind::kGroup
                                                    : ConfiguredKind::kClientMetrics),
             key);
    if (option == nullptr || option->type != ConfigType::kList) return std::nullopt;
    return option->fallback;
  }
  const TopicOption* topic =
      scope == ConfigScope::kTopic ? FindTopicOption(key) : FindTopicOptionByBrokerKey(key);
  if (topic == nullptr || topic->option.type != ConfigType::kList) return std::nullopt;
  const auto set = config.topic_defaults.find(std::string(topic->option.name));
  return set == config.topic_defaults.end() ? topic->option.fallback : set->second;
}

}  // namespace garam
