#include "coordinator/config_change.h"

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status.h"
#include "coordinator/metadata_codec.h"

namespace garam {
namespace {

using Configs = std::map<std::string, std::string>;

std::vector<std::string> Items(const std::string& list) {
  std::vector<std::string> items;
  for (absl::string_view item : absl::StrSplit(list, ',')) {
    item = absl::StripAsciiWhitespace(item);
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

// The list with the items of the edit in it, or without them.
absl::StatusOr<std::string> EditList(const ControllerDefaults& defaults, ConfigScope scope,
                                     const Configs& configs, const ConfigEdit& edit) {
  std::optional<std::string> unset;
  if (defaults.list_default) unset = defaults.list_default(scope, edit.name);
  if (!unset.has_value()) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat("Can't ", edit.op == ConfigOp::kAppend ? "APPEND" : "SUBTRACT",
                                  " to key ", edit.name, " because its type is not LIST."));
  }
  const auto set = configs.find(edit.name);
  std::vector<std::string> items = Items(set == configs.end() ? *unset : set->second);
  for (const std::string& item : Items(edit.value)) {
    const auto found = std::find(items.begin(), items.end(), item);
    if (edit.op == ConfigOp::kSubtract) {
      if (found != items.end()) items.erase(found);
    } else if (found == items.end()) {
      items.push_back(item);
    }
  }
  return absl::StrJoin(items, ",");
}

absl::StatusOr<Configs> Edited(const ControllerDefaults& defaults, ConfigScope scope,
                               const Configs& before, const ConfigChange& change) {
  Configs configs = change.replaces ? Configs() : before;
  for (const ConfigEdit& edit : change.edits) {
    switch (edit.op) {
      case ConfigOp::kSet:
        configs[edit.name] = edit.value;
        break;
      case ConfigOp::kDelete:
        configs.erase(edit.name);
        break;
      case ConfigOp::kAppend:
      case ConfigOp::kSubtract: {
        ASSIGN_OR_RETURN(configs[edit.name], EditList(defaults, scope, configs, edit));
        break;
      }
    }
  }
  return configs;
}

absl::StatusOr<std::string> ChangeTopic(const MetadataImage& image,
                                        const ControllerDefaults& defaults,
                                        const ConfigChange& change) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(change.topic);
  if (topic == nullptr) {
    return MakeError(Errc::kUnknownTopic,
                     absl::StrCat("The topic '", change.topic, "' does not exist."));
  }
  ASSIGN_OR_RETURN(const Configs configs,
                   Edited(defaults, ConfigScope::kTopic, topic->configs, change));
  if (defaults.check_configs) RETURN_IF_ERROR(defaults.check_configs(configs).status());
  if (configs == topic->configs) return std::string();
  metadata::Command command = NewCommand();
  command.mutable_alter_topic()->set_id(std::string(topic->id.raw()));
  *command.mutable_alter_topic()->mutable_configs() = ToProto(configs);
  return command.SerializeAsString();
}

absl::StatusOr<std::string> ChangeBroker(const MetadataImage& image,
                                         const ControllerDefaults& defaults,
                                         const ConfigChange& change) {
  if (change.broker != kNoNode && image.FindBroker(change.broker) == nullptr) {
    return MakeError(Errc::kBrokerIdNotRegistered,
                     absl::StrCat("No broker with id ", change.broker.value(), " found."));
  }
  const Configs& before = image.BrokerConfigs(change.broker);
  ASSIGN_OR_RETURN(const Configs configs, Edited(defaults, ConfigScope::kBroker, before, change));
  if (defaults.check_broker_configs) RETURN_IF_ERROR(defaults.check_broker_configs(configs));
  if (configs == before) return std::string();
  metadata::Command command = NewCommand();
  command.mutable_set_broker_configs()->set_node(change.broker.value());
  *command.mutable_set_broker_configs()->mutable_configs() = ToProto(configs);
  return command.SerializeAsString();
}

// They need not exist for their configs to be set, as in Kafka.
absl::StatusOr<std::string> ChangeResource(const MetadataImage& image,
                                           const ControllerDefaults& defaults, ConfiguredKind kind,
                                           const std::string& name, const ConfigChange& change) {
  constexpr size_t kNameCharactersMax = 1024;
  if (name.size() > kNameCharactersMax) {
    return MakeError(Errc::kInvalidRequest, absl::StrCat("Names of what has configs have at most ",
                                                         kNameCharactersMax, " characters here."));
  }
  const ConfigMap& before = image.ConfigsOf(kind, name);
  const ConfigScope scope =
      kind == ConfiguredKind::kGroup ? ConfigScope::kGroup : ConfigScope::kClientMetrics;
  ASSIGN_OR_RETURN(const Configs configs, Edited(defaults, scope, before, change));
  if (defaults.check_resource_configs) {
    RETURN_IF_ERROR(defaults.check_resource_configs(kind, configs));
  }
  if (configs == before) return std::string();
  metadata::Command command = NewCommand();
  *command.mutable_set_resource_configs() = ToProto(kind, name, configs);
  return command.SerializeAsString();
}

}  // namespace

absl::StatusOr<std::string> PlanConfigChange(const MetadataImage& image,
                                             const ControllerDefaults& defaults,
                                             const ConfigChange& change) {
  if (!change.topic.empty()) return ChangeTopic(image, defaults, change);
  if (!change.group.empty()) {
    return ChangeResource(image, defaults, ConfiguredKind::kGroup, change.group, change);
  }
  if (!change.client_metrics.empty()) {
    return ChangeResource(image, defaults, ConfiguredKind::kClientMetrics, change.client_metrics,
                          change);
  }
  return ChangeBroker(image, defaults, change);
}

}  // namespace garam
