#include "broker/lost_rows.h"

#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/status.h"
#include "raft/configuration.h"
#include "storage/hard_state_store.h"
#include "storage/log_identity.h"
#include "storage/log_recovery.h"

namespace garam {
namespace {

constexpr int32_t kIndexIntervalBytes = 4096;

// The members of group 0 by the latest configuration in its segments; empty when that is only what
// the node was founded with.
absl::StatusOr<raft::Configuration> MetadataMembers(storage::FileSystem& files,
                                                    storage::KvStore& kv,
                                                    const DataFolder& folder) {
  const storage::LogIdentity identity{kMetadataGroup, "__cluster_metadata", 0, TopicId{}};
  const std::string dir = folder.path() + "/" + storage::LogFolderName(identity);
  if (absl::IsNotFound(files.List(dir).status())) return raft::Configuration();
  storage::LogRecovery recovery(files, kv, kMetadataGroup, dir, kIndexIntervalBytes);
  ASSIGN_OR_RETURN(const storage::RecoveredLog log, recovery.Run());
  if (log.configurations.empty()) return raft::Configuration();
  return raft::Configuration::Decode(log.configurations.back().payload);
}

// Whether the node is its cluster's only member.
absl::StatusOr<bool> IsAlone(storage::FileSystem& files, storage::KvStore& kv,
                             const DataFolder& folder) {
  const StoredIdentity& self = folder.identity();
  if (!self.proposal) return false;
  ASSIGN_OR_RETURN(const raft::Configuration members, MetadataMembers(files, kv, folder));
  if (members.empty()) return self.proposal->voters.size() == 1;
  const bool only_voter = members.VoterNodes() == std::vector<NodeId>{self.node};
  if (only_voter && !members.learners.empty()) {
    return MakeError(Errc::kStorage,
                     absl::StrCat(folder.kv_path(),
                                  " is lost, and with it the votes of the cluster's only metadata "
                                  "voter; bring the folder back"));
  }
  return only_voter;
}

}  // namespace

absl::Status CheckForLostRows(storage::FileSystem& files, storage::KvStore& kv, DataFolder& folder,
                              Random& random) {
  storage::HardStateStore store(kv);
  ASSIGN_OR_RETURN(const std::optional<storage::RowsOwner> owner, store.LoadOwner());
  if (owner && owner->incarnation == folder.identity().incarnation) return absl::OkStatus();
  if (folder.fresh()) return store.SaveOwner({folder.identity().incarnation, false});
  ASSIGN_OR_RETURN(const bool alone, IsAlone(files, kv, folder));
  if (!alone) RETURN_IF_ERROR(folder.TakeNewIncarnation(random));
  LogError("{} is lost or another node's: the logs are read anew from their segments{}",
           folder.kv_path(), alone ? "" : ", and this node begins anew as a learner of its groups");
  return store.SaveOwner({folder.identity().incarnation, true});
}

}  // namespace garam
