// Gives out producer ids (KIP-98): from a block that the controller has set aside for this broker,
// and another one when that is used up.
//
// Threads:   executor 0.
// Ownership: what Options refers to outlives it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace garam {

class ProducerIds {
 public:
  // As many as Kafka asks for at a time.
  static constexpr uint32_t kBlock = 1000;

  using Done = absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&>;
  // Has the controller set `count` ids aside, and tells the first of them.
  using Fetch = std::function<void(uint32_t count, Done done)>;

  explicit ProducerIds(Fetch fetch) : fetch_(std::move(fetch)) {}

  // An id that nobody else has. Those that wait for a block fail together when it cannot be had.
  void Next(Done done);

 private:
  void OnBlock(absl::StatusOr<int64_t> first);

  const Fetch fetch_;
  int64_t next_ = 0;
  int64_t end_ = 0;
  bool fetching_ = false;
  std::deque<Done> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
