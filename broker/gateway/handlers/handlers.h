// One handler for each API; each has a file of its own. See Request for how they answer.
#pragma once

#include "broker/gateway/request.h"

namespace garam {

void HandleAlterClientQuotas(RequestPtr request);
void HandleAlterConfigs(RequestPtr request);
void HandleAlterPartitionReassignments(RequestPtr request);
void HandleApiVersions(RequestPtr request);
void HandleConsumerGroupDescribe(RequestPtr request);
void HandleConsumerGroupHeartbeat(RequestPtr request);
void HandleCreatePartitions(RequestPtr request);
void HandleCreateTopics(RequestPtr request);
void HandleDeleteGroups(RequestPtr request);
void HandleDeleteRecords(RequestPtr request);
void HandleDeleteTopics(RequestPtr request);
void HandleDescribeClientQuotas(RequestPtr request);
void HandleDescribeCluster(RequestPtr request);
void HandleDescribeConfigs(RequestPtr request);
void HandleDescribeGroups(RequestPtr request);
void HandleDescribeLogDirs(RequestPtr request);
void HandleDescribeProducers(RequestPtr request);
void HandleDescribeQuorum(RequestPtr request);
void HandleDescribeTopicPartitions(RequestPtr request);
void HandleElectLeaders(RequestPtr request);
void HandleFetch(RequestPtr request);
void HandleFindCoordinator(RequestPtr request);
void HandleHeartbeat(RequestPtr request);
void HandleIncrementalAlterConfigs(RequestPtr request);
void HandleInitProducerId(RequestPtr request);
void HandleJoinGroup(RequestPtr request);
void HandleLeaveGroup(RequestPtr request);
void HandleDescribeUserScramCredentials(RequestPtr request);
void HandleListConfigResources(RequestPtr request);
void HandleListGroups(RequestPtr request);
void HandleListOffsets(RequestPtr request);
void HandleListPartitionReassignments(RequestPtr request);
void HandleMetadata(RequestPtr request);
void HandleOffsetCommit(RequestPtr request);
void HandleOffsetDelete(RequestPtr request);
void HandleOffsetFetch(RequestPtr request);
void HandleOffsetForLeaderEpoch(RequestPtr request);
void HandleProduce(RequestPtr request);
void HandleSyncGroup(RequestPtr request);
void HandleUnregisterBroker(RequestPtr request);
void HandleUpdateFeatures(RequestPtr request);

}  // namespace garam
