// What members of groups are told, in the words that every part of the coordinator uses.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam {

inline absl::Status NotCoordinator() {
  return MakeError(Errc::kNotCoordinator, "another broker coordinates this group: look it up anew");
}

inline absl::Status NoSuchGroup(const std::string& group) {
  return MakeError(Errc::kGroupNotFound, absl::StrCat("Group ", group, " not found."));
}

inline absl::Status Reading() {
  return MakeError(Errc::kCoordinatorLoading, "the group is being read again: try again");
}

inline absl::Status UnknownMember() {
  return MakeError(Errc::kUnknownMemberId, "the group has no such member: join anew");
}

inline absl::Status GenerationIsOver() {
  return MakeError(Errc::kIllegalGeneration, "the generation is over: join again");
}

inline absl::Status Rebalancing() {
  return MakeError(Errc::kRebalanceInProgress, "the group rebalances: join again");
}

inline absl::Status ProtocolDiffers() {
  return MakeError(Errc::kInconsistentGroupProtocol,
                   "the group's members and this one have no protocol in common");
}

inline absl::Status InstanceFenced() {
  return MakeError(Errc::kFencedInstanceId,
                   "another member has joined with this group.instance.id");
}

inline absl::Status EpochFenced() {
  return MakeError(
      Errc::kFencedMemberEpoch,
      "the member is not in this epoch: it must abandon all its partitions and rejoin");
}

inline absl::Status EpochIsStale() {
  return MakeError(Errc::kStaleMemberEpoch,
                   "the member is in another epoch by now: heartbeat, then try again");
}

inline absl::Status InstanceUnreleased() {
  return MakeError(Errc::kUnreleasedInstanceId,
                   "another member of the group has this group.instance.id, and has not left");
}

inline absl::Status GroupHasMembers() {
  return MakeError(Errc::kGroupNotEmpty, "the group has members: stop its consumers first");
}

}  // namespace garam
