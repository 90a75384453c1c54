// SyncGroup: the leader says who reads what, the others wait for it.
#include "proto/kafka/sync_group.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::SyncGroupRequest;
using kafka::SyncGroupResponse;

constexpr int16_t kFirstVersionWithProtocol = 5;

template <class Text>
std::optional<std::string> ToString(const std::optional<Text>& text) {
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

SyncRequest ToSync(const SyncGroupRequest& message) {
  SyncRequest sync;
  sync.member = ToMember(message.member_id, message.group_instance_id);
  sync.generation = message.generation_id;
  sync.protocol_type = ToString(message.protocol_type);
  sync.protocol = ToString(message.protocol_name);
  for (const auto& given : message.assignments) {
    sync.assignments[std::string(given.member_id)] = Bytes::Copy(given.assignment.view());
  }
  return sync;
}

void AnswerWith(Request& request, SyncAnswer answer) {
  SyncGroupResponse response;
  response.error_code = ToErrorCode(answer.status);
  response.protocol_type = std::move(answer.protocol_type);
  response.protocol_name = std::move(answer.protocol);
  response.assignment = std::move(answer.assignment);
  request.Answer(response);
}

}  // namespace

void HandleSyncGroup(RequestPtr request) {
  const auto message = request->Decode<SyncGroupRequest>();
  if (!message.has_value()) return;
  if (request->version() >= kFirstVersionWithProtocol &&
      (!message->protocol_type || !message->protocol_name)) {
    SyncAnswer refused;
    refused.status =
        MakeError(Errc::kInconsistentGroupProtocol, "the request does not say which protocol");
    return AnswerWith(*request, std::move(refused));
  }
  CallCoordinator<SyncAnswer>(
      *request, message->group_id,
      [group = std::string(message->group_id), sync = ToSync(*message)](
          GroupCoordinator& groups,
          absl::AnyInvocable<void(absl::StatusOr<SyncAnswer>) &&> done) mutable {
        groups.Sync(group, std::move(sync), [done = std::move(done)](SyncAnswer answer) mutable {
          std::move(done)(std::move(answer));
        });
      },
      [request](absl::StatusOr<SyncAnswer> answer) {
        if (!answer.ok()) {
          SyncAnswer refused;
          refused.status = answer.status();
          answer = std::move(refused);
        }
        AnswerWith(*request, *std::move(answer));
      });
}

}  // namespace garam
