// Whole groups under drops, duplicates, reordering, cuts and crashes: a seed draws which of them
// happen, and how the core is tuned. The oracle holds the safety properties at every step; after
// healing the group must make progress.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/testing/seeds.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/raft/cluster.h"

namespace garam::raft {
namespace {

using ::testing::IsEmpty;

class Storm {
 public:
  Storm(uint64_t seed, Stage stage) : random_(seed), cluster_(Options(seed, stage)) {
    cluster_.KeepSent(false);
    drop_percent_ = Draw(2) ? Draw(15) : 0;
    duplicate_percent_ = Draw(2) ? Draw(10) : 0;
    delay_max_us_ = 200 + Draw(2) * Draw(60000);
    disk_max_us_ = 100 + Draw(2) * Draw(80000);
    crashes_ = Draw(3) > 0;
    cuts_ = Draw(3) > 0;
    drops_ = Draw(2) > 0;
    damages_ = Draw(3) == 0;
    stage_ = stage;
    cluster_.message_delay = [this](const Envelope&) {
      // Now and then a message sits in a buffer for long, and outlives its sender.
      return Micros(!healed_ && Draw(50) == 0 ? Draw(1500000) : Draw(delay_max_us_));
    };
    cluster_.copy_delay = [this](NodeId) { return Micros(Draw(healed_ ? 5000 : 400000)); };
    cluster_.disk_delay = [this](NodeId) {
      return Micros(!healed_ && Draw(100) == 0 ? Draw(400000) : Draw(disk_max_us_));
    };
    cluster_.filter = [this](const Envelope& envelope) {
      if (healed_) return true;
      if (Draw(100) < duplicate_percent_) {
        cluster_.Deliver(envelope, Micros(Draw(300000)));
      }
      return Draw(100) >= drop_percent_;
    };
  }

  void Run() {
    Write();
    if (crashes_ || cuts_ || damages_) Misfortune();
    cluster_.RunFor(Millis(3000));
    Heal();
    cluster_.RunFor(Millis(4000));
    writing_ = false;
    const NodeId leader = cluster_.Leader();
    cluster_.oracle().Expect(leader != kNoNode, "no leader after healing");
    if (leader == kNoNode) return;
    const auto last = cluster_.Propose(leader, "after the storm");
    cluster_.RunFor(Millis(3000));
    if (!last.ok()) {
      return cluster_.oracle().Fail("refused after healing: " + last.status().ToString());
    }
    for (NodeId node : cluster_.ids()) {
      if (cluster_.core(node).commit_index() >= *last) continue;
      cluster_.oracle().Fail(absl::StrCat("node ", node.value(), " did not commit after healing"));
    }
  }

  const std::vector<std::string>& violations() { return cluster_.oracle().violations(); }
  size_t committed() { return cluster_.oracle().committed(); }

 private:
  static ClusterOptions Options(uint64_t seed, Stage stage) {
    SeededRandom random(seed * 31 + 7);
    ClusterOptions options;
    options.seed = seed;
    options.stage = stage;
    options.nodes = random.Below(2) == 0 ? 3 : 5;
    const size_t batch = 1 + random.Below(200);
    const size_t window = 1 + random.Below(1000);
    const size_t uncommitted = 100 + random.Below(2000);
    options.adjust = [=](CoreOptions& core) {
      core.append_bytes_max = batch;
      core.inflight_bytes_max = window;
      core.uncommitted_bytes_max = uncommitted;
      core.timing.append_retry = Millis(300);
    };
    return options;
  }

  uint64_t Draw(uint64_t bound) { return bound == 0 ? 0 : random_.Below(bound); }
  NodeId Anyone() { return NodeId(static_cast<int32_t>(1 + Draw(cluster_.ids().size()))); }

  // Clients that write to whoever thinks that it leads, in bursts with pauses between.
  void Write() {
    if (!writing_) return;
    for (NodeId node : cluster_.ids()) {
      if (!cluster_.alive(node) || !cluster_.core(node).is_leader()) continue;
      for (uint64_t i = Draw(4); i > 0; --i) {
        (void)cluster_.Propose(node, absl::StrCat("w", ++writes_));
      }
      if (Draw(10) == 0) {
        cluster_.Do(node, [this](Core& core) { core.TrimTail(Draw(100)); });
      }
      if (drops_ && Draw(10) == 0) {
        const NodeId dropping = Draw(2) == 0 ? node : Anyone();
        if (cluster_.alive(dropping)) {
          const LogIndex commit = cluster_.core(dropping).commit_index();
          cluster_.DropPrefix(dropping, commit - static_cast<int64_t>(Draw(20)));
        }
      }
      if (!healed_ && Draw(60) == 0) {
        cluster_.Do(node, [this](Core& core) { (void)core.Transfer(kNoNode, cluster_.now()); });
      }
    }
    cluster_.At(Micros(Draw(20) == 0 ? 200000 : 1000 + Draw(20000)), [this] { Write(); });
  }

  void Misfortune() {
    if (healed_) return;
    if (crashes_ && Draw(2) == 0) CrashOne();
    if (cuts_ && Draw(2) == 0) CutOne();
    if (damages_ && Draw(2) == 0) DamageOne();
    cluster_.At(Millis(Draw(500)), [this] { Misfortune(); });
  }

