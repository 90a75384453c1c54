// Metadata: brokers, topics, leaders; and the creation of topics by their first use.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/cluster_view.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_wait.h"
#include "coordinator/controller.h"
#include "proto/kafka/metadata.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using kafka::MetadataRequest;
using kafka::MetadataResponse;

// How long a first use waits for its topic; afterwards the client asks again by itself.
constexpr Duration kCreationWait = Millis(2000);

class MetadataOperation : public std::enable_shared_from_this<MetadataOperation> {
 public:
  MetadataOperation(RequestPtr request, MetadataRequest message)
      : request_(std::move(request)), message_(std::move(message)) {}

  void Start() {
    std::vector<TopicSpec> specs = TopicsToCreate();
    if (specs.empty()) return Answer();
    Broker& broker = request_->broker();
    std::vector<std::string> names;
    for (const TopicSpec& spec : specs) names.push_back(spec.name);
    broker.CreateTopics(
        std::move(specs), /*validate_only=*/false, broker.clock().Mono() + kCreationWait,
        request_->services().shard,
        [self = shared_from_this(),
         names = std::move(names)](std::vector<absl::StatusOr<CreatedTopic>> results) {
          std::vector<std::string> created;
          for (size_t i = 0; i < names.size(); ++i) {
            self->creation_.emplace(names[i], results[i].status());
            if (results[i].ok()) created.push_back(names[i]);
          }
          WhenLeadersStand(self->request_, std::move(created), [self] { self->Answer(); });
        });
  }

 private:
  bool WantsAll() const {
    return !message_.topics.has_value() || (request_->version() == 0 && message_.topics->empty());
  }

  std::vector<TopicSpec> TopicsToCreate() const {
    std::vector<TopicSpec> specs;
    if (WantsAll() || !message_.allow_auto_topic_creation ||
        !request_->broker().config().auto_create_topics) {
      return specs;
    }
    const std::shared_ptr<const MetadataImage> image = request_->broker().image();
    std::set<std::string_view> seen;
    for (const auto& topic : *message_.topics) {
      if (!topic.topic_id.IsZero() || !topic.name.has_value()) continue;
      if (!CheckTopicName(*topic.name).ok() || image->FindTopic(*topic.name) != nullptr) continue;
      if (!seen.insert(*topic.name).second) continue;
      specs.emplace_back().name = *topic.name;
    }
    return specs;
  }

  void Answer() {
    Broker& broker = request_->broker();
    const std::shared_ptr<const MetadataImage> image = broker.image();
    MetadataResponse response;
    for (const BrokerRow& row : BrokerRows(broker, *image, request_->listener())) {
      if (!row.listed) continue;
      auto& answer = response.brokers.emplace_back();
      answer.node_id = row.node.value();
      answer.host = row.endpoint->host;
      answer.port = row.endpoint->port;
      answer.rack = row.image->rack;
    }
    response.cluster_id = image->cluster_id();
    response.controller_id = ControllerId(broker);
    if (WantsAll()) {
      image->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
        Describe(*topic, response.topics.emplace_back());
      });
    } else {
      for (const auto& topic : *message_.topics) Look(*image, topic, response);
    }
    if (message_.include_cluster_authorized_operations)
      response.cluster_authorized_operations = kAllClusterOperations;
    request_->Answer(response);
  }

  void Look(const MetadataImage& image, const MetadataRequest::MetadataRequestTopic& asked,
            MetadataResponse& response) {
    const bool by_id = !asked.topic_id.IsZero();
    if (!by_id && !asked.name.has_value()) return;
    auto& answer = response.topics.emplace_back();
    const std::shared_ptr<const TopicImage> topic =
        by_id ? image.FindTopic(asked.topic_id) : image.FindTopic(*asked.name);
    if (topic != nullptr) return Describe(*topic, answer);
    answer.name = std::nullopt;
    if (asked.name.has_value()) answer.name = std::string(*asked.name);
    // Only newer versions have a null for the name of an unknown id.
    if (!answer.name.has_value() && request_->version() < 12) answer.name.emplace();
    answer.topic_id = asked.topic_id;
    answer.error_code = by_id ? ErrorCode::kUnknownTopicId : MissingCode(*asked.name);
  }

  // Why a topic is not there.
  ErrorCode MissingCode(std::string_view name) const {
    if (const absl::Status status = CheckTopicName(name); !status.ok()) return ToErrorCode(status);
    auto created = creation_.find(name);
    if (created == creation_.end()) return ErrorCode::kUnknownTopicOrPartition;
    const absl::Status& status = created->second;
    if (status.ok()) return ErrorCode::kLeaderNotAvailable;
    switch (ErrcOf(status)) {
      case Errc::kInvalidReplicationFactor: {
        // Brokers that have formed this cluster a moment ago are still on their way into it.
        const std::shared_ptr<const MetadataImage> image = request_->broker().image();
        if (image->brokers().size() < image->voters().size()) return ErrorCode::kLeaderNotAvailable;
        return ToErrorCode(status);
      }
      case Errc::kInvalidTopicName:
      case Errc::kInvalidPartitions:
      case Errc::kInvalidConfig:
        return ToErrorCode(status);
      default:
        // No controller just now, or another client was first: the client asks again.
        return ErrorCode::kLeaderNotAvailable;
    }
  }

  void Describe(const TopicImage& topic, MetadataResponse::MetadataResponseTopic& answer) {
    answer.name = topic.name;
    answer.topic_id = topic.id;
    answer.is_internal = topic.internal();
    if (message_.include_topic_authorized_operations)
      answer.topic_authorized_operations = kAllTopicOperations;
    answer.partitions.reserve(topic.partitions.size());
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      DescribePartition(request_->broker(), topic, static_cast<int32_t>(i),
                        answer.partitions.emplace_back());
    }
  }

  const RequestPtr request_;
  const MetadataRequest message_;  // Its strings live in the request.
  std::map<std::string, absl::Status, std::less<>> creation_;
};

}  // namespace

void HandleMetadata(RequestPtr request) {
  std::optional<MetadataRequest> message = request->Decode<MetadataRequest>();
  if (!message.has_value()) return;
  std::make_shared<MetadataOperation>(std::move(request), *std::move(message))->Start();
}

}  // namespace garam
