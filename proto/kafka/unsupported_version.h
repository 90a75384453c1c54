// The error of every Decode and Encode that is asked for a version without a schema.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace garam::kafka {

// kUnsupportedVersion: `message` has versions `min` to `max`, not `version`.
absl::Status UnsupportedVersion(std::string_view message, int16_t version, int16_t min,
                                int16_t max);

}  // namespace garam::kafka
