// What the committed records of one partition of __consumer_offsets say: every replica keeps it, so
// that a new coordinator knows it at once (D21).
//
// Threads: its owner's.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "coordinator/groups/consumer_types.h"
#include "coordinator/groups/group_records.h"
#include "coordinator/groups/group_types.h"

namespace garam {

class GroupStore {
 public:
  using Offsets = std::map<TopicPartition, CommittedOffset>;

  struct Group {
    // A group that went from one protocol to the other has the records of one only.
    std::optional<kafka::GroupMetadataValue> classic{};
    std::optional<ConsumerGroupState> consumer{};
    Offsets offsets{};
    bool empty() const { return !classic.has_value() && !consumer.has_value() && offsets.empty(); }
  };

  // Takes one committed record, in the order of the log. kCorruptRecord, kUnsupportedVersion: it is
  // left out.
  absl::Status Apply(const GroupRecord& record);
  void Clear() { groups_.clear(); }

  // Null when nothing is kept of the group.
  const Group* Find(const std::string& group) const;
  const absl::flat_hash_map<std::string, Group>& groups() const { return groups_; }

 private:
  absl::Status ApplyConsumer(const std::string& group, const GroupRecordKey& key,
                             const std::optional<Bytes>& value);
  void Drop(const std::string& group);

  absl::flat_hash_map<std::string, Group> groups_;
};

}  // namespace garam
