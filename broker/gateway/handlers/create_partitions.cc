// CreatePartitions: passed on to the controller, wherever it is.
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_wait.h"
#include "broker/gateway/handlers/mutation_quota.h"
#include "proto/kafka/create_partitions.h"

namespace garam {
namespace {

using kafka::CreatePartitionsRequest;
using kafka::CreatePartitionsResponse;

MorePartitionsSpec ToSpec(const CreatePartitionsRequest::CreatePartitionsTopic& topic) {
  MorePartitionsSpec spec{.topic = std::string(topic.name), .count = topic.count};
  if (!topic.assignments.has_value()) return spec;
  spec.assignments.emplace();
  for (const auto& assignment : *topic.assignments) {
    std::vector<NodeId>& replicas = spec.assignments->emplace_back();
    for (const int32_t node : assignment.broker_ids) replicas.emplace_back(node);
  }
  return spec;
}

constexpr int16_t kFirstVersionWithQuotaError = 3;

int64_t NewPartitions(const CreatePartitionsRequest::CreatePartitionsTopic& topic,
                      const MetadataImage& image) {
  const std::shared_ptr<const TopicImage> known = image.FindTopic(topic.name);
  if (known == nullptr) return 0;
  return std::max<int64_t>(0, topic.count - static_cast<int64_t>(known->partitions.size()));
}

void SetResult(CreatePartitionsResponse::CreatePartitionsTopicResult& answer,
               const absl::Status& status) {
  answer.error_code = ToErrorCode(status);
  answer.error_message = std::nullopt;
  if (!status.ok()) answer.error_message = std::string(status.message());
}

}  // namespace

void HandleCreatePartitions(RequestPtr request) {
  const auto message = request->Decode<CreatePartitionsRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<CreatePartitionsResponse>();
  std::map<std::string_view, int> named;
  for (const auto& topic : message->topics) ++named[topic.name];
  std::vector<MorePartitionsSpec> specs;
  std::vector<size_t> places;  // By spec: where its answer is.
  Broker& broker = request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  MutationQuota quota(*request, kFirstVersionWithQuotaError);
  for (const auto& topic : message->topics) {
    if (named[topic.name] > 1) continue;
    auto& answer = response->results.emplace_back();
    answer.name = topic.name;
    const int64_t more = NewPartitions(topic, *image);
    if (more > 0 && !quota.Take(more)) {
      MutationQuota::Refuse(answer);
      continue;
    }
    places.push_back(response->results.size() - 1);
    specs.push_back(ToSpec(topic));
  }
  // One answer for a name, however often it came.
  for (const auto& [name, times] : named) {
    if (times == 1) continue;
    auto& answer = response->results.emplace_back();
    answer.name = name;
    SetResult(answer, MakeError(Errc::kInvalidRequest, "Duplicate topic name."));
  }
  if (specs.empty()) return request->Answer(*response);
  const MonoTime deadline = broker.clock().Mono() + Millis(std::max(message->timeout_ms, 0));
  broker.CreatePartitions(std::move(specs), message->validate_only, deadline,
                          request->services().shard,
                          [request, response, validate_only = message->validate_only,
                           places = std::move(places)](std::vector<absl::Status> results) {
                            std::vector<std::string> enlarged;
                            for (size_t i = 0; i < places.size(); ++i) {
                              auto& answer = response->results[places[i]];
                              SetResult(answer, results[i]);
                              if (results[i].ok() && !validate_only)
                                enlarged.push_back(answer.name);
                            }
                            WhenLeadersStand(request, std::move(enlarged),
                                             [request, response] { request->Answer(*response); });
                          });
}

}  // namespace garam
