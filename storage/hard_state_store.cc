#include "storage/hard_state_store.h"

#include "absl/strings/str_cat.h"
#include "common/endian.h"
#include "common/status.h"
#include "storage/log_rows.h"

namespace garam::storage {
namespace {

constexpr char kFormat = 1;
constexpr char kStatePrefix = 's';
constexpr char kUnflushedPrefix = 'u';
constexpr char kSincePrefix = 'r';
constexpr char kOwnerKey[] = "owner";
constexpr size_t kOwnerBytes = 1 + 8 + 1;
constexpr size_t kStateBytes = 1 + 4 + 4 + 8;
constexpr size_t kRowsMax = 1 << 24;  // More groups than one broker can hold.

std::string KeyOf(char prefix, GroupId group) { return GroupKey(prefix, group); }

std::string EncodeState(const HardState& state) {
  std::string value(kStateBytes, '\0');
  value[0] = kFormat;
  StoreBigEndian<int32_t>(&value[1], state.term.value());
  StoreBigEndian<int32_t>(&value[5], state.voted_for.value());
  StoreBigEndian<uint64_t>(&value[9], state.voted_incarnation.value());
  return value;
}

absl::StatusOr<HardState> DecodeState(GroupId group, const std::string& value) {
  if (value.size() != kStateBytes || value[0] != kFormat) {
    return MakeError(Errc::kStorage,
                     absl::StrCat("hard state of group ", group.value(), " has an unknown format"));
  }
  return HardState{Term(LoadBigEndian<int32_t>(&value[1])),
                   NodeId(LoadBigEndian<int32_t>(&value[5])),
                   Incarnation(LoadBigEndian<uint64_t>(&value[9]))};
}

absl::StatusOr<std::vector<KvStore::Row>> ScanPrefix(KvStore& kv, char prefix) {
  return kv.Scan(KvFamily::kHardState, std::string(1, prefix),
                 std::string(1, static_cast<char>(prefix + 1)), kRowsMax);
}

}  // namespace

absl::Status HardStateStore::Save(const std::vector<std::pair<GroupId, HardState>>& states) {
  KvBatch batch;
  for (const auto& [group, state] : states) {
    batch.Put(KvFamily::kHardState, KeyOf(kStatePrefix, group), EncodeState(state));
  }
  return kv_.Write(batch, /*sync=*/true);
}

absl::StatusOr<std::optional<HardState>> HardStateStore::Load(GroupId group) {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kHardState, KeyOf(kStatePrefix, group)));
  if (!value) return std::optional<HardState>();
  ASSIGN_OR_RETURN(HardState state, DecodeState(group, *value));
  return std::optional<HardState>(state);
}

absl::StatusOr<absl::flat_hash_map<GroupId, HardState>> HardStateStore::LoadAll() {
  ASSIGN_OR_RETURN(std::vector<KvStore::Row> rows, ScanPrefix(kv_, kStatePrefix));
  absl::flat_hash_map<GroupId, HardState> states;
  for (const auto& [key, value] : rows) {
    GroupId group = GroupOfKey(key);
    if (key != KeyOf(kStatePrefix, group)) {
      return MakeError(Errc::kStorage, "a hard state under a key of an unknown format");
    }
    ASSIGN_OR_RETURN(states[group], DecodeState(group, value));
  }
  return states;
}

absl::Status HardStateStore::SaveUnflushed(const std::vector<GroupId>& groups,
                                           const std::string& boot_id) {
  KvBatch batch;
  for (GroupId group : groups) {
    batch.Put(KvFamily::kHardState, KeyOf(kUnflushedPrefix, group),
              std::string(1, kFormat) + boot_id);
  }
  return kv_.Write(batch, /*sync=*/true);
}

absl::Status HardStateStore::ClearUnflushed(const std::vector<GroupId>& groups) {
  KvBatch batch;
  for (GroupId group : groups) batch.Delete(KvFamily::kHardState, KeyOf(kUnflushedPrefix, group));
  return kv_.Write(batch, /*sync=*/false);
}

absl::StatusOr<std::optional<std::string>> HardStateStore::LoadUnflushed(GroupId group) {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kHardState, KeyOf(kUnflushedPrefix, group)));
  if (!value) return std::optional<std::string>();
  if (value->empty() || (*value)[0] != kFormat) {
    return MakeError(Errc::kStorage, absl::StrCat("the row of group ", group.value(),
                                                  "'s unflushed log has an unknown format"));
  }
  return std::optional<std::string>(value->substr(1));
}

absl::Status HardStateStore::SaveSince(GroupId group, LogIndex since) {
  std::string value(1 + 8, kFormat);
  StoreBigEndian<int64_t>(&value[1], since.value());
  KvBatch batch;
  batch.Put(KvFamily::kHardState, KeyOf(kSincePrefix, group), std::move(value));
  return kv_.Write(batch, /*sync=*/true);
}

absl::StatusOr<std::optional<LogIndex>> HardStateStore::LoadSince(GroupId group) {
  ASSIGN_OR_RETURN(std::optional<std::string> value,
                   kv_.Get(KvFamily::kHardState, KeyOf(kSincePrefix, group)));
  if (!value) {
    ASSIGN_OR_RETURN(const std::optional<RowsOwner> owner, LoadOwner());
    return owner && owner->rebuilt ? std::nullopt : std::optional(LogIndex(0));
  }
  if (value->size() != 9 || (*value)[0] != kFormat) {
    return MakeError(Errc::kStorage, absl::StrCat("the replica row of group ", group.value(),
                                                  " has an unknown format"));
  }
  return LogIndex(LoadBigEndian<int64_t>(value->data() + 1));
}

absl::Status HardStateStore::SaveOwner(const RowsOwner& owner) {
  std::string value(kOwnerBytes, kFormat);
  StoreBigEndian<uint64_t>(&value[1], owner.incarnation.value());
  value.back() = owner.rebuilt ? 1 : 0;
  KvBatch batch;
  batch.Put(KvFamily::kHardState, kOwnerKey, std::move(value));
  return kv_.Write(batch, /*sync=*/true);
}

absl::StatusOr<std::optional<RowsOwner>> HardStateStore::LoadOwner() {
  ASSIGN_OR_RETURN(std::optional<std::string> value, kv_.Get(KvFamily::kHardState, kOwnerKey));
  if (!value) return std::optional<RowsOwner>();
  if (value->size() != kOwnerBytes || value->front() != kFormat) {
    return MakeError(Errc::kStorage, "the row of the store's owner has an unknown format");
  }
  return std::optional<RowsOwner>(
      {Incarnation(LoadBigEndian<uint64_t>(value->data() + 1)), value->back() != 0});
}

absl::Status HardStateStore::Remove(GroupId group) {
  KvBatch batch;
  batch.Delete(KvFamily::kHardState, KeyOf(kStatePrefix, group));
  batch.Delete(KvFamily::kHardState, KeyOf(kUnflushedPrefix, group));
  batch.Delete(KvFamily::kHardState, KeyOf(kSincePrefix, group));
  return kv_.Write(batch, /*sync=*/true);
}

}  // namespace garam::storage
