#include "broker/config_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/config_registry.h"
#include "broker/dynamic_config.h"

namespace garam {
namespace {

using Configs = std::map<std::string, std::string>;

void AddIfSet(const Configs& configs, std::string_view key, ConfigSource source,
              std::vector<ConfigSynonym>& synonyms) {
  const auto found = configs.find(std::string(key));
  if (found == configs.end()) return;
  synonyms.push_back({found->first, std::string(ConfigTrim(found->second)), source});
}

// Of the broker's keys that set a topic setting, in Kafka's order.
std::vector<ConfigSynonym> BrokerSynonyms(const TopicOption& topic, const MetadataImage& image,
                                          const BrokerConfig& config) {
  const std::vector<std::string_view> keys = BrokerKeysOf(topic);
  std::vector<ConfigSynonym> synonyms;
  for (std::string_view key : keys) {
    AddIfSet(image.BrokerConfigs(config.node_id), key, ConfigSource::kDynamicBroker, synonyms);
  }
  for (std::string_view key : keys) {
    AddIfSet(image.BrokerConfigs(kNoNode), key, ConfigSource::kDynamicDefaultBroker, synonyms);
  }
  for (std::string_view key : keys) {
    AddIfSet(config.given, key, ConfigSource::kStaticBroker, synonyms);
  }
  if (!keys.empty()) {
    synonyms.push_back({std::string(keys.front()), topic.option.fallback, ConfigSource::kDefault});
  }
  return synonyms;
}

ShownConfig Shown(const ConfigOption& option, std::string_view name,
                  std::optional<std::string> value, std::vector<ConfigSynonym> synonyms) {
  ShownConfig shown{.type = option.type, .doc = option.doc, .synonyms = std::move(synonyms)};
  shown.config.name = name;
  shown.config.value = std::move(value);
  if (!shown.synonyms.empty()) shown.config.source = shown.synonyms.front().source;
  return shown;
}

// What the broker has for every group.
void AddBrokersOwn(const std::string& key, const BrokerConfig& config,
                   std::vector<ConfigSynonym>& synonyms) {
  AddIfSet(config.given, key, ConfigSource::kStaticBroker, synonyms);
  synonyms.push_back({key, FindBrokerOption(key)->fallback, ConfigSource::kDefault});
}

// A key that is read at the start only.
ShownConfig ShowStatic(const ConfigOption& option, const BrokerConfig& config) {
  std::vector<ConfigSynonym> synonyms;
  AddIfSet(config.given, option.name, ConfigSource::kStaticBroker, synonyms);
  if (option.fallback != nullptr) {
    synonyms.push_back({std::string(option.name), option.fallback, ConfigSource::kDefault});
  }
  std::optional<std::string> value;
  if (!synonyms.empty()) value = synonyms.front().value;
  // Whichever of the two was set, or none.
  if (option.name == "node.id" || option.name == "broker.id") {
    value = std::to_string(config.node_id.value());
  }
  ShownConfig shown = Shown(option, option.name, std::move(value), std::move(synonyms));
  shown.config.read_only = true;
  return shown;
}

void SortByName(std::vector<ShownConfig>& shown) {
  std::sort(shown.begin(), shown.end(), [](const ShownConfig& a, const ShownConfig& b) {
    return a.config.name < b.config.name;
  });
}

}  // namespace

std::vector<ShownConfig> ShowTopicConfigs(const TopicImage& topic, const MetadataImage& image,
                                          const BrokerConfig& config) {
  const Configs defaults = TopicDefaultsOf(image, config);
  std::vector<ShownConfig> all;
  for (const TopicOption& option : TopicOptions()) {
    const std::string name(option.option.name);
    std::vector<ConfigSynonym> synonyms;
    AddIfSet(topic.configs, name, ConfigSource::kTopic, synonyms);
    for (ConfigSynonym& synonym : BrokerSynonyms(option, image, config)) {
      synonyms.push_back(std::move(synonym));
    }
    const auto own = topic.configs.find(name);
    const auto set = defaults.find(name);
    std::string value = option.option.fallback;
    if (own != topic.configs.end()) {
      value = ConfigTrim(own->second);
    } else if (set != defaults.end()) {
      value = ConfigTrim(set->second);
    }
    all.push_back(Shown(option.option, name, std::move(value), std::move(synonyms)));
  }
  return all;
}

std::vector<ShownConfig> ShowBrokerConfigs(const MetadataImage& image, const BrokerConfig& config) {
  const Configs defaults = TopicDefaultsOf(image, config);
  std::vector<ShownConfig> all;
  for (const ConfigOption& option : BrokerOptions()) all.push_back(ShowStatic(option, config));
  for (const TopicOption& topic : TopicOptions()) {
    if (topic.broker_key.empty()) continue;
    const auto set = defaults.find(std::string(topic.option.name));
    std::string value(set == defaults.end() ? topic.option.fallback : ConfigTrim(set->second));
    all.push_back(Shown(topic.option, topic.broker_key, std::move(value),
                        BrokerSynonyms(topic, image, config)));
  }
  SortByName(all);
  return all;
}

std::vector<ShownConfig> ShowDefaultBrokerConfigs(const MetadataImage& image) {
  std::vector<ShownConfig> all;
  for (const auto& [key, value] : image.BrokerConfigs(kNoNode)) {
    const ConfigOption* option = FindBrokerOption(key);
    if (option == nullptr) continue;
    all.push_back(Shown(*option, key, value, {{key, value, ConfigSource::kDynamicDefaultBroker}}));
  }
  return all;
}

std::vector<ShownConfig> ShowResourceConfigs(ConfiguredKind kind, std::string_view name,
                                             const MetadataImage& image,
                                             const BrokerConfig& config) {
  const bool group = kind == ConfiguredKind::kGroup;
  const ConfigMap& set = image.ConfigsOf(kind, name);
  std::vector<ShownConfig> all;
  for (const ConfigOption& option : group ? GroupOptions() : ClientMetricsOptions()) {
    std::vector<ConfigSynonym> synonyms;
    AddIfSet(set, option.name, group ? ConfigSource::kGroup : ConfigSource::kClientMetrics,
             synonyms);
    if (group) AddBrokersOwn(absl::StrCat("group.", std::string(option.name)), config, synonyms);
    const std::string value = synonyms.empty() ? option.fallback : *synonyms.front().value;
    all.push_back(Shown(option, option.name, value, std::move(synonyms)));
  }
  return all;
}

}  // namespace garam
