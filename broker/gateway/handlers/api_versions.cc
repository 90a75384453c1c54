// ApiVersions: what this broker handles. The one API that answers versions it does not know.
#include <algorithm>

#include "broker/gateway/dispatch.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/api_versions.h"

namespace garam {
namespace {

using kafka::ApiVersionsRequest;
using kafka::ApiVersionsResponse;
using kafka::ErrorCode;

constexpr int16_t kFirstVersionWithClientName = 3;
// Clients of older versions fail on a supported level of 0.
constexpr int16_t kFirstVersionWithLevelZero = 4;

bool Alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool ValidSoftware(std::string_view text) {
  return !text.empty() && Alphanumeric(text.front()) && Alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return Alphanumeric(c) || c == '-' || c == '.'; });
}

void ListApis(ApiVersionsResponse& response) {
  for (const ApiRow& row : HandledApis()) {
    const kafka::ApiInfo& api = *kafka::FindApi(static_cast<int16_t>(row.key));
    response.api_keys.push_back(
        {static_cast<int16_t>(row.key), api.advertised_min_version, api.advertised_max_version});
  }
}

// A feature that is spoken by an API is here when that API is.
bool IsHere(const Feature& feature) {
  return feature.name != kGroupVersionFeature ||
         FindHandled(static_cast<int16_t>(kafka::ApiKey::kConsumerGroupHeartbeat)) != nullptr;
}

void ListFeatures(const MetadataImage& image, int16_t version, ApiVersionsResponse& response) {
  for (const Feature& feature : SupportedFeatures()) {
    if (!IsHere(feature)) continue;
    const std::string name(feature.name);
    if (feature.min > 0 || version >= kFirstVersionWithLevelZero) {
      response.supported_features.push_back({name, feature.min, feature.max});
    }
    const int16_t level = FeatureLevelOf(image, feature.name);
    if (level > 0) response.finalized_features.push_back({name, level, level});
  }
  response.finalized_features_epoch = image.applied_index().value();
}

}  // namespace

void HandleApiVersions(RequestPtr request) {
  ApiVersionsResponse response;
  if (request->version() < ApiVersionsRequest::kMinVersion ||
      request->version() > ApiVersionsRequest::kMaxVersion) {
    response.error_code = ErrorCode::kUnsupportedVersion;
    ListApis(response);
    return request->AnswerAs(response, 0);
  }
  const auto message = request->Decode<ApiVersionsRequest>();
  if (!message.has_value()) return;
  if (request->version() >= kFirstVersionWithClientName &&
      (!ValidSoftware(message->client_software_name) ||
       !ValidSoftware(message->client_software_version))) {
    response.error_code = ErrorCode::kInvalidRequest;
    return request->Answer(response);
  }
  ListApis(response);
  ListFeatures(*request->broker().image(), request->version(), response);
  request->Answer(response);
}

}  // namespace garam
