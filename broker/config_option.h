// One key of the configuration: its type, the values it may have, its default and what it does.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace garam {

enum class ConfigType { kBoolean, kString, kInt, kLong, kDouble, kList };

std::string_view ConfigTypeName(ConfigType type);

struct ConfigOption {
  std::string_view name;
  ConfigType type = ConfigType::kString;
  const char* fallback = nullptr;  // The default as text; null: unset.
  std::string_view doc{};
  double min = std::numeric_limits<double>::lowest();  // Numbers only.
  double max = std::numeric_limits<double>::max();
  std::string_view accepted{};  // Strings and lists: the possible values, joined by ", ".
};

// kInvalidConfig in Kafka's words when `value` is not of the option's type or range.
absl::Status CheckConfigValue(const ConfigOption& option, std::string_view value);

// Of values that CheckConfigValue lets through.
bool ConfigBool(std::string_view value);
int64_t ConfigInt(std::string_view value);
double ConfigDouble(std::string_view value);
std::vector<std::string> ConfigList(std::string_view value);  // Trimmed; no empty items.

// `value` without the white space around it.
std::string_view ConfigTrim(std::string_view value);

}  // namespace garam
