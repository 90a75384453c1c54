// Configs of topics, of brokers while they run, of groups and of subscriptions to metrics: what the
// controller makes of a request to change them. Pure.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_image.h"

namespace garam {

// The numbers are Kafka's.
enum class ConfigOp : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

struct ConfigEdit {
  std::string name{};
  ConfigOp op = ConfigOp::kSet;
  std::string value{};  // Of kDelete: none.
  friend bool operator==(const ConfigEdit&, const ConfigEdit&) = default;
};

// What is to become of the configs of one topic, group, subscription to metrics or broker: whatever
// it names.
struct ConfigChange {
  std::string topic{};
  NodeId broker = kNoNode;  // Where it names nothing else; kNoNode: of every broker.
  std::string group{};
  std::string client_metrics{};
  bool replaces = false;  // What is not among the edits is to be unset.
  std::vector<ConfigEdit> edits{};
  friend bool operator==(const ConfigChange&, const ConfigChange&) = default;
};

// The command for group 0's log; empty when all is so already. kUnknownTopic,
// kBrokerIdNotRegistered, and what the checks of `defaults` say of the configs as they would be.
absl::StatusOr<std::string> PlanConfigChange(const MetadataImage& image,
                                             const ControllerDefaults& defaults,
                                             const ConfigChange& change);

}  // namespace garam
