// Record batches (format v2) encoded once and sent many times: the base offset and the leader epoch
// lie outside the CRC, so a batch stays valid whatever offset the broker gives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace garam::bench {

// `records` uncompressed records of `record_bytes` pseudo-random bytes of value each, without key,
// all stamped `timestamp_ms`. Equal arguments give equal bytes.
std::string EncodeBatch(size_t records, size_t record_bytes, int64_t timestamp_ms, uint64_t seed);

// How many records of `record_bytes` a batch of at most `batch_bytes` holds; at least 1.
size_t RecordsPerBatch(size_t record_bytes, size_t batch_bytes);

}  // namespace garam::bench
