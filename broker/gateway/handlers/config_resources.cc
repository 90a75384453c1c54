#include "broker/gateway/handlers/config_resources.h"

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace garam {
namespace {

absl::Status Refused(std::string why) { return MakeError(Errc::kInvalidRequest, why); }

}  // namespace

absl::StatusOr<ConfigChange> ChangeOf(const Broker& broker, int8_t type, std::string_view name) {
  ConfigChange change;
  switch (static_cast<ConfigResource>(type)) {
    case ConfigResource::kTopic:
      if (name.empty()) return Refused("Default topic resources are not allowed.");
      change.topic = name;
      return change;
    case ConfigResource::kBroker: {
      if (name.empty()) return change;
      int32_t number = 0;
      const std::string text(name);
      if (!absl::SimpleAtoi(text, &number)) {
        return Refused(absl::StrCat("Node id must be an integer, but it is: ", text));
      }
      change.broker = broker.config().node_id;
      if (number == change.broker.value()) return change;
      return Refused(absl::StrCat("Unexpected broker id, expected ", change.broker.value(),
                                  ", but received ", text));
    }
    case ConfigResource::kBrokerLogger:
      return Refused("Log levels are set at the start, with garam.log.level.");
    case ConfigResource::kClientMetrics:
      if (name.empty()) return Refused("Subscription name can't be empty");
      change.client_metrics = name;
      return change;
    case ConfigResource::kGroup:
      if (name.empty()) return Refused("Default group resources are not allowed.");
      change.group = name;
      return change;
  }
  return Refused(absl::StrCat("Unknown resource type ", static_cast<int>(type)));
}

absl::Status CheckEdits(const std::vector<ConfigEdit>& edits) {
  std::set<std::string_view> keys;
  for (const ConfigEdit& edit : edits) {
    if (!keys.insert(edit.name).second) return Refused("Error due to duplicate config keys");
  }
  return absl::OkStatus();
}

}  // namespace garam
