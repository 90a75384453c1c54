// What consumer groups have to know of the cluster's topics.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/functional/function_ref.h"
#include "common/uuid.h"
#include "coordinator/groups/assignor.h"

namespace garam {

// The topics there are at one moment; it never changes. Threads: any.
class GroupTopics {
 public:
  virtual ~GroupTopics() = default;

  // Larger, the later it is. The same version: the same topics.
  virtual int64_t version() const = 0;
  // With racks. Nothing when there is no such topic.
  virtual std::optional<AssignorTopic> Find(const std::string& name) const = 0;
  // Nothing when there is no such topic any more.
  virtual std::optional<std::string> NameOf(const TopicId& id) const = 0;
  // In the order of the names.
  virtual void ForEachName(absl::FunctionRef<void(const std::string& name)> visit) const = 0;
};

// A number that changes when something does that an assignment hangs on: which topics these are,
// how many partitions they have, in which racks their replicas are. The same in every process; 0
// for no topics at all. `topics` in the order of their names.
int64_t HashTopics(std::span<const AssignorTopic> topics);

}  // namespace garam
