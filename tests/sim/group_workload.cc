#include "tests/sim/group_workload.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/groups/group_partition.h"
#include "coordinator/metadata_image.h"

namespace garam::sim {
namespace {

constexpr int kPartitions = 2;
// Of each group; 0: whoever commits is no member.
constexpr std::array kMembers = {0, 2, 3};
constexpr int kConsumers = 3;  // Of the group of the consumer protocol.

}  // namespace

void GroupWorkload::Start() {
  const std::string topic(kOffsetsTopic);
  workload_.EnsureTopic(topic, kPartitions);
  for (int32_t partition = 0; partition < kPartitions; ++partition) {
    targets_.push_back({topic, partition});
    workload_.AlsoMoves(targets_.back());
  }
  for (const int members : kMembers) {
    GroupClients::Options options;
    options.group = absl::StrCat("group", groups_.size());
    options.members = members;
    options.reach = [this, group = options.group](GroupClients::Work work) {
      Reach(group, std::move(work));
    };
    groups_.push_back(std::make_unique<GroupClients>(world_, std::move(options)));
    groups_.back()->Start();
  }
  ConsumerMembers::Options options;
  options.group = "consumers";
  options.topic = "t0";
  options.partitions = options_.partitions;
  options.members = kConsumers;
  options.pauses = options_.has(Fault::kPause);
  options.reach = [this, group = options.group](ConsumerMembers::Work work) {
    Reach(group, std::move(work));
  };
  consumers_ = std::make_unique<ConsumerMembers>(world_, std::move(options));
  consumers_->Start();
}

void GroupWorkload::Stop() {
  if (consumers_ != nullptr) consumers_->Stop();
  for (const auto& group : groups_) group->Stop();
}

bool GroupWorkload::settled() const {
  return (consumers_ == nullptr || consumers_->settled()) &&
         std::all_of(groups_.begin(), groups_.end(),
                     [](const auto& group) { return group->settled(); });
}

std::string GroupWorkload::Waiting() const {
  std::string waiting;
  for (const auto& group : groups_) {
    if (!group->settled()) absl::StrAppend(&waiting, " ", group->group());
  }
  if (consumers_ != nullptr && !consumers_->settled()) waiting += consumers_->ToString();
  return waiting;
}

const Workload::Target& GroupWorkload::TargetOf(const std::string& group) const {
  return targets_[static_cast<size_t>(GroupPartition(group, kPartitions))];
}

void GroupWorkload::Reach(const std::string& group, GroupClients::Work work) {
  const Workload::Target& target = TargetOf(group);
  SimNode* node = workload_.BelievedLeader(target);
  if (node == nullptr) return;
  workload_.OnPartition(
      *node, target,
      [work = std::move(work)](SimNode&, const std::shared_ptr<Partition>& partition) {
        const Term term = std::dynamic_pointer_cast<DataPartition>(partition)->confirmed_term();
        partition->WithGroups([&](GroupCoordinator& groups) { work(groups, term); });
      });
}

std::string GroupWorkload::WrongAt(DataPartition& partition, const GroupClients& clients,
                                   bool leads) const {
  if (oracle_.may_lose(partition.group())) return "";
  std::string wrong;
  partition.WithGroups([&](GroupCoordinator& groups) {
    if (leads && !groups.leads()) return;
    const GroupStore::Group* kept = groups.store().Find(clients.group());
    wrong = clients.WrongIn(kept == nullptr ? GroupStore::Offsets() : kept->offsets,
                            leads ? partition.confirmed_term() : GroupClients::kLatest);
  });
  return wrong;
}

std::string GroupWorkload::WrongAtCoordinators() const {
  for (const auto& group : groups_) {
    const auto leader = workload_.LeaderOf(TargetOf(group->group()));
    if (leader == nullptr) continue;
    std::string wrong = WrongAt(*leader, *group, /*leads=*/true);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string GroupWorkload::WrongAnywhere() const {
  for (const auto& node : nodes_) {
    for (const auto& group : groups_) {
      const Workload::Target& target = TargetOf(group->group());
      const auto partition = node->core().Find(target.topic, target.partition);
      if (!partition.ok()) continue;
      std::string wrong =
          WrongAt(dynamic_cast<DataPartition&>(**partition), *group, /*leads=*/false);
      if (!wrong.empty()) return absl::StrCat("node ", node->id().value(), ": ", wrong);
    }
  }
  return "";
}

}  // namespace garam::sim
