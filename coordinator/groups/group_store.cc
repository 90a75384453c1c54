#include "coordinator/groups/group_store.h"

#include <utility>
#include <variant>

#include "common/status.h"
#include "coordinator/groups/consumer_records.h"

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
  } else if (const std::string* const consumers = ConsumerGroupOf(parsed)) {
    return ApplyConsumer(*consumers, parsed, record.value);
  }
  return absl::OkStatus();
}

absl::Status GroupStore::ApplyConsumer(const std::string& group, const GroupRecordKey& key,
                                       const std::optional<Bytes>& value) {
  if (value) {
    std::optional<ConsumerGroupState>& state = groups_[group].consumer;
    if (!state) state.emplace();
    return ApplyConsumerRecord(key, value, *state);
  }
  const auto found = groups_.find(group);
  if (found == groups_.end() || !found->second.consumer) return absl::OkStatus();
  if (std::holds_alternative<kafka::ConsumerGroupMetadataKey>(key)) {
    found->second.consumer.reset();
    Drop(group);
    return absl::OkStatus();
  }
  return ApplyConsumerRecord(key, value, *found->second.consumer);
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
