// ConsumerGroupDescribe: groups of the consumer protocol, who belongs to them and who reads what.
#include "proto/kafka/consumer_group_describe.h"

#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/cluster_view.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::ConsumerGroupDescribeResponse;

// MemberType: which protocol the member uses.
constexpr int8_t kClassicMember = 0;
constexpr int8_t kConsumerMember = 1;

ConsumerGroupDescribeResponse::Assignment ToAssignment(
    std::vector<ConsumerGroupDescription::Topic> topics) {
  ConsumerGroupDescribeResponse::Assignment assignment;
  for (ConsumerGroupDescription::Topic& topic : topics) {
    assignment.topic_partitions.push_back(
        {topic.id, std::move(topic.name), std::move(topic.partitions)});
  }
  return assignment;
}

void Fill(ConsumerGroupDescribeResponse::DescribedGroup& answer, ConsumerGroupDescription group) {
  answer.group_state = std::move(group.state);
  answer.group_epoch = group.epoch;
  answer.assignment_epoch = group.assignment_epoch;
  answer.assignor_name = std::move(group.assignor);
  for (ConsumerGroupDescription::Member& member : group.members) {
    auto& shown = answer.members.emplace_back();
    shown.member_id = std::move(member.id);
    shown.instance_id = std::move(member.facts.instance_id);
    shown.rack_id = std::move(member.facts.rack);
    shown.member_epoch = member.epoch;
    shown.client_id = std::move(member.facts.client_id);
    shown.client_host = std::move(member.facts.client_host);
    shown.subscribed_topic_names = std::move(member.facts.topics);
    if (!member.facts.topic_regex.empty()) {
      shown.subscribed_topic_regex = std::move(member.facts.topic_regex);
    }
    shown.assignment = ToAssignment(std::move(member.assigned));
    shown.target_assignment = ToAssignment(std::move(member.target));
    shown.member_type = member.facts.classic ? kClassicMember : kConsumerMember;
  }
}

}  // namespace

void HandleConsumerGroupDescribe(RequestPtr request) {
  const auto message = request->Decode<kafka::ConsumerGroupDescribeRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<ConsumerGroupDescribeResponse>();
  response->groups.resize(message->group_ids.size());
  auto missing = std::make_shared<size_t>(message->group_ids.size());
  if (*missing == 0) return request->Answer(*response);
  const bool operations = message->include_authorized_operations;
  for (size_t i = 0; i < message->group_ids.size(); ++i) {
    const std::string group(message->group_ids[i]);
    response->groups[i].group_id = group;
    CallCoordinator<ConsumerGroupDescription>(
        *request, group,
        [group](GroupCoordinator& groups,
                absl::AnyInvocable<void(absl::StatusOr<ConsumerGroupDescription>) &&> done) {
          std::move(done)(groups.DescribeConsumers(group));
        },
        [request, response, missing, i,
         operations](absl::StatusOr<ConsumerGroupDescription> description) {
          auto& answer = response->groups[i];
          if (description.ok()) {
            if (operations) answer.authorized_operations = kAllGroupOperations;
            Fill(answer, *std::move(description));
          } else {
            answer.error_code = ToErrorCode(description.status());
            answer.error_message = std::string(description.status().message());
          }
          if (--*missing == 0) request->Answer(*response);
        });
  }
}

}  // namespace garam
