#include "broker/gateway/error_map.h"

namespace garam {

using kafka::ErrorCode;

// A table of codes.
ErrorCode ToErrorCode(Errc errc) {
  switch (errc) {
    case Errc::kUnknown:
      return ErrorCode::kUnknownServerError;
    case Errc::kShuttingDown:
      return ErrorCode::kNotLeaderOrFollower;  // Retriable, and the client asks who leads now.
    case Errc::kTimedOut:
      return ErrorCode::kRequestTimedOut;
    case Errc::kUnknownTopic:
      return ErrorCode::kUnknownTopicOrPartition;
    case Errc::kUnknownTopicId:
      return ErrorCode::kUnknownTopicId;
    case Errc::kInconsistentTopicId:
      return ErrorCode::kInconsistentTopicId;
    case Errc::kNotLeader:
      return ErrorCode::kNotLeaderOrFollower;
    case Errc::kLeaderNotReady:
      return ErrorCode::kLeaderNotAvailable;
    case Errc::kFencedLeaderEpoch:
      return ErrorCode::kFencedLeaderEpoch;
    case Errc::kUnknownLeaderEpoch:
      return ErrorCode::kUnknownLeaderEpoch;
    case Errc::kOffsetOutOfRange:
      return ErrorCode::kOffsetOutOfRange;
    case Errc::kNotEnoughReplicas:
      return ErrorCode::kNotEnoughReplicas;
    case Errc::kNotEnoughReplicasAfterAppend:
      return ErrorCode::kNotEnoughReplicasAfterAppend;
    case Errc::kStorage:
      return ErrorCode::kKafkaStorageError;
    case Errc::kCorruptRecord:
      return ErrorCode::kCorruptMessage;
    case Errc::kInvalidRecord:
      return ErrorCode::kInvalidRecord;
    case Errc::kInvalidTimestamp:
      return ErrorCode::kInvalidTimestamp;
    case Errc::kRecordTooLarge:
      return ErrorCode::kMessageTooLarge;
    case Errc::kBatchOverSegment:
      return ErrorCode::kRecordListTooLarge;
    case Errc::kUnsupportedCompression:
      return ErrorCode::kUnsupportedCompressionType;
    case Errc::kUnsupportedVersion:
      return ErrorCode::kUnsupportedVersion;
    case Errc::kInvalidAcks:
      return ErrorCode::kInvalidRequiredAcks;
    case Errc::kInvalidRequest:
      return ErrorCode::kInvalidRequest;
    case Errc::kInvalidTopicName:
      return ErrorCode::kInvalidTopicException;
    case Errc::kTopicExists:
      return ErrorCode::kTopicAlreadyExists;
    case Errc::kTopicDeletionDisabled:
      return ErrorCode::kTopicDeletionDisabled;
    case Errc::kInvalidPartitions:
      return ErrorCode::kInvalidPartitions;
    case Errc::kInvalidReplicationFactor:
      return ErrorCode::kInvalidReplicationFactor;
    case Errc::kInvalidReplicaAssignment:
      return ErrorCode::kInvalidReplicaAssignment;
    case Errc::kPolicyViolation:
      return ErrorCode::kPolicyViolation;
    case Errc::kNoReassignment:
      return ErrorCode::kNoReassignmentInProgress;
    case Errc::kInvalidConfig:
      return ErrorCode::kInvalidConfig;
    case Errc::kNoController:
      return ErrorCode::kRequestTimedOut;  // The client never sees NOT_CONTROLLER; it tries again.
    case Errc::kBrokerIdNotRegistered:
      return ErrorCode::kBrokerIdNotRegistered;
    case Errc::kInconsistentClusterId:
      return ErrorCode::kInconsistentClusterId;
    case Errc::kFetchSessionNotFound:
      return ErrorCode::kFetchSessionIdNotFound;
    case Errc::kInvalidFetchSessionEpoch:
      return ErrorCode::kInvalidFetchSessionEpoch;
    case Errc::kReplicaNotAllowed:
      return ErrorCode::kClusterAuthorizationFailed;
    case Errc::kCoordinatorNotAvailable:
      return ErrorCode::kCoordinatorNotAvailable;
    case Errc::kNotCoordinator:
      return ErrorCode::kNotCoordinator;
    case Errc::kCoordinatorLoading:
      return ErrorCode::kCoordinatorLoadInProgress;
    case Errc::kInvalidGroupId:
      return ErrorCode::kInvalidGroupId;
    case Errc::kInvalidSessionTimeout:
      return ErrorCode::kInvalidSessionTimeout;
    case Errc::kUnknownMemberId:
      return ErrorCode::kUnknownMemberId;
    case Errc::kMemberIdRequired:
      return ErrorCode::kMemberIdRequired;
    case Errc::kFencedInstanceId:
      return ErrorCode::kFencedInstanceId;
    case Errc::kIllegalGeneration:
      return ErrorCode::kIllegalGeneration;
    case Errc::kRebalanceInProgress:
      return ErrorCode::kRebalanceInProgress;
    case Errc::kInconsistentGroupProtocol:
      return ErrorCode::kInconsistentGroupProtocol;
    case Errc::kGroupFull:
      return ErrorCode::kGroupMaxSizeReached;
    case Errc::kGroupNotFound:
      return ErrorCode::kGroupIdNotFound;
    case Errc::kGroupNotEmpty:
      return ErrorCode::kNonEmptyGroup;
    case Errc::kGroupSubscribed:
      return ErrorCode::kGroupSubscribedToTopic;
    case Errc::kOffsetMetadataTooLarge:
      return ErrorCode::kOffsetMetadataTooLarge;
    case Errc::kOutOfOrderSequence:
      return ErrorCode::kOutOfOrderSequenceNumber;
    case Errc::kInvalidProducerEpoch:
      return ErrorCode::kInvalidProducerEpoch;
    case Errc::kFencedMemberEpoch:
      return ErrorCode::kFencedMemberEpoch;
    case Errc::kStaleMemberEpoch:
      return ErrorCode::kStaleMemberEpoch;
    case Errc::kUnreleasedInstanceId:
      return ErrorCode::kUnreleasedInstanceId;
    case Errc::kUnsupportedAssignor:
      return ErrorCode::kUnsupportedAssignor;
    case Errc::kInvalidRegex:
      return ErrorCode::kInvalidRegularExpression;
    case Errc::kThrottled:
      return ErrorCode::kThrottlingQuotaExceeded;
    case Errc::kInvalidUpdateVersion:
      return ErrorCode::kInvalidUpdateVersion;
  }
  return ErrorCode::kUnknownServerError;  // Not one of the enumerators.
}

ErrorCode ToErrorCode(const absl::Status& status) {
  return status.ok() ? ErrorCode::kNone : ToErrorCode(ErrcOf(status));
}

}  // namespace garam
