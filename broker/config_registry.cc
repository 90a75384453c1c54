#include "broker/config_registry.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace garam {
namespace {

// Keys that distributions of Kafka add under a name of their own, or that users name themselves.
constexpr std::array<std::string_view, 10> kForeignPrefixes = {
    "confluent.",  "listener.name.", "log4j.",      "metric.",    "metrics.",
    "remote.log.", "rlmm.config.",   "rsm.config.", "zookeeper.", "config.providers.",
};

// Levenshtein's distance.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j + 1] + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

void Consider(std::string_view name, std::string_view candidate, NearestKey& nearest) {
  const size_t distance = Distance(name, candidate);
  if (!nearest.name.empty() && nearest.distance <= distance) return;
  nearest = {.name = std::string(candidate), .distance = distance};
}

}  // namespace

const ConfigOption* FindBrokerOption(std::string_view name) {
  for (const ConfigOption& option : BrokerOptions()) {
    if (option.name == name) return &option;
  }
  const TopicOption* topic = FindTopicOptionByBrokerKey(name);
  return topic == nullptr ? nullptr : &topic->option;
}

bool IsForeignKafkaKey(std::string_view name) {
  const auto keys = ForeignKafkaKeys();
  if (std::binary_search(keys.begin(), keys.end(), name)) return true;
  return std::any_of(kForeignPrefixes.begin(), kForeignPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

NearestKey NearestBrokerKey(std::string_view name) {
  NearestKey nearest;
  for (const ConfigOption& option : BrokerOptions()) Consider(name, option.name, nearest);
  for (const TopicOption& topic : TopicOptions()) {
    if (!topic.broker_key.empty()) Consider(name, topic.broker_key, nearest);
  }
  for (std::string_view key : ForeignKafkaKeys()) Consider(name, key, nearest);
  return nearest;
}

NearestKey NearestTopicKey(std::string_view name) {
  NearestKey nearest;
  for (const TopicOption& topic : TopicOptions()) Consider(name, topic.option.name, nearest);
  return nearest;
}

}  // namespace garam
