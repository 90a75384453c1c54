#include "common/status.h"

#include <charconv>

#include "absl/strings/cord.h"

namespace garam {
namespace {

constexpr char kPayloadUrl[] = "garam/errc";

// A table of codes.
absl::StatusCode CodeOf(Errc errc) {
  switch (errc) {
    case Errc::kUnknown:
      return absl::StatusCode::kInternal;
    case Errc::kShuttingDown:
      return absl::StatusCode::kCancelled;
    case Errc::kTimedOut:
      return absl::StatusCode::kDeadlineExceeded;
    case Errc::kUnknownTopic:
    case Errc::kUnknownTopicId:
    case Errc::kFetchSessionNotFound:
    case Errc::kBrokerIdNotRegistered:
    case Errc::kUnknownMemberId:
    case Errc::kGroupNotFound:
      return absl::StatusCode::kNotFound;
    case Errc::kNotLeader:
    case Errc::kLeaderNotReady:
    case Errc::kNoController:
    case Errc::kNotEnoughReplicas:
    case Errc::kNotEnoughReplicasAfterAppend:
    case Errc::kFencedLeaderEpoch:
    case Errc::kUnknownLeaderEpoch:
    case Errc::kCoordinatorNotAvailable:
    case Errc::kNotCoordinator:
    case Errc::kCoordinatorLoading:
      return absl::StatusCode::kUnavailable;
    case Errc::kMemberIdRequired:
    case Errc::kFencedInstanceId:
    case Errc::kIllegalGeneration:
    case Errc::kRebalanceInProgress:
    case Errc::kGroupNotEmpty:
    case Errc::kGroupSubscribed:
    case Errc::kFencedMemberEpoch:
    case Errc::kStaleMemberEpoch:
    case Errc::kUnreleasedInstanceId:
      return absl::StatusCode::kFailedPrecondition;
    case Errc::kOffsetOutOfRange:
      return absl::StatusCode::kOutOfRange;
    case Errc::kStorage:
    case Errc::kCorruptRecord:
      return absl::StatusCode::kDataLoss;
    case Errc::kThrottled:
    case Errc::kGroupFull:
      return absl::StatusCode::kResourceExhausted;
    case Errc::kTopicExists:
      return absl::StatusCode::kAlreadyExists;
    case Errc::kUnsupportedVersion:
    case Errc::kUnsupportedCompression:
      return absl::StatusCode::kUnimplemented;
    case Errc::kReplicaNotAllowed:
      return absl::StatusCode::kPermissionDenied;
    case Errc::kInconsistentTopicId:
    case Errc::kInvalidRecord:
    case Errc::kInvalidTimestamp:
    case Errc::kRecordTooLarge:
    case Errc::kBatchOverSegment:
    case Errc::kInvalidAcks:
    case Errc::kInvalidRequest:
    case Errc::kInvalidTopicName:
    case Errc::kTopicDeletionDisabled:
    case Errc::kInvalidPartitions:
    case Errc::kInvalidReplicationFactor:
    case Errc::kInvalidReplicaAssignment:
    case Errc::kNoReassignment:
    case Errc::kPolicyViolation:
    case Errc::kInvalidConfig:
    case Errc::kInconsistentClusterId:
    case Errc::kInvalidFetchSessionEpoch:
    case Errc::kInvalidGroupId:
    case Errc::kInvalidSessionTimeout:
    case Errc::kInconsistentGroupProtocol:
    case Errc::kOffsetMetadataTooLarge:
    case Errc::kUnsupportedAssignor:
    case Errc::kInvalidRegex:
    case Errc::kOutOfOrderSequence:
    case Errc::kInvalidProducerEpoch:
    case Errc::kInvalidUpdateVersion:
      return absl::StatusCode::kInvalidArgument;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::Status MakeError(Errc errc, std::string_view message) {
  return MakeError(errc, CodeOf(errc), message);
}

absl::Status MakeError(Errc errc, absl::StatusCode code, std::string_view message) {
  absl::Status status(code, absl::string_view(message.data(), message.size()));
  status.SetPayload(kPayloadUrl, absl::Cord(std::to_string(static_cast<int>(errc))));
  return status;
}

Errc ErrcOf(const absl::Status& status) {
  auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return Errc::kUnknown;
  std::string text(*payload);
  int code = 0;
  std::from_chars(text.data(), text.data() + text.size(), code);
  return static_cast<Errc>(code);
}

// A table of codes.
std::string_view ErrcName(Errc errc) {
  switch (errc) {
#define GARAM_ERRC_NAME(name) \
  case Errc::k##name:         \
    return #name
    GARAM_ERRC_NAME(Unknown);
    GARAM_ERRC_NAME(ShuttingDown);
    GARAM_ERRC_NAME(TimedOut);
    GARAM_ERRC_NAME(UnknownTopic);
    GARAM_ERRC_NAME(UnknownTopicId);
    GARAM_ERRC_NAME(InconsistentTopicId);
    GARAM_ERRC_NAME(NotLeader);
    GARAM_ERRC_NAME(LeaderNotReady);
    GARAM_ERRC_NAME(FencedLeaderEpoch);
    GARAM_ERRC_NAME(UnknownLeaderEpoch);
    GARAM_ERRC_NAME(OffsetOutOfRange);
    GARAM_ERRC_NAME(NotEnoughReplicas);
    GARAM_ERRC_NAME(NotEnoughReplicasAfterAppend);
    GARAM_ERRC_NAME(Storage);
    GARAM_ERRC_NAME(CorruptRecord);
    GARAM_ERRC_NAME(InvalidRecord);
    GARAM_ERRC_NAME(InvalidTimestamp);
    GARAM_ERRC_NAME(RecordTooLarge);
    GARAM_ERRC_NAME(BatchOverSegment);
    GARAM_ERRC_NAME(UnsupportedCompression);
    GARAM_ERRC_NAME(UnsupportedVersion);
    GARAM_ERRC_NAME(InvalidAcks);
    GARAM_ERRC_NAME(InvalidRequest);
    GARAM_ERRC_NAME(InvalidTopicName);
    GARAM_ERRC_NAME(TopicExists);
    GARAM_ERRC_NAME(TopicDeletionDisabled);
    GARAM_ERRC_NAME(InvalidPartitions);
    GARAM_ERRC_NAME(InvalidReplicationFactor);
    GARAM_ERRC_NAME(InvalidReplicaAssignment);
    GARAM_ERRC_NAME(NoReassignment);
    GARAM_ERRC_NAME(PolicyViolation);
    GARAM_ERRC_NAME(InvalidConfig);
    GARAM_ERRC_NAME(NoController);
    GARAM_ERRC_NAME(BrokerIdNotRegistered);
    GARAM_ERRC_NAME(InconsistentClusterId);
    GARAM_ERRC_NAME(FetchSessionNotFound);
    GARAM_ERRC_NAME(InvalidFetchSessionEpoch);
    GARAM_ERRC_NAME(ReplicaNotAllowed);
    GARAM_ERRC_NAME(CoordinatorNotAvailable);
    GARAM_ERRC_NAME(NotCoordinator);
    GARAM_ERRC_NAME(CoordinatorLoading);
    GARAM_ERRC_NAME(InvalidGroupId);
    GARAM_ERRC_NAME(InvalidSessionTimeout);
    GARAM_ERRC_NAME(UnknownMemberId);
    GARAM_ERRC_NAME(MemberIdRequired);
    GARAM_ERRC_NAME(FencedInstanceId);
    GARAM_ERRC_NAME(IllegalGeneration);
    GARAM_ERRC_NAME(RebalanceInProgress);
    GARAM_ERRC_NAME(InconsistentGroupProtocol);
    GARAM_ERRC_NAME(GroupFull);
    GARAM_ERRC_NAME(GroupNotFound);
    GARAM_ERRC_NAME(GroupNotEmpty);
    GARAM_ERRC_NAME(GroupSubscribed);
    GARAM_ERRC_NAME(OffsetMetadataTooLarge);
    GARAM_ERRC_NAME(OutOfOrderSequence);
    GARAM_ERRC_NAME(InvalidProducerEpoch);
    GARAM_ERRC_NAME(FencedMemberEpoch);
    GARAM_ERRC_NAME(StaleMemberEpoch);
    GARAM_ERRC_NAME(UnreleasedInstanceId);
    GARAM_ERRC_NAME(UnsupportedAssignor);
    GARAM_ERRC_NAME(InvalidRegex);
    GARAM_ERRC_NAME(Throttled);
    GARAM_ERRC_NAME(InvalidUpdateVersion);
#undef GARAM_ERRC_NAME
  }
  return "Unknown";
}

}  // namespace garam
