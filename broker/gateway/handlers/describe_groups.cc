// DescribeGroups: states, members, and who reads what.
#include "proto/kafka/describe_groups.h"

#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::DescribeGroupsResponse;

constexpr int16_t kFirstVersionWithoutDeadGroups = 6;
constexpr std::string_view kDead = "Dead";

void Fill(DescribeGroupsResponse::DescribedGroup& answer, GroupDescription group, int16_t version) {
  if (group.state == kDead && version >= kFirstVersionWithoutDeadGroups) {
    answer.error_code = kafka::ErrorCode::kGroupIdNotFound;
    answer.error_message = "Group " + answer.group_id + " not found.";
  }
  answer.group_state = std::move(group.state);
  answer.protocol_type = std::move(group.protocol_type);
  answer.protocol_data = std::move(group.protocol);
  for (GroupDescription::Member& member : group.members) {
    answer.members.push_back({std::move(member.id), std::move(member.instance_id),
                              std::move(member.client_id), std::move(member.client_host),
                              std::move(member.metadata), std::move(member.assignment)});
  }
}

}  // namespace

void HandleDescribeGroups(RequestPtr request) {
  const auto message = request->Decode<kafka::DescribeGroupsRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<DescribeGroupsResponse>();
  response->groups.resize(message->groups.size());
  auto missing = std::make_shared<size_t>(message->groups.size());
  if (*missing == 0) return request->Answer(*response);
  for (size_t i = 0; i < message->groups.size(); ++i) {
    const std::string group(message->groups[i]);
    response->groups[i].group_id = group;
    CallCoordinator<GroupDescription>(
        *request, group,
        [group](GroupCoordinator& groups,
                absl::AnyInvocable<void(absl::StatusOr<GroupDescription>) &&> done) {
          std::move(done)(groups.Describe(group));
        },
        [request, response, missing, i](absl::StatusOr<GroupDescription> description) {
          auto& answer = response->groups[i];
          if (description.ok()) {
            Fill(answer, *std::move(description), request->version());
          } else {
            answer.error_code = ToErrorCode(description.status());
          }
          if (--*missing == 0) request->Answer(*response);
        });
  }
}

}  // namespace garam
