// DescribeTopicPartitions: what Metadata tells of topics, in pages.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/cluster_view.h"
#include "broker/gateway/handlers/handlers.h"
#include "coordinator/controller.h"
#include "proto/kafka/describe_topic_partitions.h"

namespace garam {
namespace {

using kafka::DescribeTopicPartitionsRequest;
using kafka::DescribeTopicPartitionsResponse;
using kafka::ErrorCode;
using Topic = DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic;

// Where the page begins.
struct Start {
  std::string topic{};
  int32_t partition = 0;
};

void AddPartition(const Broker& broker, const TopicImage& topic, int32_t index, Topic& to) {
  auto& partition = to.partitions.emplace_back();
  DescribePartition(broker, topic, index, partition);
  // None, for the ISR alone may lead; Kafka's own clients cannot do without the lists.
  partition.eligible_leader_replicas.emplace();
  partition.last_known_elr.emplace();
}

class Page {
 public:
  Page(const Broker& broker, Start start, int32_t partitions_max)
      : broker_(broker), start_(std::move(start)), left_(partitions_max) {}

  // False when the page is full: the topic begins the next one, or goes on there.
  bool Add(const TopicImage& topic) {
    int32_t index = topic.name == start_.topic ? start_.partition : 0;
    if (left_ == 0) return EndAt(topic.name, index);
    Topic& to = response_.topics.emplace_back();
    to.name = topic.name;
    to.topic_id = topic.id;
    to.is_internal = topic.internal();
    to.topic_authorized_operations = kAllTopicOperations;
    const auto end = static_cast<int32_t>(topic.partitions.size());
    for (; index < end; ++index) {
      if (left_ == 0) return EndAt(topic.name, index);
      AddPartition(broker_, topic, index, to);
      --left_;
    }
    return true;
  }
  // A topic that was asked for and is not there.
  bool AddMissing(const std::string& name) {
    if (left_ == 0) return EndAt(name, 0);
    Topic& to = response_.topics.emplace_back();
    to.name = name;
    const absl::Status valid = CheckTopicName(name);
    to.error_code = valid.ok() ? ErrorCode::kUnknownTopicOrPartition : ToErrorCode(valid);
    return true;
  }
  const DescribeTopicPartitionsResponse& response() const { return response_; }

 private:
  bool EndAt(const std::string& topic, int32_t partition) {
    auto& cursor = response_.next_cursor.emplace();
    cursor.topic_name = topic;
    cursor.partition_index = partition;
    return false;
  }

  const Broker& broker_;
  const Start start_;
  int32_t left_;
  DescribeTopicPartitionsResponse response_;
};

// A page that cannot begin where it is asked to.
void Refuse(const RequestPtr& request, const DescribeTopicPartitionsRequest& message) {
  DescribeTopicPartitionsResponse response;
  for (const auto& topic : message.topics) {
    auto& answer = response.topics.emplace_back();
    answer.name = std::string(topic.name);
    answer.error_code = ErrorCode::kInvalidRequest;
  }
  request->Answer(response);
}

}  // namespace

void HandleDescribeTopicPartitions(RequestPtr request) {
  const auto message = request->Decode<DescribeTopicPartitionsRequest>();
  if (!message.has_value()) return;
  const Broker& broker = request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  Start start;
  if (message->cursor.has_value()) {
    start.topic = message->cursor->topic_name;
    start.partition = message->cursor->partition_index;
  }
  std::set<std::string> names;
  for (const auto& topic : message->topics) {
    if (topic.name >= start.topic) names.emplace(topic.name);
  }
  const bool lost =
      message->cursor.has_value() && !message->topics.empty() && !names.contains(start.topic);
  if (lost || start.partition < 0) return Refuse(request, *message);
  const int32_t most =
      std::min(broker.config().request_partitions_max, message->response_partition_limit);
  Page page(broker, start, std::max(most, 1));
  if (message->topics.empty()) {
    bool room = true;
    image->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
      if (room && topic->name >= start.topic) room = page.Add(*topic);
    });
    return request->Answer(page.response());
  }
  for (const std::string& name : names) {
    const std::shared_ptr<const TopicImage> topic = image->FindTopic(name);
    if (!(topic != nullptr ? page.Add(*topic) : page.AddMissing(name))) break;
  }
  request->Answer(page.response());
}

}  // namespace garam
