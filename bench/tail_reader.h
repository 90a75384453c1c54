// A consumer at the end of one partition: a long poll that is renewed as soon as it is answered.
//
// Threads:   the poller's.
// Ownership: the poller and the matcher must outlive it.
// Errors:    status() keeps the first; then nothing more is read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bench/arrival_matcher.h"
#include "bench/connection.h"
#include "bench/poller.h"
#include "bench/requests.h"
#include "common/status.h"

namespace garam::bench {

class TailReader final : public Connection::Listener {
 public:
  // Begins at the partition's end.
  static absl::StatusOr<std::unique_ptr<TailReader>> Open(Poller& poller, const Endpoint& leader,
                                                          std::string topic, int32_t partition,
                                                          ArrivalMatcher* matcher);

  const absl::Status& status() const { return status_; }

  void OnAnswer(Connection& connection, int64_t cookie, std::string_view body) override;
  void OnClosed(Connection& connection) override;

 private:
  TailReader(std::string topic, int32_t partition, int64_t next_offset, ArrivalMatcher* matcher);
  void Ask();

  const std::string topic_;
  const int32_t partition_;
  ArrivalMatcher* const matcher_;
  int64_t next_offset_;
  std::unique_ptr<Connection> connection_;
  absl::Status status_;
};

}  // namespace garam::bench
