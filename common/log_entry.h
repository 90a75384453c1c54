// One entry of a replicated log, as Raft orders it and storage keeps it.
#pragma once

#include <cstdint>

#include "common/bytes.h"
#include "common/ids.h"

namespace garam {

// Values are on disk and on the wire: never renumber.
enum class EntryKind : uint8_t {
  kBatch = 0,            // One v2 record batch, exactly as served; takes Kafka offsets.
  kNoop = 1,             // A new leader's first entry.
  kConfiguration = 2,    // Raft membership.
  kSetLogStart = 3,      // D14: everything below the offset in it is gone.
  kRoll = 4,             // D13: every replica ends its segment here.
  kExpireProducers = 5,  // D11.
  kCommand = 6,          // Group 0: one metadata command.
};

// `bytes`: for kBatch the whole batch from its base offset on; otherwise the payload of the private
// frame, whose framing storage adds. The base offset and leader epoch in a batch are already final.
struct LogEntry {
  LogIndex index;
  Term term;
  EntryKind kind = EntryKind::kNoop;
  Bytes bytes;
};

}  // namespace garam
