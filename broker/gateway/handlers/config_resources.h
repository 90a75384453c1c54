// The things that have configs, as the requests about configs name them; and what AlterConfigs and
// IncrementalAlterConfigs have in common.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/gateway/error_map.h"
#include "broker/gateway/request.h"
#include "coordinator/config_change.h"

namespace garam {

// The numbers are Kafka's.
enum class ConfigResource : int8_t {
  kTopic = 2,
  kBroker = 4,
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};

// The change of that resource's configs, without its edits yet. kInvalidRequest for what has no
// configs that can be changed, or not here.
absl::StatusOr<ConfigChange> ChangeOf(const Broker& broker, int8_t type, std::string_view name);

// kInvalidRequest when two edits are of the same key.
absl::Status CheckEdits(const std::vector<ConfigEdit>& edits);

// What such a request that names no time limit waits for: half of what Kafka's clients do.
inline constexpr Duration kAlterConfigsLimit = Millis(15'000);

// Has the changes made that the message asks for. `edits_of(resource)` says what is to be done with
// one of its resources, or why nothing can be.
template <class Message, class Response, class EditsOf>
void AlterConfigsAsAsked(const RequestPtr& request, bool replaces, EditsOf edits_of) {
  const auto message = request->Decode<Message>();
  if (!message.has_value()) return;
  Broker& broker = request->broker();
  std::map<std::pair<int8_t, std::string_view>, int> named;
  for (const auto& resource : message->resources) {
    ++named[{resource.resource_type, resource.resource_name}];
  }
  auto response = std::make_shared<Response>();
  std::vector<ConfigChange> changes;
  std::vector<size_t> places;  // By change: where its answer is.
  for (const auto& resource : message->resources) {
    auto& answer = response->responses.emplace_back();
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
    answer.error_message = std::nullopt;
    absl::StatusOr<ConfigChange> change =
        ChangeOf(broker, resource.resource_type, resource.resource_name);
    if (named[{resource.resource_type, resource.resource_name}] > 1) {
      change = MakeError(Errc::kInvalidRequest, "Each resource must appear at most once.");
    }
    absl::Status status = change.status();
    if (status.ok()) {
      absl::StatusOr<std::vector<ConfigEdit>> edits = edits_of(resource);
      status = edits.ok() ? CheckEdits(*edits) : edits.status();
      if (edits.ok()) change->edits = *std::move(edits);
    }
    answer.error_code = ToErrorCode(status);
    if (!status.ok()) {
      answer.error_message = std::string(status.message());
      continue;
    }
    change->replaces = replaces;
    changes.push_back(*std::move(change));
    places.push_back(response->responses.size() - 1);
  }
  if (changes.empty()) return request->Answer(*response);
  broker.AlterConfigs(
      std::move(changes), message->validate_only, broker.clock().Mono() + kAlterConfigsLimit,
      request->services().shard,
      [request, response, places = std::move(places)](std::vector<absl::Status> results) {
        for (size_t i = 0; i < places.size(); ++i) {
          auto& answer = response->responses[places[i]];
          answer.error_code = ToErrorCode(results[i]);
          if (!results[i].ok()) answer.error_message = std::string(results[i].message());
        }
        request->Answer(*response);
      });
}

}  // namespace garam
