#include "broker/dynamic_config.h"

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

}  // namespace

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
  const TopicOption* topic =
      scope == ConfigScope::kTopic ? FindTopicOption(key) : FindTopicOptionByBrokerKey(key);
  if (topic == nullptr || topic->option.type != ConfigType::kList) return std::nullopt;
  const auto set = config.topic_defaults.find(std::string(topic->option.name));
  return set == config.topic_defaults.end() ? topic->option.fallback : set->second;
}

}  // namespace garam
