// What is set for brokers while they run, kept in the cluster's metadata: for one broker, or for
// all of them. These are the keys that set the default of a topic setting; every other one is read
// at a broker's start only.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/broker_config.h"
#include "broker/topic_config_parse.h"
#include "common/ids.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_image.h"

namespace garam {

bool IsDynamicBrokerKey(std::string_view key);

// All that is to be set for a broker. kInvalidRequest.
absl::Status CheckDynamicBrokerConfigs(const std::map<std::string, std::string>& configs);

// All that is to be set for a group (kInvalidConfig), or for a subscription to the metrics of
// clients (kInvalidRequest, kInvalidConfig for what it matches).
absl::Status CheckResourceConfigs(ConfiguredKind kind, const ConfigMap& configs,
                                  const BrokerConfig& broker);

// The defaults of topic settings on the broker that was started with `config`, by the topic's key:
// what is set for it, for all brokers, and what it was started with, in this order.
std::map<std::string, std::string> TopicDefaultsOf(const MetadataImage& image,
                                                   const BrokerConfig& config);

// As ParseTopicConfig, under those defaults and with exact sources.
absl::StatusOr<ParsedTopicConfig> ParseTopicConfigUnder(
    const MetadataImage& image, const BrokerConfig& config,
    const std::map<std::string, std::string>& given);

// What a key that is a list holds where nothing is set; nothing when it is no list.
std::optional<std::string> ListDefault(const BrokerConfig& config, ConfigScope scope,
                                       std::string_view key);

}  // namespace garam
