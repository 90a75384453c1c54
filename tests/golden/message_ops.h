// Every message that has a schema, without its C++ type: for tests and fuzzers that treat all
// alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/bytes.h"
#include "proto/kafka/reader.h"
#include "tests/golden/filler.h"

namespace garam::kafka {

// A message that was decoded or made up.
struct Subject {
  Bytes encoded;         // Encoded again, or for the first time.
  std::string dump;      // Its fields as text.
  size_t left_over = 0;  // Bytes after it that decoding did not take.
};

struct MessageOps {
  std::string_view name;
  int16_t request_key;  // The API's key, for a request; else -1.
  int16_t min_version;
  int16_t max_version;
  int16_t first_flexible_version;
  absl::Status (*decode)(Reader& reader, int16_t version);
  absl::StatusOr<Subject> (*recode)(const Bytes& message, int16_t version);
  absl::StatusOr<Subject> (*make_default)(int16_t version);
  absl::StatusOr<Subject> (*make_filled)(Filler& filler, int16_t version);
};

const std::vector<MessageOps>& AllMessages();

}  // namespace garam::kafka
