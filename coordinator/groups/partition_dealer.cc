#include "coordinator/groups/partition_dealer.h"

namespace garam {

PartitionDealer::PartitionDealer(const GroupView& view, std::vector<int32_t> missing)
    : view_(view), missing_(std::move(missing)) {
  for (size_t member = 0; member < view.members.size(); ++member) {
    int32_t rack = kAnyRack;
    if (view.members[member]->rack.has_value()) {
      const auto next = static_cast<int32_t>(rack_numbers_.size());
      rack = rack_numbers_.emplace(*view.members[member]->rack, next).first->second;
    }
    rack_of_member_.push_back(rack);
    Enlist(static_cast<int32_t>(member));
  }
}

void PartitionDealer::DealNear(int32_t topic, std::vector<ClassShare>& shares,
                               std::vector<int32_t>& owners) {
  if (rack_numbers_.empty()) return;
  std::map<int32_t, size_t> first_of_rack;
  for (size_t partition = 0; partition < owners.size(); ++partition) {
    if (owners[partition] != kNobody) continue;
    for (const std::string& name : view_.RacksOf(topic, static_cast<int32_t>(partition))) {
      const auto rack = rack_numbers_.find(name);
      if (rack == rack_numbers_.end()) continue;
      owners[partition] = Give(shares, first_of_rack[rack->second], rack->second);
      if (owners[partition] != kNobody) break;
    }
  }
}

void PartitionDealer::DealRest(std::vector<ClassShare>& shares, std::vector<int32_t>& owners) {
  size_t first = 0;
  for (int32_t& owner : owners) {
    if (owner == kNobody) owner = Give(shares, first, kAnyRack);
  }
}

// The member that gets the next partition, or kNobody. Shares before `first` have nothing for this
// rack; what has nothing now never has again, which keeps the search short.
int32_t PartitionDealer::Give(std::vector<ClassShare>& shares, size_t& first, int32_t rack) {
  for (; first < shares.size(); ++first) {
    if (shares[first].partitions == 0) continue;
    const auto needy = needy_.find({shares[first].member_class, rack});
    if (needy == needy_.end() || needy->second.empty()) continue;
    const int32_t member = needy->second.begin()->second;
    Strike(member);
    --missing_[member];
    Enlist(member);
    --shares[first].partitions;
    return member;
  }
  return kNobody;
}

void PartitionDealer::Enlist(int32_t member) {
  if (missing_[member] == 0) return;
  const std::pair<int32_t, int32_t> entry(-missing_[member], member);
  needy_[{view_.subscription_of_member[member], kAnyRack}].insert(entry);
  if (rack_of_member_[member] == kAnyRack) return;
  needy_[{view_.subscription_of_member[member], rack_of_member_[member]}].insert(entry);
}

void PartitionDealer::Strike(int32_t member) {
  const std::pair<int32_t, int32_t> entry(-missing_[member], member);
  needy_[{view_.subscription_of_member[member], kAnyRack}].erase(entry);
  if (rack_of_member_[member] == kAnyRack) return;
  needy_[{view_.subscription_of_member[member], rack_of_member_[member]}].erase(entry);
}

}  // namespace garam
