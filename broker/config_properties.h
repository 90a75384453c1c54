// The text of a Java properties file, as server.properties is.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace garam {

struct Property {
  std::string key{};
  std::string value{};
  int line = 0;  // Where it begins, from 1.
};

// Comments (# and !), '=', ':' or white space between key and value, continued lines and escapes.
// kInvalidConfig naming the line of a broken \u escape.
absl::StatusOr<std::vector<Property>> ParseProperties(std::string_view text);

}  // namespace garam
