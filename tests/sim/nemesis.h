// What goes wrong in a simulated cluster, and when.
//
// Threads: the world's one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/options.h"
#include "tests/sim/workload.h"
#include "tests/sim/world.h"

namespace garam::sim {

class Nemesis {
 public:
  Nemesis(World& world, const Options& options, Network& network, Workload& workload,
          std::vector<std::unique_ptr<SimNode>>& nodes,
          std::function<void(NodeId, GroupId)> on_rotten);

  void Start();
  // No more faults; everything that is broken is whole again, and every node is up.
  void StopAndHeal();
  size_t faults() const { return faults_; }

 private:
  void Next();
  void Do(Fault fault);
  void Cut();
  void BreakDisk(SimNode& node);
  void FillDisk(SimNode& node);
  void Stop(SimNode& node);
  bool MayLose(const SimNode& node) const;
  void LosePower(SimNode& node);
  void LoseDisk(SimNode& node);
  void Rot(SimNode& node);
  void FlipIn(SimNode& node, GroupId group, const std::string& dir);
  bool RotIsGone();
  void LoseTheLatest();
  bool EverybodyIsInSync() const;
  void StartSoon(SimNode& node, Duration wait);
  SimNode& AnyNode() { return *nodes_[world_.Below(nodes_.size())]; }

  World& world_;
  const Options& options_;
  Network& network_;
  Workload& workload_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  const std::function<void(NodeId, GroupId)> on_rotten_;
  std::vector<Fault> classes_;
  std::set<NodeId> lost_power_;
  std::set<NodeId> bad_disks_;
  // The bit that has flipped, until the log that it was in is gone.
  struct Flipped {
    SimNode* node;
    std::string dir;
    std::string path;
    int64_t position;
    int bit;
    char byte;
  };
  std::optional<Flipped> flipped_;
  bool stopped_ = false;
  size_t faults_ = 0;
};

}  // namespace garam::sim
