// What brokers ask of the controller, and its answers, as they travel (proto/controller.proto).
//
// A reply carries the index in group 0's log that a broker must have applied before it may act on
// the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/uuid.h"
#include "coordinator/client_quotas.h"
#include "coordinator/config_change.h"
#include "coordinator/controller.h"
#include "coordinator/features.h"
#include "coordinator/metadata_image.h"
#include "coordinator/new_partitions.h"
#include "coordinator/quorum_watch.h"
#include "coordinator/reassignment.h"

namespace garam {

struct CreateTopicsRequest {
  std::vector<TopicSpec> topics{};
  bool validate_only = false;
};
struct DeleteTopicsRequest {
  std::vector<TopicId> topics{};
};
struct RegisterBrokerRequest {
  std::string cluster_id{};
  BrokerImage broker{};
};
struct MoveReplicasRequest {
  std::vector<MoveSpec> moves{};
};
// From the leader of a group that is being moved: what `wish` wanted is so.
struct MembersReachedRequest {
  GroupId group{};
  LogIndex wish{};
};
struct UnregisterBrokerRequest {
  NodeId node{};
};
struct AlterConfigsRequest {
  std::vector<ConfigChange> changes{};
  bool validate_only = false;
};
struct CreatePartitionsRequest {
  std::vector<MorePartitionsSpec> topics{};
  bool validate_only = false;
};
// A block of producer ids for one broker.
struct AllocateProducerIdsRequest {
  uint32_t count = 0;
};
struct AlterQuotasRequest {
  std::vector<QuotaChange> changes{};
  bool validate_only = false;
};
struct UpdateFeaturesRequest {
  std::vector<FeatureUpdate> updates{};
  bool validate_only = false;
};
struct DescribeQuorumRequest {};
using ControllerRequest =
    std::variant<CreateTopicsRequest, DeleteTopicsRequest, RegisterBrokerRequest,
                 MoveReplicasRequest, MembersReachedRequest, UnregisterBrokerRequest,
                 AlterConfigsRequest, CreatePartitionsRequest, AllocateProducerIdsRequest,
                 AlterQuotasRequest, UpdateFeaturesRequest, DescribeQuorumRequest>;

// An answer to one of the requests above; `topics` or `statuses` has one item for each asked.
struct CreateTopicsReply {
  LogIndex index{};
  std::vector<absl::StatusOr<CreatedTopic>> topics{};
};
struct DeleteTopicsReply {
  LogIndex index{};
  std::vector<absl::Status> statuses{};
};
struct RegisterBrokerReply {
  LogIndex index{};
};
struct MoveReplicasReply {
  LogIndex index{};
  std::vector<absl::Status> statuses{};
};
struct MembersReachedReply {
  LogIndex index{};
};
struct UnregisterBrokerReply {
  LogIndex index{};
};
struct AlterConfigsReply {
  LogIndex index{};
  std::vector<absl::Status> statuses{};
};
struct CreatePartitionsReply {
  LogIndex index{};
  std::vector<absl::Status> statuses{};
};
struct AllocateProducerIdsReply {
  LogIndex index{};
  int64_t first = -1;  // Of the block.
};
struct AlterQuotasReply {
  LogIndex index{};
  std::vector<absl::Status> statuses{};
};
struct UpdateFeaturesReply {
  LogIndex index{};
};
struct DescribeQuorumReply {
  LogIndex index{};
  QuorumState quorum{};
};
using ControllerReply =
    std::variant<CreateTopicsReply, DeleteTopicsReply, RegisterBrokerReply, MoveReplicasReply,
                 MembersReachedReply, UnregisterBrokerReply, AlterConfigsReply,
                 CreatePartitionsReply, AllocateProducerIdsReply, AlterQuotasReply,
                 UpdateFeaturesReply, DescribeQuorumReply>;

std::string EncodeControllerRequest(const ControllerRequest& request);
// kInvalidRequest when damaged, kUnsupportedVersion when of a newer format.
absl::StatusOr<ControllerRequest> DecodeControllerRequest(std::string_view bytes);

// A reply, or why the whole request failed (kNoController when the asked broker does not lead
// group 0: the caller looks for the controller again).
std::string EncodeControllerReply(const absl::StatusOr<ControllerReply>& reply);
absl::StatusOr<ControllerReply> DecodeControllerReply(std::string_view bytes);

}  // namespace garam
