#include "tests/sim/options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/random.h"

namespace garam::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kNames = {
    "kill",    "power-loss", "cut",   "reset", "pause",  "slow-disk", "disk-error", "disk-full",
    "clock",   "topics",     "moves", "wipe",  "stop",   "trims",     "stick",      "rot",
    "reorder", "duplicate",  "join",  "retry", "groups", "retention", "compact"};

template <size_t kCount>
int64_t Pick(Random& random, const std::array<int64_t, kCount>& choices) {
  return choices[random.Below(kCount)];
}

void Only(Options& options, std::initializer_list<Fault> faults) {
  options.faults = {};
  for (Fault fault : faults) options.faults[static_cast<size_t>(fault)] = true;
}

// Leaders come and go while writes are under way.
void Hectic(Options& options) {
  Only(options, {Fault::kKill, Fault::kReset, Fault::kCut});
  options.fault_every = Millis(150);
  options.disk_latency = Micros(5000);
  options.produce_every = Millis(20);
  options.unflushed = false;
}

// The same for group 0: what is applied and saved there is changed all the time.
void Churn(Options& options) {
  Hectic(options);
  options.faults[static_cast<size_t>(Fault::kTopics)] = true;
  options.topics = options.partitions = 1;
  options.fault_every = Millis(60);
}

void LosingPower(Options& options) {
  Only(options, {Fault::kPowerLoss, Fault::kKill});
  options.fault_every = Millis(500);
  options.unflushed = false;
}

// Writes are under way for so long that leaders change meanwhile.
void Stalls(Options& options) {
  Only(options, {Fault::kSlowDisk, Fault::kKill, Fault::kCut});
  options.fault_every = Millis(100);
  options.produce_every = Millis(5);
  options.unflushed = false;
}

// Processes end in the middle of a write, and power goes soon after they are back.
void Blackouts(Options& options) {
  LosingPower(options);
  options.fault_every = Millis(60);
  options.disk_latency = Micros(5000);
  options.produce_every = Millis(5);
}

// Leaders change while their entries are on their way: figure 8 of the Raft paper.
void FigureEight(Options& options) {
  Only(options, {Fault::kKill, Fault::kCut});
  options.nodes = 5;
  options.shards = options.topics = options.partitions = 1;
  options.link_delay = Micros(8000);
  options.disk_latency = Micros(50);
  options.produce_every = Millis(5);
  options.fault_every = Millis(200);
  options.unflushed = false;
}

// Disks are lost, and what was on them is learned again, while leaders come and go.
void Wipes(Options& options) {
  Only(options, {Fault::kWipe, Fault::kKill, Fault::kCut});
  options.fault_every = Millis(500);
  options.produce_every = Millis(20);
  options.length = std::chrono::seconds(30);
  options.unflushed = false;
}

// Logs lose what members that are away have not read yet.
void Trims(Options& options) {
  Only(options, {Fault::kTrims, Fault::kTopics, Fault::kKill, Fault::kPowerLoss, Fault::kCut,
                 Fault::kMoves});
  options.fault_every = Millis(150);
  options.produce_every = Millis(10);
  options.segment_bytes = 1024;
  options.metadata_segment_bytes = 1024;
  options.value_bytes_max = 200;
  options.unflushed = false;
}

// Records go because they are old or many, while leaders come and go and members are away.
void Retention(Options& options) {
  Only(options, {Fault::kRetention, Fault::kKill, Fault::kPowerLoss, Fault::kCut, Fault::kMoves,
                 Fault::kTopics});
  options.fault_every = Millis(300);
  options.produce_every = Millis(10);
  options.segment_bytes = 1024;
  options.value_bytes_max = 200;
  options.unflushed = false;
}

// Leaders change while batches are under way that are sent again.
void Retries(Options& options) {
  Only(options, {Fault::kRetry, Fault::kKill, Fault::kReset, Fault::kCut, Fault::kPowerLoss});
  options.fault_every = Millis(200);
  options.produce_every = Millis(10);
  options.unflushed = false;
}

