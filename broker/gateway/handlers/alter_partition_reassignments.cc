// AlterPartitionReassignments: passed on to the controller, wherever it is. Answered when it has
// been taken, which is before the replicas are there (KIP-455).
#include <algorithm>
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/alter_partition_reassignments.h"

namespace garam {
namespace {

using kafka::AlterPartitionReassignmentsRequest;
using kafka::AlterPartitionReassignmentsResponse;
using Answer = AlterPartitionReassignmentsResponse::ReassignablePartitionResponse;

struct Place {
  size_t topic;
  size_t partition;
};

void SetError(Answer& answer, const absl::Status& status) {
  answer.error_code = ToErrorCode(status);
  answer.error_message = std::nullopt;
  if (!status.ok()) answer.error_message = std::string(status.message());
}

MoveSpec ToSpec(std::string_view topic,
                const AlterPartitionReassignmentsRequest::ReassignablePartition& partition) {
  MoveSpec spec{.topic = std::string(topic), .partition = partition.partition_index};
  if (!partition.replicas.has_value()) return spec;
  spec.replicas.emplace();
  for (int32_t node : *partition.replicas) spec.replicas->push_back(NodeId(node));
  return spec;
}

// KIP-860: some only want their partitions elsewhere, not more or fewer of them.
absl::Status CheckFactor(const MetadataImage& image, const MoveSpec& spec, bool may_change) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(spec.topic);
  const PartitionImage* partition = topic == nullptr ? nullptr : topic->Find(spec.partition);
  if (may_change || !spec.replicas || partition == nullptr ||
      spec.replicas->size() == partition->replicas.size()) {
    return absl::OkStatus();
  }
  return MakeError(Errc::kInvalidReplicationFactor, "The replication factor is changed from " +
                                                        std::to_string(partition->replicas.size()) +
                                                        " to " +
                                                        std::to_string(spec.replicas->size()));
}

}  // namespace

void HandleAlterPartitionReassignments(RequestPtr request) {
  const auto message = request->Decode<AlterPartitionReassignmentsRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<AlterPartitionReassignmentsResponse>();
  response->error_message = std::nullopt;
  response->allow_replication_factor_change = message->allow_replication_factor_change;
  Broker& broker = request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  std::vector<MoveSpec> moves;
  std::vector<Place> places;  // By move: where its answer is.
  for (const auto& topic : message->topics) {
    auto& answers = response->responses.emplace_back();
    answers.name = topic.name;
    for (const auto& partition : topic.partitions) {
      Answer& answer = answers.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      MoveSpec spec = ToSpec(topic.name, partition);
      const absl::Status allowed =
          CheckFactor(*image, spec, message->allow_replication_factor_change);
      SetError(answer, allowed);
      if (!allowed.ok()) continue;
      moves.push_back(std::move(spec));
      places.push_back({response->responses.size() - 1, answers.partitions.size() - 1});
    }
  }
  if (moves.empty()) return request->Answer(*response);
  const MonoTime deadline = broker.clock().Mono() + Millis(std::max(message->timeout_ms, 0));
  broker.MoveReplicas(
      std::move(moves), deadline, request->services().shard,
      [request, response, places = std::move(places)](std::vector<absl::Status> results) {
        for (size_t i = 0; i < places.size(); ++i) {
          SetError(response->responses[places[i].topic].partitions[places[i].partition],
                   results[i]);
        }
        request->Answer(*response);
      });
}

}  // namespace garam
