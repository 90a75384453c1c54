// The settings of topics: which keys there are, what their values may be, and what they come to
// under a broker's defaults.
//
// Threads: any. Errors: kInvalidConfig naming the key.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/topic_config.h"
#include "coordinator/controller.h"

namespace garam {

struct ParsedTopicConfig {
  TopicConfig config{};
  std::vector<EffectiveConfig> effective{};  // Every key, by name, with where its value comes from.
};

// Checks `given` (a topic's own settings) and puts it over `defaults` (BrokerConfig's
// topic_defaults, which are valid).
absl::StatusOr<ParsedTopicConfig> ParseTopicConfig(
    const std::map<std::string, std::string>& given,
    const std::map<std::string, std::string>& defaults);

}  // namespace garam
