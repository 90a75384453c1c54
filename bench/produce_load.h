// Produces one topic as fast as its windows allow (closed loop) or at a fixed rate (open loop).
//
// Every producer holds one connection to each leader and deals its batches out to that leader's
// partitions in turn, one batch a request or one for each of several partitions. A request is
// encoded once and sent again and again.
//
// Threads: Run() uses the caller's alone.
// Errors:  Run() fails when a connection breaks or too many requests are refused.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/arrival_matcher.h"
#include "bench/connection.h"
#include "bench/histogram.h"
#include "bench/poller.h"
#include "bench/requests.h"
#include "bench/schedule.h"
#include "bench/tail_reader.h"
#include "common/status.h"

namespace garam::bench {

struct ProduceOptions {
  std::vector<Endpoint> bootstrap;
  std::string topic;
  int16_t acks = -1;
  size_t record_bytes = 1024;
  size_t records_per_batch = 1;
  size_t in_flight = 5;  // Requests a connection.
  int producers = 1;
  size_t partitions_per_request = 1;  // Fewer where a leader has no more.
  bool consume = false;       // Also read the topic's end, for the time from producer to consumer.
  double requests_per_s = 0;  // Of all producers together; 0: closed loop.
  double warmup_s = 2;
  double measure_s = 10;
};

struct ProduceResult {
  Histogram latency_us;     // Of acknowledged requests; empty for acks=0.
  Histogram end_to_end_us;  // With `consume`: until the consumer had the record.
  int64_t requests = 0;
  int64_t batches = 0;
  int64_t records = 0;
  int64_t record_bytes = 0;  // Of values.
  int64_t errors = 0;
  int16_t first_error = 0;
  double seconds = 0;
  double client_cpu_seconds = 0;
  std::vector<double> megabytes_by_second;
};

class ProduceLoad final : public Connection::Listener {
 public:
  explicit ProduceLoad(ProduceOptions options);
  ~ProduceLoad() override;

  absl::StatusOr<ProduceResult> Run();

  void OnAnswer(Connection& connection, int64_t cookie, std::string_view body) override;
  void OnClosed(Connection& connection) override;

 private:
  // Partitions that share their requests.
  struct Group {
    std::vector<int32_t> partitions;
    std::string frame;
    std::string barrier_frame;  // The same, acknowledged.
  };

  // One connection of one producer, to one leader.
  struct Lane {
    int producer = 0;
    std::unique_ptr<Connection> connection;
    std::vector<const Group*> groups;
    size_t turn = 0;
    std::deque<int64_t> backlog;  // Intended times of an open loop that found the window full.
  };

  absl::Status Connect();
  // The groups of each leader.
  std::map<int32_t, std::vector<const Group*>> EncodeGroups(const TopicState& topic);
  bool HasRoom(const Lane& lane) const;
  void SendNext(Lane& lane, int64_t intended_ns);
  void FillClosed(Lane& lane);
  void DealDue(int64_t now_ns);
  void Turn(int64_t now_ns, int64_t until_ns);
  void Count(int64_t now_ns, int64_t intended_ns, int64_t batches);
  void OnRefused(Connection& connection, const ProduceAnswer& answer);
  // Waits for what is in flight; with acks=0 for one acknowledged request behind all the others.
  absl::Status Drain();
  // The consumer gets what was acknowledged last.
  absl::Status DrainTail();
  Lane& LaneOf(const Connection& connection);

  const ProduceOptions options_;
  Poller poller_;
  std::deque<Group> groups_;  // Never moved: frames are borrowed while they are sent.
  std::vector<Lane> lanes_;
  ArrivalMatcher arrivals_;
  std::unique_ptr<TailReader> tail_;
  size_t next_lane_ = 0;
  std::optional<Schedule> schedule_;
  bool sending_ = true;
  int64_t counted_from_ns_ = 0;  // Answers between these two times count.
  int64_t counted_to_ns_ = 0;
  absl::Status broken_;
  ProduceResult result_;
};

}  // namespace garam::bench
