// The identifiers of the field, each with its own type.
#pragma once

#include <cstdint>

#include "common/strong_int.h"

namespace garam {

// A broker, as `node.id` names it. kNoNode is the protocol's -1: nobody.
using NodeId = StrongInt<struct NodeIdTag, int32_t>;
inline constexpr NodeId kNoNode{-1};

// A Raft group: one partition, or the cluster metadata (kMetadataGroup). Never used again.
using GroupId = StrongInt<struct GroupIdTag, uint64_t>;
inline constexpr GroupId kMetadataGroup{0};

// A Raft term. It is also Kafka's leader epoch, hence 32 bits; 0 is before the first election.
using Term = StrongInt<struct TermTag, int32_t>;

// A position in a Raft log: counts entries (batches and private frames). The first entry has 1.
using LogIndex = StrongInt<struct LogIndexTag, int64_t>;

// A Kafka offset: counts records. The first record has 0.
using Offset = StrongInt<struct OffsetTag, int64_t>;

// Random, made with the data folder: a wiped disk is another incarnation of its node.
using Incarnation = StrongInt<struct IncarnationTag, uint64_t>;

// Random, made at each process start.
using StartId = StrongInt<struct StartIdTag, uint64_t>;

}  // namespace garam
