// The one error type: absl::Status, with our own code as its payload. Protocol codes appear only at
// the doors, which switch over Errc without `default`.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace garam {

// What went wrong, in the broker's own terms. One enumerator for each thing a door tells apart.
enum class Errc : int {
  kUnknown = 0,                   // A Status without our payload: an internal error.
  kShuttingDown,                  // Stop() was called while the caller waited.
  kTimedOut,                      // The caller's deadline passed; the work may still complete.
  kUnknownTopic,                  // No such topic or partition in this broker's image.
  kUnknownTopicId,                // No topic with that id.
  kInconsistentTopicId,           // The id does not belong to that topic in this fetch session.
  kNotLeader,                     // This broker does not lead the partition.
  kLeaderNotReady,                // Leads, but its first entry has not committed yet.
  kFencedLeaderEpoch,             // The caller's leader epoch is older than ours.
  kUnknownLeaderEpoch,            // The caller's leader epoch is newer than ours.
  kOffsetOutOfRange,              // Below the log start or above the log end.
  kNotEnoughReplicas,             // ISR below min.insync.replicas before the append.
  kNotEnoughReplicasAfterAppend,  // … and after it.
  kStorage,                       // The log failed or the disk is full.
  kCorruptRecord,                 // CRC or compression does not check out.
  kInvalidRecord,                 // A well-formed batch that breaks a rule.
  kInvalidTimestamp,              // Outside message.timestamp.before/after.max.ms.
  kRecordTooLarge,                // Over max.message.bytes.
  kBatchOverSegment,              // Over segment.bytes.
  kUnsupportedCompression,        // A codec the request's version may not carry.
  kUnsupportedVersion,            // The request asks for what its version does not have.
  kInvalidAcks,                   // acks is none of -1, 0, 1.
  kInvalidRequest,                // The request contradicts itself.
  kInvalidTopicName,              // Not a legal topic name, or it collides with one.
  kTopicExists,                   // CreateTopics of a name that is taken.
  kTopicDeletionDisabled,         // delete.topic.enable=false.
  kInvalidPartitions,             // Partition count below 1, or over the limit.
  kInvalidReplicationFactor,      // Below 1 or more than there are brokers.
  kInvalidReplicaAssignment,      // Manual assignment does not add up.
  kNoReassignment,                // Nothing is being moved that could be cancelled.
  kInvalidConfig,                 // A config key or value is not acceptable.
  kPolicyViolation,               // The topic's settings do not allow it.
  kNoController,                  // No controller leads now: try again.
  kBrokerIdNotRegistered,         // The command names a broker the cluster does not know.
  kInconsistentClusterId,         // The peer or folder belongs to another cluster.
  kFetchSessionNotFound,          // No such fetch session here.
  kInvalidFetchSessionEpoch,      // Session epoch out of order.
  kReplicaNotAllowed,             // A client pretends to be a replica.
  kCoordinatorNotAvailable,       // The group's coordinator does not stand yet: try again.
  kNotCoordinator,                // Another broker coordinates the group.
  kCoordinatorLoading,            // The coordinator cannot answer for the group just now.
  kInvalidGroupId,                // Not a group id.
  kInvalidSessionTimeout,         // Outside group.min/max.session.timeout.ms.
  kUnknownMemberId,               // The group has no such member.
  kMemberIdRequired,              // Join again with the member id that came with this.
  kFencedInstanceId,              // Another member has this group.instance.id now.
  kIllegalGeneration,             // Of a generation that is over.
  kRebalanceInProgress,           // The group rebalances: join again.
  kInconsistentGroupProtocol,     // No protocol in common with the other members.
  kGroupFull,                     // group.max.size members are there.
  kGroupNotFound,                 // There is no such group.
  kGroupNotEmpty,                 // The group has members.
  kGroupSubscribed,               // A member of the group reads the topic.
  kOffsetMetadataTooLarge,        // Over offset.metadata.max.bytes.
  kOutOfOrderSequence,            // An idempotent producer's batch is not the next one.
  kInvalidProducerEpoch,          // A newer instance of the producer has written since.
  kFencedMemberEpoch,             // The member epoch is not the one that the coordinator knows.
  kStaleMemberEpoch,              // The member has not taken its new epoch yet.
  kUnreleasedInstanceId,          // Another member has this group.instance.id still.
  kUnsupportedAssignor,           // No such server-side assignor.
  kInvalidRegex,                  // Not a regular expression.
  kThrottled,                     // Out of a bounded resource: try again.
  kInvalidUpdateVersion,          // A feature cannot have that level, or not from where it is.
};

// A Status whose code follows `errc` and whose payload carries it. `message` is for a person: one
// sentence that says what to do.
absl::Status MakeError(Errc errc, std::string_view message);

// The same under another canonical code, for an error that its own room tells apart further.
absl::Status MakeError(Errc errc, absl::StatusCode code, std::string_view message);

// The payload; kUnknown for an error that has none. `status` must not be ok.
Errc ErrcOf(const absl::Status& status);

// The enumerator's name without the k, for logs and metrics.
std::string_view ErrcName(Errc errc);

}  // namespace garam

#define GARAM_CONCAT_INNER(a, b) a##b
#define GARAM_CONCAT(a, b) GARAM_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` is an error.
#define RETURN_IF_ERROR(expression)                                                        \
  do {                                                                                     \
    if (absl::Status garam_status = (expression); !garam_status.ok()) return garam_status; \
  } while (false)

// `target = *expression`, or returns its error. `target` may declare a variable.
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(GARAM_CONCAT(garam_result_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return std::move(result).status();     \
  target = *std::move(result)
