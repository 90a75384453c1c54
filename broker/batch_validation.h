// What a client's bytes must satisfy before a partition appends them: exactly one well-formed v2
// batch that the topic's settings and the request's version allow.
//
// Threads: any; no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/topic_config.h"
#include "common/bytes.h"

namespace garam {

struct BatchRules {
  const TopicConfig& topic;
  int16_t produce_version = 0;
  int64_t now_wall_ms = 0;
};

// One record that was refused, by its position in the batch.
struct RecordError {
  int32_t index = 0;
  std::string message;
};

struct BatchVerdict {
  absl::Status status;
  std::vector<RecordError> record_errors;  // Only where single records are to blame; bounded.
};

// kCorruptRecord (sizes, CRC, codec), kInvalidRecord, kInvalidTimestamp, kRecordTooLarge,
// kBatchOverSegment or kUnsupportedCompression; nothing may then be appended.
//
// On success the batch's time fields say what the topic wants: LogAppendTime sets bit 3 and the
// maximum timestamp to now, CreateTime sets the true maximum; the CRC is recomputed in place where
// that changed something. So nobody else may read `batch` meanwhile.
BatchVerdict ValidateBatch(const Bytes& batch, const BatchRules& rules);

}  // namespace garam