// Producers rest for so long that they are forgotten, and go on.
void Expiry(Options& options) {
  Retries(options);
  options.fault_every = Millis(500);
  options.producer_expiration = Millis(3000);
}

// Logs lose what producers have sent, while leaders change and disks are slow.
void Forgetting(Options& options) {
  Retries(options);
  options.faults[static_cast<size_t>(Fault::kTrims)] = true;
  options.faults[static_cast<size_t>(Fault::kSlowDisk)] = true;
  options.segment_bytes = 1024;
  options.value_bytes_max = 200;
}

// Coordinators come and go while members join and commit.
void Groups(Options& options) {
  Only(options, {Fault::kGroups, Fault::kKill, Fault::kReset, Fault::kCut, Fault::kPowerLoss});
  options.topics = 1;
  options.partitions = 3;
  options.fault_every = Millis(400);
  options.produce_every = Millis(50);
  options.segment_bytes = 8192;
  options.unflushed = false;
}

// Logs are compacted while those who have them come and go.
void Compacted(Options& options) {
  Only(options, {Fault::kCompact, Fault::kRetry, Fault::kKill, Fault::kPowerLoss, Fault::kCut,
                 Fault::kReset});
  options.fault_every = Millis(200);
  options.produce_every = Millis(10);
  options.segment_bytes = 1024;
  options.value_bytes_max = 100;
  options.unflushed = false;
}

// Logs rot, one after the other, and are copied again while leaders come and go.
void Rot(Options& options) {
  Only(options, {Fault::kRot, Fault::kKill, Fault::kReset});
  options.fault_every = Millis(300);
  options.produce_every = Millis(20);
  options.unflushed = false;
}

// Of two nodes that have the latest one loses its disk and the other one stops; the third, which
// lacks it, asks for votes.
void Blanks(Options& options) {
  Only(options, {Fault::kWipe});
  options.nodes = 5;
  options.shards = options.topics = 1;
  options.partitions = 2;
  options.link_delay = options.disk_latency = Micros(50);
  options.produce_every = Millis(5);
  options.fault_every = Millis(1000);
  options.idle_every = Millis(0);
  options.value_bytes_max = 20;
  options.unflushed = false;
}

// Disks are full for a while, also when replicas are to be opened or removed there.
void Full(Options& options) {
  Only(options, {Fault::kDiskFull, Fault::kMoves, Fault::kTopics, Fault::kKill, Fault::kCut});
  options.fault_every = Millis(150);
  options.produce_every = Millis(20);
}

// Members come and go while leaders do.
void Moves(Options& options) {
  Only(options, {Fault::kMoves, Fault::kKill, Fault::kReset, Fault::kCut});
  options.fault_every = Millis(100);
  options.unflushed = false;
}

// Nodes hear each other one way only, while leaders come and go.
void Stuck(Options& options) {
  Only(options, {Fault::kStick, Fault::kKill});
  options.fault_every = Millis(150);
  options.unflushed = false;
}

void LosingPowerUnflushed(Options& options) {
  LosingPower(options);
  options.unflushed = true;
  options.produce_every = Millis(20);
}

struct Profile {
  std::string_view name;
  void (*bend)(Options&);
};

constexpr std::array kProfiles = {
    Profile{"hectic", Hectic},
    Profile{"power", LosingPower},
    Profile{"stalls", Stalls},
    Profile{"blackouts", Blackouts},
    Profile{"figure-8", FigureEight},
    Profile{"moves", Moves},
    Profile{"trims", Trims},
    Profile{"wipes", Wipes},
    Profile{"power-unflushed", LosingPowerUnflushed},
    Profile{"stuck", Stuck},
    Profile{"rot", Rot},
    Profile{"blanks", Blanks},
    Profile{"churn", Churn},
    Profile{"retries", Retries},
    Profile{"expiry", Expiry},
    Profile{"forgetting", Forgetting},
    Profile{"groups", Groups},
    Profile{"retention", Retention},
    Profile{"compaction", Compacted},
    Profile{"full", Full},
};

