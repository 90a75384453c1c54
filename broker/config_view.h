// What a broker tells of its configs and those of topics and groups (DescribeConfigs): each value,
// where it comes from, and what it would be otherwise.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_config.h"
#include "broker/config_option.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_image.h"

namespace garam {

// One place that sets a value, or would if none before it did.
struct ConfigSynonym {
  std::string name{};
  std::optional<std::string> value{};
  ConfigSource source = ConfigSource::kUnknown;
  friend bool operator==(const ConfigSynonym&, const ConfigSynonym&) = default;
};

struct ShownConfig {
  EffectiveConfig config{};
  ConfigType type = ConfigType::kString;
  std::string_view doc{};
  std::vector<ConfigSynonym> synonyms{};  // The one that counts first.
};

// Each of these shows every key there is, by name.
std::vector<ShownConfig> ShowTopicConfigs(const TopicImage& topic, const MetadataImage& image,
                                          const BrokerConfig& config);
std::vector<ShownConfig> ShowBrokerConfigs(const MetadataImage& image, const BrokerConfig& config);
// What is set for every broker while they run, and nothing else.
std::vector<ShownConfig> ShowDefaultBrokerConfigs(const MetadataImage& image);
// Of a group, or of a subscription to the metrics of clients, whether there is one or not.
std::vector<ShownConfig> ShowResourceConfigs(ConfiguredKind kind, std::string_view name,
                                             const MetadataImage& image,
                                             const BrokerConfig& config);

}  // namespace garam
