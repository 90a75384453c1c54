// Puts the sources of a broker's configuration together: which value of each key counts, and
// whether it is one. A flag wins over the environment, the environment over the file.
//
// Threads: any.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker_config.h"

namespace garam {

// The key that an environment variable KAFKA_… stands for: '___' is '-', '__' is '_', '_' is '.'.
// Nothing when it does not begin with KAFKA_.
std::optional<std::string> ConfigKeyOfVariable(std::string_view variable);

struct ConfigSetting {
  std::string value{};
  std::string where{};  // For messages: "server.properties line 3".
};

// Valid settings of known keys, and the defaults of the others.
class ConfigSettings {
 public:
  // What was set, also to nothing.
  const ConfigSetting* Find(std::string_view key) const;
  // What was set to something, by key.
  std::map<std::string, std::string> Given() const;
  // What was set to something, or the default; empty when there is neither.
  std::string Text(std::string_view key) const;
  // Empty when neither set nor defaulted.
  std::optional<int64_t> Int(std::string_view key) const;
  bool Bool(std::string_view key) const;
  std::vector<std::string> List(std::string_view key) const;
  // An error about `key` that says where it was set.
  absl::Status Error(std::string_view key, std::string_view what) const;

  void Set(std::string key, ConfigSetting setting);

 private:
  std::map<std::string, ConfigSetting, std::less<>> settings_;
};

struct MergedConfig {
  ConfigSettings settings{};
  std::vector<std::string> notes{};  // One for each key that is ignored.
};

// kInvalidConfig naming an unknown key's nearest, or what is wrong with a value.
absl::StatusOr<MergedConfig> MergeConfig(const ConfigSources& sources);

}  // namespace garam
