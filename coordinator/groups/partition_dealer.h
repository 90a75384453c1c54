// Deals free partitions to members that are short of some. How many partitions of which topic come
// to which class of members is settled; which member of a class gets which partition is not, and is
// decided here: the neediest member first, so that each topic spreads over the class.
//
// Threads:   one at a time. Pure.
// Ownership: `view` must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/groups/group_view.h"

namespace garam {

// So many partitions of a topic come to members of this class.
struct ClassShare {
  int32_t member_class = 0;
  int32_t partitions = 0;
};

class PartitionDealer {
 public:
  static constexpr int32_t kNobody = -1;

  // `missing`: by member, how many partitions it is short of.
  PartitionDealer(const GroupView& view, std::vector<int32_t> missing);

  // Gives the partitions without an owner to members in a rack of their replicas, an earlier rack
  // first, as far as `shares` and what the members miss allow. Lowers both.
  void DealNear(int32_t topic, std::vector<ClassShare>& shares, std::vector<int32_t>& owners);
  // Gives the others to anybody. `shares` must be as many as there are partitions without an owner,
  // and the members of each class must miss as many as all topics' shares of it.
  void DealRest(std::vector<ClassShare>& shares, std::vector<int32_t>& owners);

 private:
  static constexpr int32_t kAnyRack = -1;

  int32_t Give(std::vector<ClassShare>& shares, size_t& first, int32_t rack);
  void Enlist(int32_t member);
  void Strike(int32_t member);

  const GroupView& view_;
  std::vector<int32_t> missing_;                      // By member.
  std::map<std::string_view, int32_t> rack_numbers_;  // Of the racks that members are in.
  std::vector<int32_t> rack_of_member_;               // kAnyRack: in none that is known.
  // {-missing, member} of who is short of something, by {class, rack} and by {class, kAnyRack}.
  std::map<std::pair<int32_t, int32_t>, std::set<std::pair<int32_t, int32_t>>> needy_;
};

}  // namespace garam
