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

// What of Kafka's metadata we have is that of 4.x; nothing else that a level could promise is here.
constexpr int16_t kMetadataVersionMin = 7;
constexpr int16_t kMetadataVersion = 30;
constexpr int16_t kFirstVersionWithClientName = 3;

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
  response.supported_features.push_back(
      {"metadata.version", kMetadataVersionMin, kMetadataVersion});
  response.finalized_features.push_back({"metadata.version", kMetadataVersion, kMetadataVersion});
  response.finalized_features_epoch = request->broker().image()->applied_index().value();
  request->Answer(response);
}

}  // namespace garam