  void CrashOne() {
    const NodeId node = Anyone();
    if (!cluster_.alive(node)) return;
    const bool power = Draw(2) == 0 && (stage_ == Stage::kDurable || MinorityIsInDoubtWith(node));
    cluster_.Crash(node, power ? Cluster::Loss::kPower : Cluster::Loss::kProcess);
    if (Draw(2) == 0) {
      cluster_.At(Millis(Draw(100)), [this, node] {
        if (!cluster_.alive(node)) cluster_.AnnounceDown(node);
      });
    }
    cluster_.At(Millis(Draw(800)), [this, node] { Revive(node); });
  }

  void DamageOne() {
    const NodeId node = Anyone();
    if (cluster_.alive(node) && MinorityIsInDoubtWith(node)) cluster_.LoseLog(node);
  }

  // Where written counts, or with damaged logs, what a minority loses is nothing (D3); with a
  // majority it may be.
  bool MinorityIsInDoubtWith(NodeId losing) {
    size_t in_doubt = 1;
    for (NodeId node : cluster_.ids()) {
      if (node != losing && cluster_.in_doubt(node)) ++in_doubt;
    }
    return 2 * in_doubt < cluster_.ids().size();
  }

  void Revive(NodeId node) {
    if (cluster_.alive(node)) return;
    cluster_.Restart(node);
    cluster_.AnnounceRestarted(node);
  }

  void CutOne() {
    const NodeId a = Anyone();
    const NodeId b = Anyone();
    if (a == b) return;
    cluster_.Cut(a, b);
    cluster_.At(Millis(400), [this, a, b] {
      cluster_.Do(a, [&](Core& core) { core.NodeSuspect(b, cluster_.now()); });
      cluster_.Do(b, [&](Core& core) { core.NodeSuspect(a, cluster_.now()); });
    });
    cluster_.At(Millis(Draw(1500)), [this, a, b] { MendOne(a, b); });
  }

  void MendOne(NodeId a, NodeId b) {
    cluster_.Mend(a, b);
    for (auto [self, other] : {std::pair(a, b), std::pair(b, a)}) {
      cluster_.Do(self, [&, peer = other](Core& core) {
        core.NodeUp(peer, cluster_.now());
        core.PeerReset(peer, cluster_.now());
      });
    }
  }

  void Heal() {
    healed_ = true;
    delay_max_us_ = 500;
    disk_max_us_ = 500;
    for (NodeId node : cluster_.ids()) Revive(node);
    for (NodeId a : cluster_.ids()) {
      for (NodeId b : cluster_.ids()) {
        if (a < b) MendOne(a, b);
      }
    }
    // Cuts and crashes that were under way end within two seconds; the links are told once more.
    cluster_.At(Millis(2000), [this] {
      for (NodeId a : cluster_.ids()) {
        for (NodeId b : cluster_.ids()) {
          if (a < b) MendOne(a, b);
        }
        CheckLeaders(a);
      }
    });
  }

  // What the digests in heartbeats do (D16): whoever believes in a leader that does not lead is
  // told.
  void CheckLeaders(NodeId node) {
    const NodeId leader = cluster_.core(node).leader();
    if (leader != kNoNode && leader != node && !cluster_.core(leader).is_leader()) {
      const Term term = cluster_.core(leader).term();
      cluster_.Do(node, [&](Core& core) { core.LeaderLost(leader, term, cluster_.now()); });
    }
    cluster_.At(Millis(100), [this, node] { CheckLeaders(node); });
  }

  SeededRandom random_;
  Cluster cluster_;
  uint64_t drop_percent_ = 0;
  uint64_t duplicate_percent_ = 0;
  uint64_t delay_max_us_ = 0;
  uint64_t disk_max_us_ = 0;
  bool crashes_ = false;
  bool cuts_ = false;
  bool drops_ = false;
  bool damages_ = false;
  Stage stage_ = Stage::kDurable;
  bool healed_ = false;
  bool writing_ = true;
  int writes_ = 0;
};

// GARAM_RAFT_FIRST_SEED repeats one.
uint64_t FirstSeed() {
  const char* value = std::getenv("GARAM_RAFT_FIRST_SEED");
  return value == nullptr ? 1 : std::strtoull(value, nullptr, 10);
}

void RunSeeds(Stage stage) {
  const uint64_t first = FirstSeed();
  const uint64_t count = SeedsToRun(250);
  size_t committed = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Storm storm(seed, stage);
    storm.Run();
    ASSERT_THAT(storm.violations(), IsEmpty()) << "GARAM_RAFT_FIRST_SEED=" << seed;
    committed += storm.committed();
  }
  EXPECT_GT(committed, count * 20) << "the storms let too little through to prove anything";
}

TEST(RandomRuns, KeepTheRaftPropertiesWhenDurableCounts) { RunSeeds(Stage::kDurable); }

TEST(RandomRuns, KeepTheRaftPropertiesWhenWrittenCounts) { RunSeeds(Stage::kWritten); }

}  // namespace
}  // namespace garam::raft
