// LeaveGroup: one member, or from version 3 on several, which an administrator may have named.
#include "proto/kafka/leave_group.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::LeaveGroupRequest;
using kafka::LeaveGroupResponse;
using Statuses = std::vector<absl::Status>;

constexpr int16_t kFirstVersionWithMembers = 3;

std::vector<MemberName> ToMembers(const LeaveGroupRequest& message, int16_t version) {
  if (version < kFirstVersionWithMembers) {
    return {ToMember(message.member_id, std::nullopt)};
  }
  std::vector<MemberName> members;
  for (const auto& member : message.members) {
    members.push_back(ToMember(member.member_id, member.group_instance_id));
  }
  return members;
}

}  // namespace

void HandleLeaveGroup(RequestPtr request) {
  const auto message = request->Decode<LeaveGroupRequest>();
  if (!message.has_value()) return;
  std::vector<MemberName> members = ToMembers(*message, request->version());
  CallCoordinator<Statuses>(
      *request, message->group_id,
      [group = std::string(message->group_id), members](
          GroupCoordinator& groups, absl::AnyInvocable<void(absl::StatusOr<Statuses>) &&> done) {
        std::move(done)(groups.Leave(group, members));
      },
      [request, members](const absl::StatusOr<Statuses>& statuses) {
        LeaveGroupResponse response;
        response.error_code = ToErrorCode(statuses.status());
        const bool alone = request->version() < kFirstVersionWithMembers;
        if (statuses.ok() && alone) response.error_code = ToErrorCode(statuses->front());
        for (size_t i = 0; statuses.ok() && !alone && i < members.size(); ++i) {
          response.members.push_back(
              {members[i].id, members[i].instance_id, ToErrorCode((*statuses)[i])});
        }
        request->Answer(response);
      });
}

}  // namespace garam
