#include "coordinator/groups/group_store.h"

#include <utility>
#include <variant>

#include "common/status.h"

namespace garam {

absl::Status GroupStore::Apply(const GroupRecord& record) {
  ASSIGN_OR_RETURN(const GroupRecordKey parsed, ParseKey(record.key));
  if (const auto* key = std::get_if<kafka::OffsetCommitKey>(&parsed)) {
    const TopicPartition partition{key->topic, key->partition};
    if (record.value) {
      ASSIGN_OR_RETURN(groups_[key->group].offsets[partition], ParseOffset(*record.value));
    } else if (const auto found = groups_.find(key->group); found != groups_.end()) {
      found->second.offsets.erase(partition);
      Drop(key->group);
    }
  } else if (const auto* group = std::get_if<kafka::GroupMetadataKey>(&parsed)) {
    if (record.value) {
      ASSIGN_OR_RETURN(groups_[group->group].classic, ParseMetadata(*record.value));
    } else if (const auto found = groups_.find(group->group); found != groups_.end()) {
      found->second.classic.reset();
      Drop(group->group);
    }
  }
  return absl::OkStatus();
}

void GroupStore::Drop(const std::string& group) {
  const auto found = groups_.find(group);
  if (found != groups_.end() && found->second.empty()) groups_.erase(found);
}

const GroupStore::Group* GroupStore::Find(const std::string& group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

}  // namespace garam
