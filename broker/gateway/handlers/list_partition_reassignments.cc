// ListPartitionReassignments: the moves under way, as this broker's image has them.
#include <algorithm>

#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/list_partition_reassignments.h"

namespace garam {
namespace {

using kafka::ListPartitionReassignmentsRequest;
using kafka::ListPartitionReassignmentsResponse;
using Topic = ListPartitionReassignmentsResponse::OngoingTopicReassignment;

bool Has(const std::vector<ReplicaImage>& replicas, const ReplicaImage& wanted) {
  return std::find(replicas.begin(), replicas.end(), wanted) != replicas.end();
}

// Kafka shows the replicas of a partition under way as those that will be, then those that go.
void AddIfMoving(const PartitionImage& image, int32_t index, Topic& to) {
  if (image.target.empty()) return;
  auto& partition = to.partitions.emplace_back();
  partition.partition_index = index;
  for (const ReplicaImage& replica : image.target) {
    partition.replicas.push_back(replica.node.value());
    if (!Has(image.replicas, replica)) partition.adding_replicas.push_back(replica.node.value());
  }
  for (const ReplicaImage& replica : image.replicas) {
    if (Has(image.target, replica)) continue;
    partition.replicas.push_back(replica.node.value());
    partition.removing_replicas.push_back(replica.node.value());
  }
}

void Keep(Topic topic, ListPartitionReassignmentsResponse& response) {
  if (!topic.partitions.empty()) response.topics.push_back(std::move(topic));
}

}  // namespace

void HandleListPartitionReassignments(RequestPtr request) {
  const auto message = request->Decode<ListPartitionReassignmentsRequest>();
  if (!message.has_value()) return;
  ListPartitionReassignmentsResponse response;
  response.error_message = std::nullopt;
  const std::shared_ptr<const MetadataImage> image = request->broker().image();
  if (!message->topics.has_value()) {
    image->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
      Topic moving;
      moving.name = topic->name;
      for (size_t i = 0; i < topic->partitions.size(); ++i) {
        AddIfMoving(topic->partitions[i], static_cast<int32_t>(i), moving);
      }
      Keep(std::move(moving), response);
    });
    return request->Answer(response);
  }
  for (const auto& asked : *message->topics) {
    const std::shared_ptr<const TopicImage> topic = image->FindTopic(asked.name);
    if (topic == nullptr) continue;  // As Kafka: what is not there does not move.
    Topic moving;
    moving.name = topic->name;
    for (int32_t index : asked.partition_indexes) {
      const PartitionImage* partition = topic->Find(index);
      if (partition != nullptr) AddIfMoving(*partition, index, moving);
    }
    Keep(std::move(moving), response);
  }
  request->Answer(response);
}

}  // namespace garam
