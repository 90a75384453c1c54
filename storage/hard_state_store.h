// What the Raft groups of one broker must not forget: term and vote of many groups in one synced
// write, and the rows of design decision D3 that say whose log may have lost its tail.
//
// Threads:   any; every call blocks: run it on the BlockingPool.
// Ownership: `kv` must outlive the store.
// Errors:    Errc::kStorage; kDataLoss with one clear line for a row of an unknown format.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hard_state.h"
#include "common/ids.h"
#include "storage/kv_store.h"

namespace garam::storage {

// In the place of a boot id, and equal to none: the log was damaged and began anew.
inline constexpr char kDamagedLog[] = "damaged";

// Who wrote the rows of a store.
struct RowsOwner {
  Incarnation incarnation;
  // They begin after earlier ones were lost: what lies in the folders may be older than they.
  bool rebuilt = false;
};

class HardStateStore {
 public:
  explicit HardStateStore(KvStore& kv) : kv_(kv) {}

  // On stable storage on return, all of them or none.
  absl::Status Save(const std::vector<std::pair<GroupId, HardState>>& states);
  // Nothing for a group that never saved one.
  absl::StatusOr<std::optional<HardState>> Load(GroupId group);
  absl::StatusOr<absl::flat_hash_map<GroupId, HardState>> LoadAll();

  // D3: synced before the group's first answer that counts a written-only entry. `boot_id` names
  // this run of the machine.
  absl::Status SaveUnflushed(const std::vector<GroupId>& groups, const std::string& boot_id);
  // Taken away when the log is fully flushed. Not synced: a row too many only costs a handshake.
  absl::Status ClearUnflushed(const std::vector<GroupId>& groups);
  // The boot id of the group's row, if it has one: another one than now means doubt.
  absl::StatusOr<std::optional<std::string>> LoadUnflushed(GroupId group);

  // Which of the group's replicas that this node had, one after the other, the log belongs to: the
  // index of the command that brought it in, or one more when it has left. Without a row it is 0,
  // or not known in a rebuilt store.
  absl::Status SaveSince(GroupId group, LogIndex since);
  absl::StatusOr<std::optional<LogIndex>> LoadSince(GroupId group);

  // Durable on return. Nothing for a store that is new.
  absl::Status SaveOwner(const RowsOwner& owner);
  absl::StatusOr<std::optional<RowsOwner>> LoadOwner();

  // Forgets a deleted group; durable on return.
  absl::Status Remove(GroupId group);

 private:
  KvStore& kv_;
};

}  // namespace garam::storage
