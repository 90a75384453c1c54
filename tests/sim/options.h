// What one run of the simulator is like. Every seed draws its own: which classes of faults there
// are and how often, how slow the network and the disks are, how large things are (swarm testing).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"

namespace garam::sim {

// Classes of faults that a run may have, or be denied when a failure is made smaller.
enum class Fault {
  kKill,       // Processes end and start again.
  kPowerLoss,  // Machines lose what was not synced.
  kCut,        // Links lose everything, one way or both.
  kReset,      // Connections break.
  kPause,      // Processes are stopped for a while.
  kSlowDisk,   // Disks stall.
  kDiskError,  // A write or a sync fails.
  kDiskFull,
  kClock,   // Clocks run fast or slow, and the wall clock jumps.
  kTopics,  // Topics come and go.
  kMoves,   // Partitions move to other nodes.
  kWipe,    // Nodes lose their disks, one at a time, and come back without.
  kStop,    // Processes are asked to stop, do so, and start again.
  kTrims,   // Log starts move.
  kStick,   // Control connections swallow what is said one way, until somebody dials anew.
  kRot,     // Bits flip in what one replica of a partition has on its disk.
  // What a world is like, rather than what happens in it:
  kReorder,    // A loss of power keeps any sectors of what was not synced, not the first ones.
  kDuplicate,  // Messages between replicas arrive twice.
  kJoin,       // The last node is no founder and comes when the cluster is at work.
  kRetry,      // Idempotent producers are among the clients, and send again what is not answered.
  kGroups,     // Consumer groups are among the clients.
  kRetention,  // Old records go by themselves.
  kCompact,    // Topics are compacted.
};
inline constexpr size_t kFaults = 23;
inline constexpr size_t kEvents =
    static_cast<size_t>(Fault::kReorder);  // The others are no events.

std::string_view NameOf(Fault fault);
absl::StatusOr<Fault> FaultOf(std::string_view name);

struct Options {
  uint64_t seed = 1;
  std::string_view profile;                    // One of Profiles(), or "".
  Duration length = std::chrono::seconds(20);  // Until everything is healed.

  int nodes = 3;
  size_t shards = 1;
  int topics = 1;
  int partitions = 2;      // Of each topic.
  bool unflushed = false;  // Mode P.
  int min_isr = 1;

  Duration link_delay = Micros(100);
  Duration disk_latency = Micros(200);
  Duration produce_every = Millis(10);  // Each producer; there is one for each partition.
  Duration idle_every = Millis(0);      // So often, producers rest for a while; 0: never.
  Duration fault_every = Millis(500);
  int value_bytes_max = 100;
  int segment_bytes = 0;               // 0: the default.
  int metadata_segment_bytes = 0;      // The same of group 0's log.
  Duration segment_age = Duration(0);  // 0: the default. By the wall clock, which may jump.
  size_t append_bytes_max = 1 << 20;   // As raft::CoreOptions has them.
  size_t inflight_bytes_max = 8 << 20;
  Duration leader_settle = Millis(5000);
  int64_t retention_ms = -1;     // In force under kRetention, as the next; -1: none.
  int64_t retention_bytes = -1;  // The same.
  // How long producers are remembered that send nothing, and so they sometimes rest; 0: for good.
  Duration producer_expiration = Duration(0);

  std::array<bool, kFaults> faults{};

  bool has(Fault fault) const { return faults[static_cast<size_t>(fault)]; }
  int founders() const { return has(Fault::kJoin) ? nodes - 1 : nodes; }
  std::string ToString() const;

  // As the seed has it, then bent by the profile where one is named. kInvalidArgument: there is
  // none of this name.
  static Options Draw(uint64_t seed);
  static absl::StatusOr<Options> Draw(uint64_t seed, std::string_view profile);
};

// Names of ways to bend options towards where rare bugs show.
std::vector<std::string_view> Profiles();

}  // namespace garam::sim
