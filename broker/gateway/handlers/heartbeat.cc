// Heartbeat of a member of a classic group.
#include "proto/kafka/heartbeat.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {

void HandleHeartbeat(RequestPtr request) {
  const auto message = request->Decode<kafka::HeartbeatRequest>();
  if (!message.has_value()) return;
  MemberName member = ToMember(message->member_id, message->group_instance_id);
  CallCoordinator<Nothing>(
      *request, message->group_id,
      [group = std::string(message->group_id), member = std::move(member),
       generation = message->generation_id](
          GroupCoordinator& groups, absl::AnyInvocable<void(absl::StatusOr<Nothing>) &&> done) {
        std::move(done)(ToNothing(groups.Heartbeat(group, member, generation)));
      },
      [request](const absl::StatusOr<Nothing>& result) {
        kafka::HeartbeatResponse response;
        response.error_code = ToErrorCode(result.status());
        request->Answer(response);
      });
}

}  // namespace garam
