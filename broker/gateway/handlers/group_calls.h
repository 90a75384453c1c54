// Calls to the coordinator of a group, where it is on this broker, with the answer back on the
// request's shard.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "broker/gateway/request.h"
#include "common/status.h"
#include "coordinator/groups/group_coordinator.h"
#include "coordinator/groups/group_partition.h"

namespace garam {

// What comes back from a call that is done, or not.
using Nothing = std::monostate;

// `status` as the answer of such a call.
inline absl::StatusOr<Nothing> ToNothing(const absl::Status& status) {
  return status.ok() ? absl::StatusOr<Nothing>(Nothing()) : absl::StatusOr<Nothing>(status);
}

// Who a request says that it comes from.
inline MemberName ToMember(std::string_view id, std::optional<std::string_view> instance_id) {
  MemberName member{std::string(id), std::nullopt};
  if (instance_id) member.instance_id = std::string(*instance_id);
  return member;
}

// The partition of __consumer_offsets that coordinates `group`. kCoordinatorNotAvailable before
// there are any, kNotCoordinator when it is not here.
absl::StatusOr<std::shared_ptr<Partition>> FindCoordinatorHere(Broker& broker,
                                                               std::string_view group);

// Runs `call(coordinator, done)` on the shard of `partition`, one of __consumer_offsets; `done`
// runs on the request's, with an absl::StatusOr<T>.
template <class T, class Call, class Done>
void CallCoordinatorOf(Request& request, std::shared_ptr<Partition> partition, Call call,
                       Done done) {
  using Result = absl::StatusOr<T>;
  CallPartition<Result>(
      request.services(), std::move(partition),
      [call = std::move(call)](Partition& at, absl::AnyInvocable<void(Result) &&> answer) mutable {
        const bool here =
            at.WithGroups([&](GroupCoordinator& groups) { call(groups, std::move(answer)); });
        if (!here) {
          std::move(answer)(
              MakeError(Errc::kNotCoordinator, "this broker coordinates no groups there"));
        }
      },
      std::move(done));
}

// The same for the coordinator of `group`; kNotCoordinator when it is another broker.
template <class T, class Call, class Done>
void CallCoordinator(Request& request, std::string_view group, Call call, Done done) {
  absl::StatusOr<std::shared_ptr<Partition>> partition =
      FindCoordinatorHere(request.broker(), group);
  if (!partition.ok()) return done(absl::StatusOr<T>(partition.status()));
  CallCoordinatorOf<T>(request, *std::move(partition), std::move(call), std::move(done));
}

}  // namespace garam
