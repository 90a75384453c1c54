// UpdateFeatures: passed on to the controller, wherever it is. All of the updates are made, or
// none.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/update_features.h"

namespace garam {
namespace {

using kafka::UpdateFeaturesRequest;
using kafka::UpdateFeaturesResponse;

absl::Status Failed(const absl::Status& why) {
  return MakeError(
      ErrcOf(why),
      absl::StrCat("The update failed for all features since the following feature had an error: ",
                   why.message()));
}

absl::StatusOr<std::vector<FeatureUpdate>> UpdatesOf(const UpdateFeaturesRequest& message) {
  std::vector<FeatureUpdate> updates;
  for (const auto& asked : message.feature_updates) {
    FeatureUpdate& update = updates.emplace_back();
    update.name = asked.feature;
    update.level = asked.max_version_level;
    update.kind = static_cast<FeatureUpdateKind>(asked.upgrade_type);
    if (asked.allow_downgrade) update.kind = FeatureUpdateKind::kSafeDowngrade;
    if (asked.upgrade_type >= static_cast<int8_t>(FeatureUpdateKind::kUpgrade) &&
        asked.upgrade_type <= static_cast<int8_t>(FeatureUpdateKind::kUnsafeDowngrade)) {
      continue;
    }
    return Failed(MakeError(
        Errc::kInvalidUpdateVersion,
        absl::StrCat("Invalid update version ", update.level, " for feature ", update.name,
                     ". The controller does not support the given upgrade type.")));
  }
  return updates;
}

void AnswerWith(Request& request, const absl::Status& status,
                const std::vector<std::string>& names) {
  UpdateFeaturesResponse response;
  response.error_code = ToErrorCode(status);
  response.error_message = std::nullopt;
  if (!status.ok()) response.error_message = std::string(status.message());
  // Later versions say it once for all.
  if (status.ok() && request.version() <= 1) {
    for (const std::string& name : names) {
      auto& result = response.results.emplace_back();
      result.feature = name;
      result.error_message = std::nullopt;
    }
  }
  request.Answer(response);
}

}  // namespace

void HandleUpdateFeatures(RequestPtr request) {
  const auto message = request->Decode<UpdateFeaturesRequest>();
  if (!message.has_value()) return;
  absl::StatusOr<std::vector<FeatureUpdate>> updates = UpdatesOf(*message);
  if (!updates.ok()) return AnswerWith(*request, updates.status(), {});
  std::vector<std::string> names;
  for (const FeatureUpdate& update : *updates) names.push_back(update.name);
  Broker& broker = request->broker();
  broker.UpdateFeatures(*std::move(updates), message->validate_only,
                        broker.clock().Mono() + Millis(std::max(message->timeout_ms, 0)),
                        request->services().shard,
                        [request, names = std::move(names)](const absl::Status& status) {
                          const bool refused = !status.ok() && ErrcOf(status) != Errc::kTimedOut;
                          AnswerWith(*request, refused ? Failed(status) : status, names);
                        });
}

}  // namespace garam
