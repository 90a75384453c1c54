// FindCoordinator: which broker leads the partition of __consumer_offsets that a group hashes to.
// The first one to ask has the topic made.
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_wait.h"
#include "common/status.h"
#include "coordinator/groups/group_partition.h"
#include "proto/kafka/find_coordinator.h"

namespace garam {
namespace {

using kafka::FindCoordinatorRequest;
using kafka::FindCoordinatorResponse;

constexpr int16_t kFirstVersionWithManyKeys = 4;
constexpr Duration kCreateTimeout = std::chrono::seconds(5);

enum KeyType : int8_t { kGroup = 0, kTransaction = 1 };

absl::StatusOr<const BrokerEndpoint*> Locate(Request& request, const MetadataImage& image,
                                             int8_t key_type, std::string_view key, NodeId& node) {
  if (key_type != kGroup) {
    return MakeError(Errc::kInvalidRequest, "this broker has no coordinators of this key type");
  }
  if (key.empty()) return MakeError(Errc::kInvalidGroupId, "the group id is empty");
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(kOffsetsTopic);
  const absl::Status not_yet =
      MakeError(Errc::kCoordinatorNotAvailable, "the group's coordinator does not stand yet");
  if (topic == nullptr) return not_yet;
  const int32_t partition = GroupPartition(key, static_cast<int32_t>(topic->partitions.size()));
  node = request.broker().StateOf(*topic, partition).leader;
  const BrokerImage* const broker = image.FindBroker(node);
  if (broker == nullptr) return not_yet;
  return &broker->EndpointFor(request.listener());
}

template <class Answer>
void Fill(Request& request, const MetadataImage& image, int8_t key_type, std::string_view key,
          Answer& answer) {
  if (key_type == kTransaction) {
    // Of all errors the one that every client gives up with at once.
    answer.node_id = -1;
    answer.port = -1;
    answer.error_code = kafka::ErrorCode::kTransactionalIdAuthorizationFailed;
    answer.error_message = "transactions are not available on this broker yet";
    return;
  }
  NodeId node = kNoNode;
  const absl::StatusOr<const BrokerEndpoint*> at = Locate(request, image, key_type, key, node);
  if (at.ok()) {
    answer.node_id = node.value();
    answer.host = (*at)->host;
    answer.port = (*at)->port;
    answer.error_message = std::nullopt;
  } else {
    answer.node_id = -1;
    answer.port = -1;
    answer.error_code = ToErrorCode(at.status());
    answer.error_message = std::string(at.status().message());
  }
}

void AnswerNow(const RequestPtr& request, const FindCoordinatorRequest& message) {
  FindCoordinatorResponse response;
  const std::shared_ptr<const MetadataImage> image = request->broker().image();
  if (request->version() < kFirstVersionWithManyKeys) {
    Fill(*request, *image, message.key_type, message.key, response);
  } else {
    for (const std::string_view key : message.coordinator_keys) {
      auto& coordinator = response.coordinators.emplace_back();
      coordinator.key = key;
      Fill(*request, *image, message.key_type, key, coordinator);
    }
  }
  request->Answer(response);
}

TopicSpec OffsetsTopic(const GroupSettings& settings) {
  TopicSpec spec;
  spec.name = kOffsetsTopic;
  spec.num_partitions = settings.partitions;
  spec.replication_factor = settings.replication_factor.value_or(-1);
  // What a group said last is all that counts, however long ago that was.
  spec.configs = {{"cleanup.policy", "compact"}, {"segment.bytes", "104857600"}};
  return spec;
}

}  // namespace

void HandleFindCoordinator(RequestPtr request) {
  auto message = request->Decode<FindCoordinatorRequest>();
  if (!message.has_value()) return;
  Broker& broker = request->broker();
  const bool has_topic = broker.image()->FindTopic(kOffsetsTopic) != nullptr;
  if (message->key_type != kGroup || has_topic) return AnswerNow(request, *message);
  // Whoever else makes it at the same time is as good: only whether it is there counts.
  broker.CreateTopics({OffsetsTopic(broker.config().groups)}, /*validate_only=*/false,
                      broker.clock().Mono() + kCreateTimeout, request->services().shard,
                      [request, message = *std::move(message)](auto) {
                        WhenLeadersStand(request, {std::string(kOffsetsTopic)},
                                         [request, message] { AnswerNow(request, message); });
                      });
}

}  // namespace garam
