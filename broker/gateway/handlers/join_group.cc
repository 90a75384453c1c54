// JoinGroup: answered when everybody has joined.
#include "proto/kafka/join_group.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::JoinGroupRequest;
using kafka::JoinGroupResponse;

constexpr int16_t kFirstVersionWithRebalanceTimeout = 1;
constexpr int16_t kFirstVersionThatLearnsItsIdFirst = 4;
constexpr int16_t kFirstVersionWithNoProtocol = 7;
constexpr int16_t kFirstVersionThatSkipsAssignment = 9;

JoinRequest ToJoin(const Request& request, const JoinGroupRequest& message) {
  JoinRequest join;
  join.member = ToMember(message.member_id, message.group_instance_id);
  join.client_id = request.client_id();
  join.client_host = request.client_host();
  join.session_timeout = Millis(message.session_timeout_ms);
  join.rebalance_timeout = request.version() < kFirstVersionWithRebalanceTimeout
                               ? join.session_timeout
                               : Duration(Millis(message.rebalance_timeout_ms));
  join.protocol_type = message.protocol_type;
  for (const auto& protocol : message.protocols) {
    // The frame is larger, and would be kept with it.
    join.protocols.push_back({std::string(protocol.name), Bytes::Copy(protocol.metadata.view())});
  }
  join.needs_known_id = request.version() >= kFirstVersionThatLearnsItsIdFirst &&
                        !join.member.instance_id.has_value();
  join.may_skip_assignment = request.version() >= kFirstVersionThatSkipsAssignment;
  return join;
}

JoinGroupResponse ToResponse(JoinAnswer answer, int16_t version) {
  JoinGroupResponse response;
  response.error_code = ToErrorCode(answer.status);
  response.generation_id = answer.generation;
  response.protocol_type = std::move(answer.protocol_type);
  response.protocol_name = std::move(answer.protocol);
  if (!response.protocol_name && version < kFirstVersionWithNoProtocol) response.protocol_name = "";
  response.leader = std::move(answer.leader);
  response.skip_assignment = answer.skip_assignment;
  response.member_id = std::move(answer.member_id);
  for (JoinedMember& member : answer.members) {
    response.members.push_back(
        {std::move(member.id), std::move(member.instance_id), std::move(member.metadata)});
  }
  return response;
}

}  // namespace

void HandleJoinGroup(RequestPtr request) {
  const auto message = request->Decode<JoinGroupRequest>();
  if (!message.has_value()) return;
  CallCoordinator<JoinAnswer>(
      *request, message->group_id,
      [group = std::string(message->group_id), join = ToJoin(*request, *message)](
          GroupCoordinator& groups,
          absl::AnyInvocable<void(absl::StatusOr<JoinAnswer>) &&> done) mutable {
        groups.Join(group, std::move(join), [done = std::move(done)](JoinAnswer answer) mutable {
          std::move(done)(std::move(answer));
        });
      },
      [request, member = std::string(message->member_id)](absl::StatusOr<JoinAnswer> answer) {
        if (!answer.ok()) {
          JoinAnswer refused;
          refused.status = answer.status();
          refused.member_id = member;
          answer = std::move(refused);
        }
        request->Answer(ToResponse(*std::move(answer), request->version()));
      });
}

}  // namespace garam
