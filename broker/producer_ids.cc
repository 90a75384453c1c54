#include "broker/producer_ids.h"

#include <utility>

namespace garam {

void ProducerIds::Next(Done done) {
  if (next_ < end_ && waiting_.empty()) return std::move(done)(next_++);
  waiting_.push_back(std::move(done));
  if (std::exchange(fetching_, true)) return;
  fetch_(kBlock, [this, weak = std::weak_ptr<bool>(alive_)](absl::StatusOr<int64_t> first) {
    if (!weak.expired()) OnBlock(std::move(first));
  });
}

void ProducerIds::OnBlock(absl::StatusOr<int64_t> first) {
  fetching_ = false;
  std::deque<Done> waiting = std::exchange(waiting_, {});
  if (first.ok()) {
    next_ = *first;
    end_ = next_ + kBlock;
  }
  for (Done& done : waiting) {
    if (first.ok()) {
      Next(std::move(done));  // More than a block may wait.
    } else {
      std::move(done)(first.status());
    }
  }
}

}  // namespace garam
