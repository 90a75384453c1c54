// The one registry of configuration keys: the broker's own, the topics' (with the broker key that
// sets the default of each), and the names of Kafka's keys that mean nothing here.
//
// Threads: any; nothing changes after static initialisation.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/config_option.h"
#include "broker/topic_config.h"

namespace garam {

struct TopicOption {
  ConfigOption option;
  std::string_view broker_key{};  // Sets the default of all topics; empty: none does.
  // Takes the value over; null: the key is accepted, for clients set it, and has no effect.
  void (*set)(TopicConfig& config, std::string_view value) = nullptr;
  // Not empty: any other value than the default is refused, for this reason.
  std::string_view fixed_because{};
};

// By name.
std::span<const TopicOption> TopicOptions();
const TopicOption* FindTopicOption(std::string_view name);
const TopicOption* FindTopicOptionByBrokerKey(std::string_view broker_key);

// The broker's keys that set the default of a topic setting: the exact one, then coarser ones
// (minutes, hours) by rank. Empty: none does.
std::vector<std::string_view> BrokerKeysOf(const TopicOption& topic);

// Settings of groups, and of subscriptions to the metrics of clients, as far as there are any: by
// name.
std::span<const ConfigOption> GroupOptions();
std::span<const ConfigOption> ClientMetricsOptions();

// By subject, as --help shows them. Topic defaults are not among them.
std::span<const ConfigOption> BrokerOptions();
// Also finds the broker keys of topic defaults, under the topic option's type and range.
const ConfigOption* FindBrokerOption(std::string_view name);

// Whether Kafka (of any version) or a distribution of it has such a key.
bool IsForeignKafkaKey(std::string_view name);
// By name.
std::span<const std::string_view> ForeignKafkaKeys();

// The known key that looks most like `name`, and how many characters differ.
struct NearestKey {
  std::string name{};
  size_t distance = 0;
};
NearestKey NearestBrokerKey(std::string_view name);
NearestKey NearestTopicKey(std::string_view name);

}  // namespace garam
