#include "proto/kafka/unsupported_version.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::kafka {

absl::Status UnsupportedVersion(std::string_view message, int16_t version, int16_t min,
                                int16_t max) {
  return MakeError(Errc::kUnsupportedVersion,
                   absl::StrCat(absl::string_view(message.data(), message.size()), " has versions ",
                                min, " to ", max, ", not ", version));
}

}  // namespace garam::kafka
