// Watches every partition of a topic through changes of leader: one small produce at a time to
// each, sent again wherever the partition has gone, and the longest silence between two
// acknowledgements.
//
// Each partition has a connection of its own, so that none waits behind another. A refusal with a
// hint (KIP-951) moves the probe at once. A broken connection sends it to the next replica, whose
// refusal hints, while the cluster's metadata is asked for as well.
//
// A script drives it by lines on standard input: `mark NAME` ends a window and prints it as one
// line of JSON; end of input ends the run.
//
// Threads: Run() uses the caller's alone.
// Errors:  none while it runs: a cluster that is away is what it measures.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/connection.h"
#include "bench/gap_tracker.h"
#include "bench/poller.h"
#include "bench/requests.h"
#include "common/status.h"

namespace garam::bench {

struct ProbeOptions {
  std::vector<Endpoint> bootstrap;
  std::string topic;
  size_t record_bytes = 100;
  int64_t interval_us = 1000;  // Between two probes of one partition, unless the answer is slower.
  double seconds = 3600;
  bool follow_hints = true;
};

class FailoverProbe final : public Connection::Listener {
 public:
  explicit FailoverProbe(ProbeOptions options);
  ~FailoverProbe() override;

  // Prints {"event":"ready"} when every partition has acknowledged once, a line for every mark, and
  // a last one with the name "end".
  absl::Status Run();

  void OnAnswer(Connection& connection, int64_t cookie, std::string_view body) override;
  void OnClosed(Connection& connection) override;

 private:
  class Commands;

  struct Probe {
    int32_t partition = 0;
    int32_t leader = -1;
    int32_t epoch = -1;
    std::vector<int32_t> replicas;
    std::string frame;
    std::unique_ptr<Connection> connection;
    bool waiting = false;
    int64_t sent_ns = 0;
    int64_t next_ns = 0;  // Not before this.
    GapTracker gaps{0};
    // Of the window:
    int64_t refusals = 0;
    int64_t breaks = 0;
    int64_t hints = 0;
    int64_t moves = 0;
  };

  absl::Status Start();
  void Turn(int64_t until_ns);
  // Sends what is due; returns when something is due next.
  int64_t SendDue(Probe& probe, int64_t now_ns);
  bool Connected(Probe& probe);
  void MoveTo(Probe& probe, int32_t leader, int32_t epoch, int64_t not_before_ns);
  void MoveToNextReplica(Probe& probe, int64_t not_before_ns);
  void OnAcknowledged(Probe& probe, int64_t now_ns);
  void OnRefused(Probe& probe, const ProduceAnswer& answer, int64_t now_ns);
  void Drop(Probe& probe);

  // Metadata, asked for while some probe does not know where to go.
  void WantMetadata(int64_t now_ns);
  void OnMetadata(const ClusterState& state, int64_t now_ns);
  void DropMetadata();

  void OnCommand(std::string_view line);
  void PrintWindow(std::string_view name);

  const ProbeOptions options_;
  Poller poller_;
  std::map<int32_t, Endpoint> brokers_;
  std::vector<std::unique_ptr<Probe>> probes_;
  std::unique_ptr<Commands> commands_;
  std::unique_ptr<Connection> metadata_;
  bool metadata_wanted_ = false;
  bool metadata_waiting_ = false;
  int64_t metadata_asked_ns_ = 0;
  size_t metadata_turn_ = 0;
  int64_t window_start_ns_ = 0;
  bool ready_ = false;
  bool ended_ = false;
};

}  // namespace garam::bench
