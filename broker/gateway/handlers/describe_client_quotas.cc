// DescribeClientQuotas: which quotas are set, from this broker's image.
#include <string>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/describe_client_quotas.h"

namespace garam {
namespace {

using kafka::DescribeClientQuotasRequest;
using kafka::DescribeClientQuotasResponse;
using Found = std::vector<std::pair<QuotaEntity, QuotaValues>>;

absl::Status Refused(std::string why) { return MakeError(Errc::kInvalidRequest, why); }

absl::StatusOr<QuotaMatch> MatchOf(const DescribeClientQuotasRequest::ComponentData& asked) {
  QuotaMatch match{.type = std::string(asked.entity_type)};
  match.kind = static_cast<QuotaMatch::Kind>(asked.match_type);
  switch (match.kind) {
    case QuotaMatch::Kind::kExact:
      if (!asked.match.has_value()) {
        return Refused("Request specified MATCH_TYPE_EXACT, but set match string to null.");
      }
      match.name = *asked.match;
      return match;
    case QuotaMatch::Kind::kDefault:
      if (!asked.match.has_value()) return match;
      return Refused("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
    case QuotaMatch::Kind::kAny:
      if (!asked.match.has_value()) return match;
      return Refused("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
  }
  return Refused("Unknown match type " + std::to_string(asked.match_type));
}

absl::StatusOr<Found> Find(const MetadataImage& image, const DescribeClientQuotasRequest& message) {
  std::vector<QuotaMatch> matches;
  for (const auto& component : message.components) {
    ASSIGN_OR_RETURN(matches.emplace_back(), MatchOf(component));
  }
  return FindQuotas(image, matches, message.strict);
}

void Put(const QuotaEntity& entity, const QuotaValues& values,
         DescribeClientQuotasResponse& response) {
  auto& entry = response.entries->emplace_back();
  for (const auto& [type, name] : entity) {
    auto& part = entry.entity.emplace_back();
    part.entity_type = type;
    part.entity_name = name;
  }
  for (const auto& [key, value] : values) entry.values.push_back({key, value});
}

}  // namespace

void HandleDescribeClientQuotas(RequestPtr request) {
  const auto message = request->Decode<DescribeClientQuotasRequest>();
  if (!message.has_value()) return;
  const absl::StatusOr<Found> found = Find(*request->broker().image(), *message);
  DescribeClientQuotasResponse response;
  response.error_code = ToErrorCode(found.status());
  response.error_message = std::nullopt;
  if (found.ok()) {
    for (const auto& [entity, values] : *found) Put(entity, values, response);
  } else {
    response.error_message = std::string(found.status().message());
    response.entries = std::nullopt;
  }
  request->Answer(response);
}

}  // namespace garam
