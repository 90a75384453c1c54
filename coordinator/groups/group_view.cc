#include "coordinator/groups/group_view.h"

#include <algorithm>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status.h"

namespace garam {

absl::StatusOr<GroupView> GroupView::Of(std::span<const AssignorMember> members,
                                        std::span<const AssignorTopic> topics) {
  GroupView view;
  view.members.reserve(members.size());
  for (const AssignorMember& member : members) view.members.push_back(&member);
  std::sort(view.members.begin(), view.members.end(),
            [](const auto* a, const auto* b) { return a->member_id < b->member_id; });
  view.topics.reserve(topics.size());
  for (const AssignorTopic& topic : topics) view.topics.push_back(&topic);
  std::sort(view.topics.begin(), view.topics.end(), [](const auto* a, const auto* b) {
    return std::tie(a->name, a->id) < std::tie(b->name, b->id);
  });
  for (const AssignorTopic* topic : view.topics) {
    view.topic_numbers.emplace(topic->id, static_cast<int32_t>(view.topic_numbers.size()));
  }
  absl::flat_hash_map<absl::Span<const TopicId>, int32_t> known;
  for (const AssignorMember* member : view.members) {
    const auto next = static_cast<int32_t>(known.size());
    const auto [found, is_new] = known.emplace(member->topics, next);
    view.subscription_of_member.push_back(found->second);
    if (!is_new) continue;
    std::vector<int32_t>& numbers = view.subscriptions.emplace_back();
    for (const TopicId& id : member->topics) {
      const auto topic = view.topic_numbers.find(id);
      if (topic == view.topic_numbers.end()) {
        return MakeError(Errc::kUnknownTopicId,
                         absl::StrCat("member ", member->member_id, " is subscribed to topic ",
                                      id.ToString(), ", which does not exist"));
      }
      numbers.push_back(topic->second);
    }
    std::sort(numbers.begin(), numbers.end());
  }
  return view;
}

std::span<const std::string> GroupView::RacksOf(int32_t topic, int32_t partition) const {
  const auto& racks = topics[topic]->racks;
  if (static_cast<size_t>(partition) >= racks.size()) return {};
  return racks[partition];
}

}  // namespace garam
