#include "coordinator/groups/member_reconciler.h"

#include <algorithm>
#include <utility>

namespace garam {
namespace {

// Whether the member may still be reading some of `partitions`.
bool MayOwn(const ReconcileStep& step, const HeldPartitions& partitions) {
  if (partitions.empty()) return false;
  if (step.owned == nullptr) return true;
  return std::any_of(step.owned->begin(), step.owned->end(), [&](const auto& topic) {
    const auto held = partitions.find(topic.first);
    return held != partitions.end() &&
           std::any_of(topic.second.begin(), topic.second.end(),
                       [&](int32_t partition) { return held->second.contains(partition); });
  });
}

bool IsTarget(const ReconcileStep& step, const TopicId& topic, int32_t partition) {
  if (!step.subscribed.contains(topic)) return false;
  const auto found = step.target.find(topic);
  return found != step.target.end() &&
         std::binary_search(found->second.begin(), found->second.end(), partition);
}

bool Holds(const HeldPartitions& held, const TopicId& topic, int32_t partition) {
  const auto found = held.find(topic);
  return found != held.end() && found->second.contains(partition);
}

void EnterEpoch(ConsumerMember& member, int32_t epoch) {
  member.previous_epoch = std::exchange(member.epoch, epoch);
}

// Parts `held` into what is the member's by the target, and what is not.
void Split(const ReconcileStep& step, const HeldPartitions& held, HeldPartitions& kept,
           HeldPartitions& lost) {
  for (const auto& [topic, partitions] : held) {
    for (const auto& [partition, epoch] : partitions) {
      (IsTarget(step, topic, partition) ? kept : lost)[topic][partition] = epoch;
    }
  }
}

ConsumerMember TowardsTarget(const ConsumerMember& member, const ReconcileStep& step) {
  ConsumerMember next = member;
  next.assigned.clear();
  next.revoking.clear();
  Split(step, member.assigned, next.assigned, next.revoking);
  if (MayOwn(step, next.revoking)) {
    next.state = MemberState::kUnrevokedPartitions;
    EnterEpoch(next, member.epoch);
    return next;
  }
  next.revoking.clear();
  bool waits = false;
  for (const auto& [topic, partitions] : step.target) {
    if (!step.subscribed.contains(topic)) continue;
    for (const int32_t partition : partitions) {
      if (Holds(next.assigned, topic, partition)) continue;
      // What it was to give up, and is its own again, nobody else has.
      if (step.is_free(topic, partition) || Holds(member.revoking, topic, partition)) {
        next.assigned[topic][partition] = step.target_epoch;
      } else {
        waits = true;
      }
    }
  }
  next.state = waits ? MemberState::kUnreleasedPartitions : MemberState::kStable;
  EnterEpoch(next, step.target_epoch);
  return next;
}

// Takes from the member what it is no longer subscribed to; its epoch stays.
std::optional<ConsumerMember> DropUnsubscribed(const ConsumerMember& member,
                                               const ReconcileStep& step) {
  ConsumerMember next = member;
  for (const auto& [topic, partitions] : member.assigned) {
    if (step.subscribed.contains(topic)) continue;
    next.revoking[topic].insert(partitions.begin(), partitions.end());
    next.assigned.erase(topic);
  }
  if (next.assigned == member.assigned) return std::nullopt;
  EnterEpoch(next, member.epoch);
  if (MayOwn(step, next.revoking)) {
    next.state = MemberState::kUnrevokedPartitions;
  } else {
    next.revoking = member.revoking;
  }
  return next;
}

}  // namespace

TopicPartitions WithoutEpochs(const HeldPartitions& held) {
  TopicPartitions plain;
  for (const auto& [topic, partitions] : held) {
    for (const auto& [partition, epoch] : partitions) plain[topic].push_back(partition);
  }
  return plain;
}

std::optional<ConsumerMember> Reconcile(const ConsumerMember& member, const ReconcileStep& step) {
  const auto drop = [&] {
    return step.subscription_changed ? DropUnsubscribed(member, step) : std::nullopt;
  };
  std::optional<ConsumerMember> next;
  switch (member.state) {
    case MemberState::kStable:
      if (member.epoch == step.target_epoch) return drop();
      next = TowardsTarget(member, step);
      break;
    case MemberState::kUnrevokedPartitions:
      if (MayOwn(step, member.revoking)) return drop();
      next = TowardsTarget(member, step);
      break;
    case MemberState::kUnreleasedPartitions:
      next = TowardsTarget(member, step);
      break;
  }
  // Nothing has come of it: there is nothing to keep.
  if (next && next->epoch == member.epoch && next->state == member.state &&
      next->assigned == member.assigned && next->revoking == member.revoking) {
    return std::nullopt;
  }
  return next;
}

}  // namespace garam
