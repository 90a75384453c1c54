#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "common/status.h"
#include "coordinator/groups/assignor.h"
#include "coordinator/groups/even_flow.h"
#include "coordinator/groups/group_view.h"
#include "coordinator/groups/partition_dealer.h"

namespace garam {
namespace {

// The balance is a flow of partitions from topics to members. What stays goes from its topic
// straight to its member, for nothing; what comes to a member goes by the member's class and costs
// 1, so that the cheapest flow is the one that moves least. A class is all members with the same
// subscriptions: to them a new partition is the same, and there are fewer arcs through classes than
// from each topic to each member.
class UniformAssignment {
 public:
  explicit UniformAssignment(const GroupView& view);

  void Balance();
  void Deal();
  GroupAssignment Result() const;

 private:
  // What a member has of a topic at first.
  struct Holding {
    int32_t topic = 0;
    int32_t member = 0;
    std::vector<int32_t> partitions{};
  };

  void Claim();
  void Keep(Holding& holding, int32_t count);

  int32_t TopicNode(int32_t topic) const { return topic; }
  int32_t ClassNode(size_t member_class) const {
    return static_cast<int32_t>(owners_.size() + member_class);
  }
  int32_t MemberNode(size_t member) const {
    return ClassNode(view_.subscriptions.size()) + static_cast<int32_t>(member);
  }

  const GroupView& view_;
  // By topic and partition. Empty for a topic that nobody is subscribed to.
  std::vector<std::vector<int32_t>> owners_;
  std::vector<Holding> holdings_;
  std::vector<std::vector<ClassShare>> shares_;  // By topic.
  std::vector<int32_t> missing_;                 // By member: partitions that are to come.
};

UniformAssignment::UniformAssignment(const GroupView& view)
    : view_(view),
      owners_(view.topics.size()),
      shares_(view.topics.size()),
      missing_(view.members.size(), 0) {
  for (const std::vector<int32_t>& topics_of_class : view.subscriptions) {
    for (int32_t topic : topics_of_class) {
      owners_[topic].assign(view.topics[topic]->partition_count, PartitionDealer::kNobody);
    }
  }
  Claim();
}

void UniformAssignment::Claim() {
  for (size_t member = 0; member < view_.members.size(); ++member) {
    const std::vector<int32_t>& subscribed = view_.TopicsOf(member);
    for (const auto& [id, partitions] : view_.members[member]->current) {
      const auto topic = view_.topic_numbers.find(id);
      if (topic == view_.topic_numbers.end() ||
          !std::binary_search(subscribed.begin(), subscribed.end(), topic->second)) {
        continue;
      }
      Holding holding{.topic = topic->second, .member = static_cast<int32_t>(member)};
      std::vector<int32_t>& owners = owners_[topic->second];
      for (int32_t partition : partitions) {
        if (partition < 0 || static_cast<size_t>(partition) >= owners.size()) continue;
        if (owners[partition] != PartitionDealer::kNobody) continue;
        owners[partition] = holding.member;
        holding.partitions.push_back(partition);
      }
      if (!holding.partitions.empty()) holdings_.push_back(std::move(holding));
    }
  }
  // They come in the order of topic ids, which must not show in the result.
  std::sort(holdings_.begin(), holdings_.end(), [](const Holding& a, const Holding& b) {
    return std::tie(a.topic, a.member) < std::tie(b.topic, b.member);
  });
}

void UniformAssignment::Balance() {
  EvenFlow flow(MemberNode(view_.members.size()));
  std::vector<int32_t> stays;
  for (const Holding& holding : holdings_) {
    const auto count = static_cast<int32_t>(holding.partitions.size());
    stays.push_back(
        flow.AddArc(TopicNode(holding.topic), MemberNode(holding.member), count, /*cost=*/0));
  }
  std::vector<std::vector<int32_t>> comes(view_.subscriptions.size());
  for (size_t c = 0; c < view_.subscriptions.size(); ++c) {
    for (int32_t topic : view_.subscriptions[c]) {
      const auto count = static_cast<int32_t>(owners_[topic].size());
      flow.SetSupply(TopicNode(topic), count);
      comes[c].push_back(flow.AddArc(TopicNode(topic), ClassNode(c), count, /*cost=*/1));
    }
  }
  std::vector<int32_t> gets;
  for (size_t member = 0; member < view_.members.size(); ++member) {
    gets.push_back(flow.AddArc(ClassNode(view_.subscription_of_member[member]), MemberNode(member),
                               std::numeric_limits<int32_t>::max(), /*cost=*/0));
    flow.SetBin(MemberNode(member));
  }
  flow.Solve();

  for (size_t i = 0; i < holdings_.size(); ++i) Keep(holdings_[i], flow.FlowOf(stays[i]));
  for (size_t c = 0; c < comes.size(); ++c) {
    for (size_t i = 0; i < comes[c].size(); ++i) {
      const int32_t partitions = flow.FlowOf(comes[c][i]);
      if (partitions == 0) continue;
      shares_[view_.subscriptions[c][i]].push_back({static_cast<int32_t>(c), partitions});
    }
  }
  for (size_t member = 0; member < gets.size(); ++member) {
    missing_[member] = flow.FlowOf(gets[member]);
  }
}

// `count` partitions stay: those with a replica in the member's rack before others.
void UniformAssignment::Keep(Holding& holding, int32_t count) {
  const auto is_near = [&](int32_t partition) {
    const auto racks = view_.RacksOf(holding.topic, partition);
    return std::find(racks.begin(), racks.end(), view_.members[holding.member]->rack) !=
           racks.end();
  };
  std::stable_partition(holding.partitions.begin(), holding.partitions.end(), is_near);
  for (size_t i = count; i < holding.partitions.size(); ++i) {
    owners_[holding.topic][holding.partitions[i]] = PartitionDealer::kNobody;
  }
}

// All topics near first: what is dealt to anybody may take the place of something near.
void UniformAssignment::Deal() {
  PartitionDealer dealer(view_, missing_);
  for (size_t topic = 0; topic < owners_.size(); ++topic) {
    dealer.DealNear(static_cast<int32_t>(topic), shares_[topic], owners_[topic]);
  }
  for (size_t topic = 0; topic < owners_.size(); ++topic) {
    dealer.DealRest(shares_[topic], owners_[topic]);
  }
}

GroupAssignment UniformAssignment::Result() const {
  GroupAssignment assignment;
  std::vector<TopicPartitions*> of_member;
  for (const AssignorMember* member : view_.members) {
    of_member.push_back(&assignment[member->member_id]);
  }
  for (size_t topic = 0; topic < owners_.size(); ++topic) {
    for (size_t partition = 0; partition < owners_[topic].size(); ++partition) {
      TopicPartitions& partitions = *of_member[owners_[topic][partition]];
      partitions[view_.topics[topic]->id].push_back(static_cast<int32_t>(partition));
    }
  }
  return assignment;
}

}  // namespace

absl::StatusOr<GroupAssignment> AssignUniform(std::span<const AssignorMember> members,
                                              std::span<const AssignorTopic> topics) {
  ASSIGN_OR_RETURN(const GroupView view, GroupView::Of(members, topics));
  UniformAssignment assignment(view);
  assignment.Balance();
  assignment.Deal();
  return assignment.Result();
}

}  // namespace garam
