// DeleteTopics, by name or by id: passed on to the controller, wherever it is, always by id, so
// that a topic made anew under the same name is not hit.
#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/mutation_quota.h"
#include "proto/kafka/delete_topics.h"

namespace garam {
namespace {

using kafka::DeleteTopicsRequest;
using kafka::DeleteTopicsResponse;

constexpr int16_t kFirstVersionWithDeletionDisabled = 3;
constexpr int16_t kFirstVersionWithStrictQuota = 5;
constexpr int16_t kFirstVersionWithIds = 6;

using Answer = DeleteTopicsResponse::DeletableTopicResult;

void SetError(Answer& answer, const absl::Status& status, int16_t version) {
  answer.error_code = ToErrorCode(status);
  answer.error_message = std::string(status.message());
  if (answer.error_code == kafka::ErrorCode::kTopicDeletionDisabled &&
      version < kFirstVersionWithDeletionDisabled) {
    answer.error_code = kafka::ErrorCode::kInvalidRequest;
  }
}

// The topic that the answer names; fills in what the image knows of it.
absl::StatusOr<std::shared_ptr<const TopicImage>> Resolve(const MetadataImage& image, bool by_name,
                                                          Answer& answer) {
  if (by_name && !answer.topic_id.IsZero())
    return MakeError(Errc::kInvalidRequest, "name a topic by its name or by its id, not both");
  if (by_name) {
    std::shared_ptr<const TopicImage> topic = image.FindTopic(*answer.name);
    if (topic == nullptr) return MakeError(Errc::kUnknownTopic, "no topic of that name");
    answer.topic_id = topic->id;
    return topic;
  }
  if (answer.topic_id.IsZero())
    return MakeError(Errc::kInvalidRequest, "name a topic by its name or by its id");
  std::shared_ptr<const TopicImage> topic = image.FindTopic(answer.topic_id);
  if (topic == nullptr) return MakeError(Errc::kUnknownTopicId, "no topic with that id");
  answer.name = topic->name;
  return topic;
}

std::vector<DeleteTopicsRequest::DeleteTopicState> Asked(const DeleteTopicsRequest& message,
                                                         int16_t version) {
  if (version >= kFirstVersionWithIds) return message.topics;
  std::vector<DeleteTopicsRequest::DeleteTopicState> asked;
  for (const std::string_view name : message.topic_names) asked.emplace_back().name = name;
  return asked;
}

}  // namespace

void HandleDeleteTopics(RequestPtr request) {
  const auto message = request->Decode<DeleteTopicsRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<DeleteTopicsResponse>();
  const std::shared_ptr<const MetadataImage> image = request->broker().image();
  std::vector<TopicId> ids;
  std::vector<size_t> places;  // By id: where its answer is.
  std::set<TopicId> seen;
  MutationQuota quota(*request, kFirstVersionWithStrictQuota);
  for (const auto& topic : Asked(*message, request->version())) {
    Answer& answer = response->responses.emplace_back();
    answer.name = std::nullopt;
    if (topic.name.has_value()) answer.name = std::string(*topic.name);
    answer.topic_id = topic.topic_id;
    const auto found = Resolve(*image, topic.name.has_value(), answer);
    absl::Status status = found.status();
    if (status.ok() && !seen.insert(answer.topic_id).second)
      status = MakeError(Errc::kInvalidRequest, "the request names this topic twice");
    if (!status.ok()) {
      SetError(answer, status, request->version());
      continue;
    }
    if (!quota.Take(static_cast<int64_t>((*found)->partitions.size()))) {
      MutationQuota::Refuse(answer);
      continue;
    }
    ids.push_back(answer.topic_id);
    places.push_back(response->responses.size() - 1);
  }
  if (ids.empty()) return request->Answer(*response);
  Broker& broker = request->broker();
  const MonoTime deadline = broker.clock().Mono() + Millis(std::max(message->timeout_ms, 0));
  broker.DeleteTopics(
      std::move(ids), deadline, request->services().shard,
      [request, response, places = std::move(places)](std::vector<absl::Status> results) {
        for (size_t i = 0; i < places.size(); ++i) {
          if (!results[i].ok())
            SetError(response->responses[places[i]], results[i], request->version());
        }
        request->Answer(*response);
      });
}

}  // namespace garam
