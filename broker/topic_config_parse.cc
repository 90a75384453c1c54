#include "broker/topic_config_parse.h"

#include "absl/strings/str_cat.h"
#include "broker/config_registry.h"
#include "common/status.h"

namespace garam {
namespace {

absl::Status CheckGiven(const std::string& name, const std::string& value) {
  const TopicOption* topic = FindTopicOption(name);
  if (topic == nullptr) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat("Unknown topic config name: ", name, ", did you mean ",
                                  NearestTopicKey(name).name, "?"));
  }
  RETURN_IF_ERROR(CheckConfigValue(topic->option, value));
  if (!topic->fixed_because.empty() && ConfigTrim(value) != topic->option.fallback) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat("Invalid value ", value, " for configuration ", name, ": ",
                                  std::string(topic->fixed_because)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedTopicConfig> ParseTopicConfig(
    const std::map<std::string, std::string>& given,
    const std::map<std::string, std::string>& defaults) {
  for (const auto& [name, value] : given) RETURN_IF_ERROR(CheckGiven(name, value));
  ParsedTopicConfig parsed;
  for (const TopicOption& topic : TopicOptions()) {
    EffectiveConfig effective{.name = std::string(topic.option.name),
                              .value = topic.option.fallback,
                              .source = ConfigSource::kDefault};
    if (const auto own = given.find(effective.name); own != given.end()) {
      effective.value = ConfigTrim(own->second);
      effective.source = ConfigSource::kTopic;
    } else if (const auto set = defaults.find(effective.name); set != defaults.end()) {
      effective.value = ConfigTrim(set->second);
      effective.source = ConfigSource::kStaticBroker;
    }
    if (topic.set != nullptr) topic.set(parsed.config, *effective.value);
    parsed.effective.push_back(std::move(effective));
  }
  return parsed;
}

}  // namespace garam
