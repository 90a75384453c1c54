// DescribeConfigs: from the registry, this broker's configuration and its image.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "broker/config_view.h"
#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/config_resources.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/describe_configs.h"

namespace garam {
namespace {

using kafka::DescribeConfigsRequest;
using kafka::DescribeConfigsResponse;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using Result = DescribeConfigsResponse::DescribeConfigsResult;
using Shown = absl::StatusOr<std::vector<ShownConfig>>;

// The protocol's numbers of types.
int8_t TypeNumber(ConfigType type) {
  switch (type) {
    case ConfigType::kBoolean:
      return 1;
    case ConfigType::kString:
      return 2;
    case ConfigType::kInt:
      return 3;
    case ConfigType::kLong:
      return 5;
    case ConfigType::kDouble:
      return 6;
    case ConfigType::kList:
      return 7;
  }
  return 0;
}

absl::Status Refused(std::string why) { return MakeError(Errc::kInvalidRequest, why); }

// Whether the resource is this very broker. `or_empty`: what else it might have been called.
absl::Status CheckOwn(const Broker& broker, const std::string& name, const char* or_empty) {
  int32_t number = 0;
  if (!absl::SimpleAtoi(name, &number)) {
    return Refused(absl::StrCat("Broker id must be an integer, but it is: ", name));
  }
  const int32_t own = broker.config().node_id.value();
  if (number == own) return absl::OkStatus();
  return Refused(
      absl::StrCat("Unexpected broker id, expected ", own, or_empty, " but received ", name));
}

Shown ShowTopic(const Broker& broker, const MetadataImage& image, const std::string& name) {
  RETURN_IF_ERROR(CheckTopicName(name));
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(name);
  if (topic == nullptr) return MakeError(Errc::kUnknownTopic, "no topic of that name");
  return ShowTopicConfigs(*topic, image, broker.config());
}

Shown Show(const Broker& broker, const MetadataImage& image, const Resource& resource) {
  const std::string name(resource.resource_name);
  switch (static_cast<ConfigResource>(resource.resource_type)) {
    case ConfigResource::kTopic:
      return ShowTopic(broker, image, name);
    case ConfigResource::kBroker:
      if (name.empty()) return ShowDefaultBrokerConfigs(image);
      RETURN_IF_ERROR(CheckOwn(broker, name, " or empty string,"));
      return ShowBrokerConfigs(image, broker.config());
    case ConfigResource::kBrokerLogger:
      if (name.empty()) return Refused("Broker id must not be empty");
      RETURN_IF_ERROR(CheckOwn(broker, name, ""));
      return std::vector<ShownConfig>();
    case ConfigResource::kClientMetrics:
      if (name.empty()) return Refused("Client metrics subscription name must not be empty");
      return ShowResourceConfigs(ConfiguredKind::kClientMetrics, name, image, broker.config());
    case ConfigResource::kGroup:
      if (name.empty()) return Refused("Group name must not be empty");
      return ShowResourceConfigs(ConfiguredKind::kGroup, name, image, broker.config());
  }
  return Refused(
      absl::StrCat("Unsupported resource type: ", static_cast<int>(resource.resource_type)));
}

void Put(ShownConfig shown, const DescribeConfigsRequest& message, Result& result) {
  auto& config = result.configs.emplace_back();
  config.name = std::move(shown.config.name);
  if (!shown.config.sensitive) config.value = std::move(shown.config.value);
  config.read_only = shown.config.read_only;
  config.config_source = static_cast<int8_t>(shown.config.source);
  config.is_sensitive = shown.config.sensitive;
  config.config_type = TypeNumber(shown.type);
  config.documentation = std::nullopt;
  if (message.include_documentation) config.documentation = std::string(shown.doc);
  if (!message.include_synonyms) return;
  for (ConfigSynonym& from : shown.synonyms) {
    auto& synonym = config.synonyms.emplace_back();
    synonym.name = std::move(from.name);
    if (!shown.config.sensitive) synonym.value = std::move(from.value);
    synonym.source = static_cast<int8_t>(from.source);
  }
}

// No keys are all keys, as null is.
bool IsAsked(const Resource& resource, std::string_view name) {
  if (!resource.configuration_keys.has_value() || resource.configuration_keys->empty()) return true;
  const auto& keys = *resource.configuration_keys;
  return std::find(keys.begin(), keys.end(), name) != keys.end();
}

}  // namespace

void HandleDescribeConfigs(RequestPtr request) {
  const auto message = request->Decode<DescribeConfigsRequest>();
  if (!message.has_value()) return;
  const Broker& broker = request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  DescribeConfigsResponse response;
  std::set<std::pair<int8_t, std::string_view>> seen;
  for (const Resource& resource : message->resources) {
    Result& result = response.results.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.error_message = std::nullopt;
    // An answer is a thousand times as long as a question: no question counts twice.
    Shown shown = seen.emplace(resource.resource_type, resource.resource_name).second
                      ? Show(broker, *image, resource)
                      : Refused("Each resource must appear at most once.");
    result.error_code = ToErrorCode(shown.status());
    if (!shown.ok()) {
      result.error_message = std::string(shown.status().message());
      continue;
    }
    for (ShownConfig& config : *shown) {
      if (IsAsked(resource, config.config.name)) Put(std::move(config), *message, result);
    }
  }
  request->Answer(response);
}

}  // namespace garam
