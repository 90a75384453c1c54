// DeleteGroups: empty ones, with their offsets.
#include "proto/kafka/delete_groups.h"

#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {

void HandleDeleteGroups(RequestPtr request) {
  const auto message = request->Decode<kafka::DeleteGroupsRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<kafka::DeleteGroupsResponse>();
  response->results.resize(message->groups_names.size());
  auto missing = std::make_shared<size_t>(message->groups_names.size());
  if (*missing == 0) return request->Answer(*response);
  for (size_t i = 0; i < message->groups_names.size(); ++i) {
    const std::string group(message->groups_names[i]);
    response->results[i].group_id = group;
    CallCoordinator<Nothing>(
        *request, group,
        [group](GroupCoordinator& groups,
                absl::AnyInvocable<void(absl::StatusOr<Nothing>) &&> done) {
          groups.DeleteGroup(group, [done = std::move(done)](const absl::Status& status) mutable {
            std::move(done)(ToNothing(status));
          });
        },
        [request, response, missing, i](const absl::StatusOr<Nothing>& result) {
          response->results[i].error_code = ToErrorCode(result.status());
          if (--*missing == 0) request->Answer(*response);
        });
  }
}

}  // namespace garam
