#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "common/status.h"
#include "coordinator/groups/assignor.h"
#include "coordinator/groups/group_view.h"

namespace garam {
namespace {

// Static members first: their places must not hang on whoever else comes and goes.
std::pair<bool, std::string_view> PlaceOf(const AssignorMember& member) {
  if (member.instance_id.has_value()) return {false, *member.instance_id};
  return {true, member.member_id};
}

std::vector<int32_t> Range(int32_t first, int32_t count) {
  std::vector<int32_t> range(count);
  std::iota(range.begin(), range.end(), first);
  return range;
}

}  // namespace

absl::StatusOr<GroupAssignment> AssignRange(std::span<const AssignorMember> members,
                                            std::span<const AssignorTopic> topics) {
  ASSIGN_OR_RETURN(const GroupView view, GroupView::Of(members, topics));
  std::vector<size_t> order(view.members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&view](size_t a, size_t b) {
    return PlaceOf(*view.members[a]) < PlaceOf(*view.members[b]);
  });

  GroupAssignment assignment;
  std::vector<std::vector<TopicPartitions*>> subscribers(view.topics.size());
  for (size_t member : order) {
    TopicPartitions& partitions = assignment[view.members[member]->member_id];
    for (int32_t topic : view.TopicsOf(member)) subscribers[topic].push_back(&partitions);
  }
  for (size_t topic = 0; topic < subscribers.size(); ++topic) {
    if (subscribers[topic].empty()) continue;
    const auto among = static_cast<int32_t>(subscribers[topic].size());
    const int32_t share = view.topics[topic]->partition_count / among;
    int32_t one_more = view.topics[topic]->partition_count % among;
    int32_t first = 0;
    for (TopicPartitions* partitions : subscribers[topic]) {
      const int32_t count = share + (one_more-- > 0 ? 1 : 0);
      if (count == 0) break;  // Fewer partitions than subscribers: the rest gets none.
      partitions->emplace(view.topics[topic]->id, Range(first, count));
      first += count;
    }
  }
  return assignment;
}

}  // namespace garam
