#include "broker/config_sources.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "broker/config_properties.h"
#include "broker/config_registry.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr std::string_view kVariablePrefix = "KAFKA_";
// A variable this near to a key is a slip of the pen; others belong to scripts, JVMs, Kubernetes.
constexpr size_t kSlipDistance = 2;
constexpr size_t kSlipLengthMin = 8;

// Variables of Kafka's start scripts and images, and what Kubernetes sets for a service "kafka".
constexpr std::array<std::string_view, 13> kForeignVariables = {
    "KAFKA_HEAP_OPT", "KAFKA_OPTS",    "KAFKA_JMX_",      "KAFKA_JVM_",  "KAFKA_GC_LOG_",
    "KAFKA_LOG4J_",   "KAFKA_TOOLS_",  "KAFKA_CLASSPATH", "KAFKA_DEBUG", "KAFKA_SERVICE_",
    "KAFKA_PORT",     "KAFKA_VERSION", "KAFKA_HOME",
};

std::string Text(std::string_view text) { return std::string(text); }

class Merger {
 public:
  explicit Merger(const ConfigSources& sources) : sources_(sources) {}

  absl::StatusOr<MergedConfig> Merge() {
    RETURN_IF_ERROR(TakeFile());
    RETURN_IF_ERROR(TakeEnvironment());
    RETURN_IF_ERROR(TakeFlags());
    return std::move(merged_);
  }

 private:
  absl::Status TakeFile();
  absl::Status TakeEnvironment();
  absl::Status TakeFlags();
  absl::Status Take(std::string key, ConfigSetting setting);
  absl::Status Unknown(const std::string& key, const std::string& where) const;

  const ConfigSources& sources_;
  MergedConfig merged_;
};

absl::Status Merger::TakeFile() {
  auto properties = ParseProperties(sources_.file_text);
  if (!properties.ok()) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat(sources_.file_name, " ", properties.status().message()));
  }
  for (Property& property : *properties) {
    RETURN_IF_ERROR(Take(std::move(property.key),
                         {.value = std::move(property.value),
                          .where = absl::StrCat(sources_.file_name, " line ", property.line)}));
  }
  return absl::OkStatus();
}

absl::Status Merger::TakeEnvironment() {
  for (const auto& [variable, value] : sources_.environment) {
    std::optional<std::string> key = ConfigKeyOfVariable(variable);
    if (!key.has_value()) continue;
    if (FindBrokerOption(*key) == nullptr && !IsForeignKafkaKey(*key)) {
      const bool foreign =
          std::any_of(kForeignVariables.begin(), kForeignVariables.end(),
                      [&](std::string_view prefix) { return variable.starts_with(prefix); });
      const NearestKey nearest = NearestBrokerKey(*key);
      if (foreign || nearest.distance > kSlipDistance || key->size() < kSlipLengthMin) {
        merged_.notes.push_back(
            absl::StrCat("environment variable ", variable, " is not a setting and is ignored"));
        continue;
      }
    }
    RETURN_IF_ERROR(
        Take(std::move(*key),
             {.value = value, .where = absl::StrCat("environment variable ", variable)}));
  }
  return absl::OkStatus();
}

absl::Status Merger::TakeFlags() {
  for (const std::string& flag : sources_.sets) {
    const size_t equals = flag.find('=');
    if (equals == std::string::npos || equals == 0) {
      return MakeError(Errc::kInvalidConfig,
                       absl::StrCat("--set ", flag, ": write it as --set key=value"));
    }
    RETURN_IF_ERROR(
        Take(flag.substr(0, equals), {.value = flag.substr(equals + 1), .where = "--set"}));
  }
  return absl::OkStatus();
}

absl::Status Merger::Take(std::string key, ConfigSetting setting) {
  const ConfigOption* option = FindBrokerOption(key);
  if (option == nullptr) {
    if (!IsForeignKafkaKey(key)) return Unknown(key, setting.where);
    merged_.notes.push_back(
        absl::StrCat(setting.where, ": ", key, " has no meaning here and is ignored"));
    return absl::OkStatus();
  }
  // As in Kafka, a key that is set to nothing is as good as not set.
  if (!ConfigTrim(setting.value).empty()) {
    ConfigOption named = *option;
    named.name = key;
    if (absl::Status status = CheckConfigValue(named, setting.value); !status.ok()) {
      return MakeError(Errc::kInvalidConfig, absl::StrCat(setting.where, ": ", status.message()));
    }
  }
  merged_.settings.Set(std::move(key), std::move(setting));
  return absl::OkStatus();
}

absl::Status Merger::Unknown(const std::string& key, const std::string& where) const {
  if (const TopicOption* topic = FindTopicOption(key);
      topic != nullptr && !topic->broker_key.empty()) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat(where, ": ", key, " is a topic's setting; its default for all ",
                                  "topics is ", Text(topic->broker_key)));
  }
  return MakeError(Errc::kInvalidConfig,
                   absl::StrCat(where, ": unknown key ", key, ", did you mean ",
                                NearestBrokerKey(key).name, "?"));
}

}  // namespace

std::optional<std::string> ConfigKeyOfVariable(std::string_view variable) {
  if (!variable.starts_with(kVariablePrefix)) return std::nullopt;
  const absl::string_view rest(variable.data() + kVariablePrefix.size(),
                               variable.size() - kVariablePrefix.size());
  // The longest match at each place comes first.
  return absl::AsciiStrToLower(absl::StrReplaceAll(rest, {{"___", "-"}, {"__", "_"}, {"_", "."}}));
}

const ConfigSetting* ConfigSettings::Find(std::string_view key) const {
  const auto found = settings_.find(key);
  return found == settings_.end() ? nullptr : &found->second;
}

std::map<std::string, std::string> ConfigSettings::Given() const {
  std::map<std::string, std::string> given;
  for (const auto& [key, setting] : settings_) {
    const std::string_view value = ConfigTrim(setting.value);
    if (!value.empty()) given.emplace(key, value);
  }
  return given;
}

std::string ConfigSettings::Text(std::string_view key) const {
  if (const ConfigSetting* setting = Find(key); setting != nullptr) {
    const std::string_view value = ConfigTrim(setting->value);
    if (!value.empty()) return std::string(value);
  }
  const ConfigOption* option = FindBrokerOption(key);
  return option == nullptr || option->fallback == nullptr ? "" : option->fallback;
}

std::optional<int64_t> ConfigSettings::Int(std::string_view key) const {
  const std::string text = Text(key);
  if (text.empty()) return std::nullopt;
  return ConfigInt(text);
}

bool ConfigSettings::Bool(std::string_view key) const { return ConfigBool(Text(key)); }

std::vector<std::string> ConfigSettings::List(std::string_view key) const {
  return ConfigList(Text(key));
}

absl::Status ConfigSettings::Error(std::string_view key, std::string_view what) const {
  const ConfigSetting* setting = Find(key);
  return MakeError(Errc::kInvalidConfig,
                   absl::StrCat(setting == nullptr ? "" : setting->where + ": ", std::string(key),
                                ": ", std::string(what)));
}

void ConfigSettings::Set(std::string key, ConfigSetting setting) {
  settings_[std::move(key)] = std::move(setting);
}

absl::StatusOr<MergedConfig> MergeConfig(const ConfigSources& sources) {
  return Merger(sources).Merge();
}

}  // namespace garam
