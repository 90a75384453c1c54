#include "broker/gateway/connection_limits.h"

namespace garam {

bool ConnectionLimits::Enter(const std::string& address) {
  std::lock_guard lock(mutex_);
  if (total_ >= total_max_) return false;
  size_t& count = by_address_[address];
  if (count >= per_address_max_) return false;
  ++count;
  ++total_;
  return true;
}

void ConnectionLimits::Leave(const std::string& address) {
  std::lock_guard lock(mutex_);
  auto found = by_address_.find(address);
  if (found == by_address_.end()) return;
  --total_;
  if (--found->second == 0) by_address_.erase(found);
}

size_t ConnectionLimits::total() {
  std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace garam
