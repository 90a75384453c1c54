// ConsumerGroupHeartbeat: how members of the consumer protocol join, stay, learn what they are to
// read, and leave.
#include "proto/kafka/consumer_group_heartbeat.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"
#include "common/status.h"
#include "coordinator/features.h"

namespace garam {
namespace {

using kafka::ConsumerGroupHeartbeatRequest;
using kafka::ConsumerGroupHeartbeatResponse;

constexpr int16_t kFirstVersionWithOwnIds = 1;

std::optional<std::string> ToString(const std::optional<std::string_view>& text) {
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

ConsumerHeartbeat ToHeartbeat(const Request& request,
                              const ConsumerGroupHeartbeatRequest& message) {
  ConsumerHeartbeat heartbeat;
  heartbeat.member_id = message.member_id;
  heartbeat.epoch = message.member_epoch;
  heartbeat.instance_id = ToString(message.instance_id);
  heartbeat.rack = ToString(message.rack_id);
  heartbeat.rebalance_timeout_ms = message.rebalance_timeout_ms;
  if (message.subscribed_topic_names) {
    heartbeat.topics.emplace(message.subscribed_topic_names->begin(),
                             message.subscribed_topic_names->end());
  }
  heartbeat.topic_regex = ToString(message.subscribed_topic_regex);
  heartbeat.assignor = ToString(message.server_assignor);
  if (message.topic_partitions) {
    heartbeat.owned.emplace();
    for (const auto& topic : *message.topic_partitions) {
      (*heartbeat.owned)[topic.topic_id] = topic.partitions;
    }
  }
  heartbeat.client_id = request.client_id();
  heartbeat.client_host = request.client_host();
  return heartbeat;
}

void AnswerWith(Request& request, absl::StatusOr<ConsumerHeartbeatAnswer> answer) {
  ConsumerGroupHeartbeatResponse response;
  if (!answer.ok()) {
    response.error_code = ToErrorCode(answer.status());
    response.error_message = std::string(answer.status().message());
    return request.Answer(response);
  }
  response.member_id = std::move(answer->member_id);
  response.member_epoch = answer->epoch;
  response.heartbeat_interval_ms = answer->heartbeat_interval_ms;
  if (answer->assignment) {
    response.assignment.emplace();
    for (auto& [topic, partitions] : *answer->assignment) {
      response.assignment->topic_partitions.push_back({topic, std::move(partitions)});
    }
  }
  request.Answer(response);
}

}  // namespace

void HandleConsumerGroupHeartbeat(RequestPtr request) {
  const auto message = request->Decode<ConsumerGroupHeartbeatRequest>();
  if (!message.has_value()) return;
  if (FeatureLevelOf(*request->broker().image(), kGroupVersionFeature) < 1) {
    return AnswerWith(*request, MakeError(Errc::kUnsupportedVersion,
                                          "the feature group.version is at 0: raise it to 1, or "
                                          "set group.protocol=classic"));
  }
  ConsumerHeartbeat heartbeat = ToHeartbeat(*request, *message);
  const ConsumerGroupLimits& limits = request->broker().config().groups.limits.consumers;
  if (absl::Status status = CheckHeartbeat(message->group_id, heartbeat,
                                           request->version() >= kFirstVersionWithOwnIds, limits);
      !status.ok()) {
    return AnswerWith(*request, std::move(status));
  }
  CallCoordinator<ConsumerHeartbeatAnswer>(
      *request, message->group_id,
      [group = std::string(message->group_id), heartbeat = std::move(heartbeat)](
          GroupCoordinator& groups,
          absl::AnyInvocable<void(absl::StatusOr<ConsumerHeartbeatAnswer>) &&> done) mutable {
        groups.Heartbeat(group, std::move(heartbeat), std::move(done));
      },
      [request](absl::StatusOr<ConsumerHeartbeatAnswer> answer) {
        AnswerWith(*request, std::move(answer));
      });
}

}  // namespace garam
