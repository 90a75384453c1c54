// The four codecs of record batches.
//
// Input is whatever a client sent: output grows only as bytes really come out, never by a length
// that the input merely claims, and stops at a hard limit.
//
// Threads: any; no state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/record_batch.h"

namespace garam {

// What `packed` holds. Snappy may be raw or in Java's (xerial) frames; lz4 is the frame format.
// kCorruptRecord when the bytes are not what the codec says, kRecordTooLarge when more than
// `bytes_max` would come out.
absl::StatusOr<std::string> Decompress(Compression codec, std::string_view packed,
                                       size_t bytes_max);

// The same into `out`, whose memory is reused. `out` is unspecified after an error.
absl::Status DecompressInto(Compression codec, std::string_view packed, size_t bytes_max,
                            std::string& out);

// Packs `raw` as Kafka's own producer does: snappy in xerial frames, lz4 in one frame.
std::string Compress(Compression codec, std::string_view raw);

// Snappy without frames, as librdkafka sends it.
std::string CompressSnappyRaw(std::string_view raw);

}  // namespace garam
