// What a topic's settings mean to the log and the Raft group of a partition.
//
// Threads: any.
#pragma once

#include "broker/topic_config.h"
#include "raft/types.h"
#include "storage/log.h"

namespace garam {

storage::LogOptions LogOptionsOf(const TopicConfig& config);
raft::Stage StageOf(const TopicConfig& config);

}  // namespace garam