// What came later is drawn later, so that seeds keep what they had.
void DrawTheLater(Random& random, Options& options) {
  options.faults[static_cast<size_t>(Fault::kTrims)] = random.Below(3) == 0;
  options.metadata_segment_bytes = static_cast<int>(Pick<3>(random, {0, 1024, 4096}));
  options.faults[static_cast<size_t>(Fault::kStick)] = random.Below(3) == 0;
  options.faults[static_cast<size_t>(Fault::kRetry)] = random.Below(4) == 0;
  options.faults[static_cast<size_t>(Fault::kGroups)] = random.Below(4) == 0;
  // What a coordinator writes together has to fit.
  if (options.has(Fault::kGroups) && options.segment_bytes > 0) {
    options.segment_bytes = std::max(options.segment_bytes, 8192);
  }
  // By the wall clock: where that jumps, anything may be old.
  options.faults[static_cast<size_t>(Fault::kRetention)] =
      random.Below(4) == 0 && !options.has(Fault::kClock);
  options.retention_ms = Pick<4>(random, {-1, 1000, 1000, 4000});
  options.retention_bytes = Pick<4>(random, {-1, 0, 3000, 20'000});
  // More partitions share what two would get: seeds are to be many, and none of them long.
  options.produce_every *= std::max(1, options.topics * options.partitions / 2);
  // The last values are compared from the first record on.
  options.faults[static_cast<size_t>(Fault::kCompact)] =
      random.Below(4) == 0 && !options.has(Fault::kTrims) && !options.has(Fault::kRetention);
}

}  // namespace

std::string_view NameOf(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

absl::StatusOr<Fault> FaultOf(std::string_view name) {
  for (size_t i = 0; i < kFaults; ++i) {
    if (kNames[i] == name) return static_cast<Fault>(i);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no class of faults is called ", std::string(name)));
}

Options Options::Draw(uint64_t seed) {
  SeededRandom random(seed * 0x9e3779b97f4a7c15ULL + 1);
  Options options;
  options.seed = seed;
  options.nodes = static_cast<int>(Pick<5>(random, {3, 3, 3, 4, 5}));
  options.shards = static_cast<size_t>(Pick<2>(random, {1, 2}));
  options.topics = static_cast<int>(Pick<3>(random, {1, 1, 2}));
  options.partitions = static_cast<int>(Pick<4>(random, {1, 2, 2, 4}));
  options.unflushed = random.Below(3) == 0;
  options.min_isr = static_cast<int>(Pick<4>(random, {1, 2, 2, 3}));
  options.link_delay = Micros(Pick<4>(random, {50, 200, 1000, 8000}));
  options.disk_latency = Micros(Pick<4>(random, {50, 200, 1000, 5000}));
  options.produce_every = Millis(Pick<4>(random, {5, 20, 50, 200}));
  options.idle_every = Millis(Pick<3>(random, {0, 500, 2000}));
  options.fault_every = Millis(Pick<4>(random, {200, 500, 1500, 4000}));
  options.value_bytes_max = static_cast<int>(Pick<3>(random, {20, 200, 2000}));
  const uint64_t sizes = random.Below(24);
  if (sizes == 0) {  // Records that fill windows and segments; slow, so not often.
    options.segment_bytes = 1 << 20;
    options.value_bytes_max = 60'000;
  } else if (sizes <= 12) {  // Rolls are frequent, and some batches are too large for a segment.
    options.segment_bytes = 1024 << (sizes % 5);
    options.value_bytes_max = std::min(options.value_bytes_max, options.segment_bytes);
  }
  for (size_t i = 0; i <= static_cast<size_t>(Fault::kMoves); ++i) {
    options.faults[i] = random.Below(2) == 0;
  }
  // Most disks never fail, and a failed one leaves less to test.
  if (random.Below(3) != 0) {
    options.faults[static_cast<size_t>(Fault::kDiskError)] = false;
    options.faults[static_cast<size_t>(Fault::kDiskFull)] = false;
  }
  // In mode P a partition that has moved to one node is lost with that node's power.
  if (options.unflushed && options.has(Fault::kPowerLoss)) {
    options.faults[static_cast<size_t>(Fault::kMoves)] = false;
  }
  // Drawn last. What has moved to one or two nodes may be gone with one of their disks; and who is
  // in doubt after a loss of power waits for every voter, those without a disk too (D3).
  const bool in_doubt = options.unflushed && options.has(Fault::kPowerLoss);
  if (!options.has(Fault::kMoves) && !in_doubt) {
    options.faults[static_cast<size_t>(Fault::kWipe)] = random.Below(2) == 0;
  }
  if (random.Below(5) == 0) options.segment_age = Millis(1000);
  options.append_bytes_max = static_cast<size_t>(Pick<4>(random, {1, 500, 1 << 20, 1 << 20}));
  options.inflight_bytes_max = static_cast<size_t>(Pick<4>(random, {300, 3000, 8 << 20, 8 << 20}));
  options.leader_settle = Millis(Pick<2>(random, {500, 5000}));
  for (Fault fault : {Fault::kStop, Fault::kReorder, Fault::kDuplicate}) {
    options.faults[static_cast<size_t>(fault)] = random.Below(3) == 0;
  }
  // A machine that goes off just after a clean stop may be in doubt as well.
  if (options.unflushed && options.has(Fault::kWipe)) {
    options.faults[static_cast<size_t>(Fault::kStop)] = false;
  }
  if (random.Below(4) == 0) {
    options.faults[static_cast<size_t>(Fault::kJoin)] = true;
    options.nodes = std::max(options.nodes, 4);
  }
  DrawTheLater(random, options);
  return options;
}

absl::StatusOr<Options> Options::Draw(uint64_t seed, std::string_view profile) {
  Options options = Draw(seed);
  if (profile.empty()) return options;
  for (const Profile& known : kProfiles) {
    if (known.name != profile) continue;
    known.bend(options);
    options.profile = known.name;
    return options;
  }
  return absl::InvalidArgumentError(absl::StrCat("no profile is called ", std::string(profile)));
}

std::vector<std::string_view> Profiles() {
  std::vector<std::string_view> names;
  for (const Profile& profile : kProfiles) names.push_back(profile.name);
  return names;
}

std::string Options::ToString() const {
  auto ms = [](Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
  };
  std::string text = absl::StrCat(
      nodes, " nodes, ", shards, " shards, ", topics, "x", partitions, " partitions, mode ",
      unflushed ? "P" : "F", ", min.insync ", min_isr, ", links ", ms(link_delay), " ms, disks ",
      ms(disk_latency), " ms, a produce every ", ms(produce_every), " ms, a fault every ",
      ms(fault_every), " ms, values of ", value_bytes_max, " bytes, segments of ", segment_bytes,
      " bytes and ", ms(segment_age), " ms, appends of ", append_bytes_max, " bytes in windows of ",
      inflight_bytes_max, ", for ", ms(length), " ms; faults:");
  if (has(Fault::kRetention)) {
    absl::StrAppend(&text, " (", retention_ms, " ms and ", retention_bytes, " bytes kept)");
  }
  if (producer_expiration > Duration(0)) {
    absl::StrAppend(&text, " (producers kept for ", ms(producer_expiration), " ms)");
  }
  for (size_t i = 0; i < kFaults; ++i) {
    if (faults[i]) absl::StrAppend(&text, " ", std::string(kNames[i]));
  }
  return text;
}

}  // namespace garam::sim
