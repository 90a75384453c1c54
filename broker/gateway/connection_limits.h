// How many connections clients may have, together and from one address.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace garam {

class ConnectionLimits {
 public:
  ConnectionLimits(size_t total_max, size_t per_address_max)
      : total_max_(total_max), per_address_max_(per_address_max) {}

  // Counts one more from `address`; false when that would be too many.
  bool Enter(const std::string& address);
  void Leave(const std::string& address);
  // How many there are.
  size_t total();

 private:
  const size_t total_max_;
  const size_t per_address_max_;
  std::mutex mutex_;
  absl::flat_hash_map<std::string, size_t> by_address_;  // Guarded by mutex_, as is the total.
  size_t total_ = 0;
};

}  // namespace garam
