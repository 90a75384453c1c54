// How a member comes from what it has to what it is to have (KIP-848): first it gives up what is
// not its own any more, then it goes to the epoch of the assignment, and takes what nobody else
// has.
//
//   Stable ──to give something up──► UnrevokedPartitions ──has given it up──► Stable
//     └─────────others have what it is to get──────────► UnreleasedPartitions ──they have it not──►
//     Stable
//
// Pure. Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "absl/functional/function_ref.h"
#include "coordinator/groups/consumer_types.h"

namespace garam {

struct ReconcileStep {
  int32_t target_epoch = 0;
  const TopicPartitions& target;
  // What the member is subscribed to: nothing else counts of the target.
  const std::set<TopicId>& subscribed;
  // What is not its own any more it gives up at once, without waiting for the next assignment.
  bool subscription_changed = false;
  // What the member says that it has; null: it says nothing.
  const TopicPartitions* owned = nullptr;
  // Whether no member has the partition.
  absl::FunctionRef<bool(const TopicId&, int32_t)> is_free;
};

// The member after the step; nothing when it stays as it is.
std::optional<ConsumerMember> Reconcile(const ConsumerMember& member, const ReconcileStep& step);

// What is held, without saying since when.
TopicPartitions WithoutEpochs(const HeldPartitions& held);

}  // namespace garam
