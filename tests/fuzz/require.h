// What a fuzz target holds its subject to: a broken promise ends the process, with the reason.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace garam::fuzz {

inline void Require(bool condition, const char* what, const std::string& detail = {}) {
  if (condition) return;
  std::fprintf(stderr, "%s %s\n", what, detail.c_str());
  std::abort();
}

}  // namespace garam::fuzz
