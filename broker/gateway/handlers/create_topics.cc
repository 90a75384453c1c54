// CreateTopics: passed on to the controller, wherever it is.
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_wait.h"
#include "broker/gateway/handlers/mutation_quota.h"
#include "proto/kafka/create_topics.h"

namespace garam {
namespace {

using kafka::CreateTopicsRequest;
using kafka::CreateTopicsResponse;

TopicSpec ToSpec(const CreateTopicsRequest::CreatableTopic& topic) {
  TopicSpec spec;
  spec.name = topic.name;
  spec.num_partitions = topic.num_partitions;
  spec.replication_factor = topic.replication_factor;
  for (const auto& assignment : topic.assignments) {
    ManualAssignment& manual = spec.assignments.emplace_back();
    manual.partition = assignment.partition_index;
    for (const int32_t broker : assignment.broker_ids) manual.replicas.emplace_back(broker);
  }
  for (const auto& config : topic.configs) {
    ConfigEntry& entry = spec.configs.emplace_back();
    entry.name = config.name;
    if (config.value.has_value()) entry.value = std::string(*config.value);
  }
  return spec;
}

constexpr int16_t kFirstStrictVersion = 6;

int64_t PartitionsOf(const CreateTopicsRequest::CreatableTopic& topic, const BrokerConfig& config) {
  if (!topic.assignments.empty()) return static_cast<int64_t>(topic.assignments.size());
  return topic.num_partitions < 0 ? config.num_partitions : topic.num_partitions;
}

void SetError(CreateTopicsResponse::CreatableTopicResult& answer, const absl::Status& status) {
  answer.error_code = ToErrorCode(status);
  answer.error_message = std::string(status.message());
  answer.configs.emplace();
}

void SetCreated(CreateTopicsResponse::CreatableTopicResult& answer, CreatedTopic created) {
  answer.error_message = std::nullopt;
  answer.topic_id = created.id;
  answer.num_partitions = created.num_partitions;
  answer.replication_factor = static_cast<int16_t>(created.replication_factor);
  answer.configs.emplace();
  for (EffectiveConfig& config : created.configs) {
    auto& shown = answer.configs->emplace_back();
    shown.name = std::move(config.name);
    shown.value = std::move(config.value);
    shown.read_only = config.read_only;
    shown.config_source = static_cast<int8_t>(config.source);
    shown.is_sensitive = config.sensitive;
  }
}

}  // namespace

void HandleCreateTopics(RequestPtr request) {
  const auto message = request->Decode<CreateTopicsRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<CreateTopicsResponse>();
  std::map<std::string_view, int> named;
  for (const auto& topic : message->topics) ++named[topic.name];
  std::vector<TopicSpec> specs;
  std::vector<size_t> places;  // By spec: where its answer is.
  Broker& broker = request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  MutationQuota quota(*request, kFirstStrictVersion);
  for (const auto& topic : message->topics) {
    if (named[topic.name] > 1) continue;
    auto& answer = response->topics.emplace_back();
    answer.name = topic.name;
    const bool taken = image->FindTopic(topic.name) != nullptr;
    if (!taken && !quota.Take(PartitionsOf(topic, broker.config()))) {
      MutationQuota::Refuse(answer);
      answer.configs.emplace();
      continue;
    }
    places.push_back(response->topics.size() - 1);
    specs.push_back(ToSpec(topic));
  }
  // One answer for a name, however often it came.
  for (const auto& [name, times] : named) {
    if (times == 1) continue;
    auto& answer = response->topics.emplace_back();
    answer.name = name;
    SetError(answer, MakeError(Errc::kInvalidRequest, "the request names this topic twice"));
  }
  if (specs.empty()) return request->Answer(*response);
  const MonoTime deadline = broker.clock().Mono() + Millis(std::max(message->timeout_ms, 0));
  const size_t shard = request->services().shard;
  broker.CreateTopics(std::move(specs), message->validate_only, deadline, shard,
                      [request, response, places = std::move(places)](
                          std::vector<absl::StatusOr<CreatedTopic>> results) {
                        std::vector<std::string> created;
                        for (size_t i = 0; i < places.size(); ++i) {
                          auto& answer = response->topics[places[i]];
                          if (results[i].ok()) {
                            SetCreated(answer, *std::move(results[i]));
                            if (!answer.topic_id.IsZero()) created.push_back(answer.name);
                          } else {
                            SetError(answer, results[i].status());
                          }
                        }
                        WhenLeadersStand(request, std::move(created),
                                         [request, response] { request->Answer(*response); });
                      });
}

}  // namespace garam
