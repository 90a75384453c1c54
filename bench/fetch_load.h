// Reads a topic from its first offsets and throws the records away: how fast a cluster hands them
// out.
//
// One connection to each leader, one fetch in flight on each, all of the leader's partitions in it.
//
// Threads: Run() uses the caller's alone.
// Errors:  Run() fails when a connection breaks or a fetch is refused.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/connection.h"
#include "bench/poller.h"
#include "bench/requests.h"
#include "common/status.h"

namespace garam::bench {

struct FetchOptions {
  std::vector<Endpoint> bootstrap;
  std::string topic;
  FetchLimits limits;
  double measure_s = 10;
  bool again_from_start = false;  // Start over at the end of a partition; else stop at all ends.
};

struct FetchResult {
  int64_t batch_bytes = 0;  // Batches as received, headers included.
  int64_t records = 0;
  int64_t requests = 0;
  double seconds = 0;
  double client_cpu_seconds = 0;
};

class FetchLoad final : public Connection::Listener {
 public:
  explicit FetchLoad(FetchOptions options);
  ~FetchLoad() override;

  absl::StatusOr<FetchResult> Run();

  void OnAnswer(Connection& connection, int64_t cookie, std::string_view body) override;
  void OnClosed(Connection& connection) override;

 private:
  struct Lane {
    std::unique_ptr<Connection> connection;
    std::map<int32_t, int64_t> next_offset;  // By partition; those still to be read.
  };

  absl::Status Connect();
  void Ask(Lane& lane);
  void Take(Lane& lane, const FetchedPartition& fetched);

  const FetchOptions options_;
  Poller poller_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  bool asking_ = true;
  absl::Status broken_;
  FetchResult result_;
};

}  // namespace garam::bench
