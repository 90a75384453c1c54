#include "broker/control/status_map.h"

#include <map>
#include <string>

#include "common/status.h"

namespace garam {
namespace {

// A table of codes.
grpc::StatusCode CodeOf(Errc errc) {
  switch (errc) {
    case Errc::kUnknown:
      return grpc::StatusCode::INTERNAL;
    case Errc::kShuttingDown:
      return grpc::StatusCode::CANCELLED;
    case Errc::kTimedOut:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case Errc::kUnknownTopic:
    case Errc::kUnknownTopicId:
    case Errc::kFetchSessionNotFound:
    case Errc::kBrokerIdNotRegistered:
    case Errc::kUnknownMemberId:
    case Errc::kGroupNotFound:
      return grpc::StatusCode::NOT_FOUND;
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
      return grpc::StatusCode::UNAVAILABLE;
    case Errc::kOffsetOutOfRange:
      return grpc::StatusCode::OUT_OF_RANGE;
    case Errc::kStorage:
    case Errc::kCorruptRecord:
      return grpc::StatusCode::DATA_LOSS;
    case Errc::kThrottled:
    case Errc::kGroupFull:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Errc::kTopicExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Errc::kUnsupportedVersion:
    case Errc::kUnsupportedCompression:
      return grpc::StatusCode::UNIMPLEMENTED;
    case Errc::kReplicaNotAllowed:
      return grpc::StatusCode::PERMISSION_DENIED;
    case Errc::kInconsistentClusterId:
    case Errc::kMemberIdRequired:
    case Errc::kFencedInstanceId:
    case Errc::kIllegalGeneration:
    case Errc::kRebalanceInProgress:
    case Errc::kGroupNotEmpty:
    case Errc::kGroupSubscribed:
    case Errc::kFencedMemberEpoch:
    case Errc::kStaleMemberEpoch:
    case Errc::kUnreleasedInstanceId:
      return grpc::StatusCode::FAILED_PRECONDITION;
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
      return grpc::StatusCode::INVALID_ARGUMENT;
  }
  return grpc::StatusCode::INTERNAL;
}

// Every enumerator by its name. The numbers may differ between versions, the names do not.
const std::map<std::string, Errc>& ByName() {
  static const auto* const names = [] {
    auto* made = new std::map<std::string, Errc>();
    for (int number = 0; number < 256; ++number) {
      const Errc errc = static_cast<Errc>(number);
      made->emplace(std::string(ErrcName(errc)), errc);  // The first of a name is the real one.
    }
    return made;
  }();
  return *names;
}

Errc ErrcOfGrpc(const grpc::Status& status) {
  auto named = ByName().find(status.error_details());
  if (named != ByName().end()) return named->second;
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return Errc::kTimedOut;
  if (status.error_code() == grpc::StatusCode::CANCELLED) return Errc::kShuttingDown;
  return Errc::kUnknown;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const Errc errc = ErrcOf(status);
  return grpc::Status(CodeOf(errc), std::string(status.message()), std::string(ErrcName(errc)));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const Errc errc = ErrcOfGrpc(status);
  if (errc != Errc::kUnknown) return MakeError(errc, status.error_message());
  // Both number the codes alike.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace garam
