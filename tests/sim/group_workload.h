// The consumer groups of a simulated cluster, and __consumer_offsets, which keeps them: what its
// leaders and, in the end, all of its replicas know has to be what clients were told.
//
// Threads: the world's one. Ownership: what it is given outlives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/consumer_members.h"
#include "tests/sim/group_clients.h"
#include "tests/sim/node.h"
#include "tests/sim/options.h"
#include "tests/sim/oracle.h"
#include "tests/sim/workload.h"
#include "tests/sim/world.h"

namespace garam::sim {

class GroupWorkload {
 public:
  GroupWorkload(World& world, Oracle& oracle, Workload& workload,
                const std::vector<std::unique_ptr<SimNode>>& nodes, const Options& options)
      : world_(world), oracle_(oracle), workload_(workload), nodes_(nodes), options_(options) {}

  void Start();
  // As GroupClients has them.
  void Stop();
  bool settled() const;
  // Whoever is not, for a person.
  std::string Waiting() const;

  // The partitions of __consumer_offsets; none before Start.
  const std::vector<Workload::Target>& targets() const { return targets_; }

  // Empty, or what is wrong with what the coordinators say that lead now.
  std::string WrongAtCoordinators() const;
  // The same of every replica, once all that is committed is there.
  std::string WrongAnywhere() const;

 private:
  const Workload::Target& TargetOf(const std::string& group) const;
  void Reach(const std::string& group, GroupClients::Work work);
  std::string WrongAt(DataPartition& partition, const GroupClients& clients, bool leads) const;

  World& world_;
  Oracle& oracle_;
  Workload& workload_;
  const std::vector<std::unique_ptr<SimNode>>& nodes_;
  const Options& options_;
  std::vector<Workload::Target> targets_;
  std::vector<std::unique_ptr<GroupClients>> groups_;
  std::unique_ptr<ConsumerMembers> consumers_;  // None before Start.
};

}  // namespace garam::sim
