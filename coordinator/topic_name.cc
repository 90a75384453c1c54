#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/controller.h"

namespace garam {
namespace {

constexpr size_t kTopicNameMax = 249;

bool Legal(char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; }

absl::Status Invalid(const std::string& reason) {
  return MakeError(Errc::kInvalidTopicName, absl::StrCat("Topic name is invalid: ", reason));
}

}  // namespace

absl::Status CheckTopicName(std::string_view name) {
  if (name.empty()) return Invalid("the empty string is not allowed");
  if (name == "." || name == "..") return Invalid("'" + std::string(name) + "' is not allowed");
  if (name.size() > kTopicNameMax) {
    return Invalid(absl::StrCat("the length of '", std::string(name),
                                "' is longer than the max allowed length ", kTopicNameMax));
  }
  if (!std::all_of(name.begin(), name.end(), Legal)) {
    return Invalid("'" + std::string(name) +
                   "' contains one or more characters other than ASCII alphanumerics, '.', '_' "
                   "and '-'");
  }
  return absl::OkStatus();
}

}  // namespace garam
