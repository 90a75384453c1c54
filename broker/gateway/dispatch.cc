#include "broker/gateway/dispatch.h"

#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::ApiKey;

constexpr ApiRow kRows[] = {
    {ApiKey::kProduce, HandleProduce, /*overlaps=*/true},
    {ApiKey::kFetch, HandleFetch},
    {ApiKey::kListOffsets, HandleListOffsets},
    {ApiKey::kMetadata, HandleMetadata},
    {ApiKey::kOffsetCommit, HandleOffsetCommit},
    {ApiKey::kOffsetFetch, HandleOffsetFetch},
    {ApiKey::kFindCoordinator, HandleFindCoordinator},
    {ApiKey::kJoinGroup, HandleJoinGroup},
    {ApiKey::kHeartbeat, HandleHeartbeat},
    {ApiKey::kLeaveGroup, HandleLeaveGroup},
    {ApiKey::kSyncGroup, HandleSyncGroup},
    {ApiKey::kDescribeGroups, HandleDescribeGroups},
    {ApiKey::kListGroups, HandleListGroups},
    {ApiKey::kApiVersions, HandleApiVersions},
    {ApiKey::kCreateTopics, HandleCreateTopics},
    {ApiKey::kDeleteTopics, HandleDeleteTopics},
    {ApiKey::kDeleteRecords, HandleDeleteRecords},
    {ApiKey::kInitProducerId, HandleInitProducerId},
    {ApiKey::kOffsetForLeaderEpoch, HandleOffsetForLeaderEpoch},
    {ApiKey::kDescribeConfigs, HandleDescribeConfigs},
    {ApiKey::kAlterConfigs, HandleAlterConfigs},
    {ApiKey::kDescribeLogDirs, HandleDescribeLogDirs},
    {ApiKey::kCreatePartitions, HandleCreatePartitions},
    {ApiKey::kDeleteGroups, HandleDeleteGroups},
    {ApiKey::kElectLeaders, HandleElectLeaders},
    {ApiKey::kIncrementalAlterConfigs, HandleIncrementalAlterConfigs},
    {ApiKey::kAlterPartitionReassignments, HandleAlterPartitionReassignments},
    {ApiKey::kListPartitionReassignments, HandleListPartitionReassignments},
    {ApiKey::kOffsetDelete, HandleOffsetDelete},
    {ApiKey::kDescribeClientQuotas, HandleDescribeClientQuotas},
    {ApiKey::kAlterClientQuotas, HandleAlterClientQuotas},
    {ApiKey::kDescribeUserScramCredentials, HandleDescribeUserScramCredentials},
    {ApiKey::kDescribeQuorum, HandleDescribeQuorum},
    {ApiKey::kUpdateFeatures, HandleUpdateFeatures},
    {ApiKey::kDescribeCluster, HandleDescribeCluster},
    {ApiKey::kDescribeProducers, HandleDescribeProducers},
    {ApiKey::kUnregisterBroker, HandleUnregisterBroker},
    {ApiKey::kConsumerGroupHeartbeat, HandleConsumerGroupHeartbeat},
    {ApiKey::kConsumerGroupDescribe, HandleConsumerGroupDescribe},
    {ApiKey::kListConfigResources, HandleListConfigResources},
    {ApiKey::kDescribeTopicPartitions, HandleDescribeTopicPartitions},
};

}  // namespace

std::span<const ApiRow> HandledApis() { return kRows; }

const ApiRow* FindHandled(int16_t key) {
  for (const ApiRow& row : kRows) {
    if (static_cast<int16_t>(row.key) == key) return &row;
  }
  return nullptr;
}

}  // namespace garam
