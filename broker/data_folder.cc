#include "broker/data_folder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutation.h"
#include "common/status.h"

namespace garam {

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(storage::FileSystem& files,
                                                             std::string path, NodeId node,
                                                             Random& random) {
  std::unique_ptr<DataFolder> folder(new DataFolder(files, std::move(path)));
  if (absl::Status made = folder->MakeParents(); !made.ok()) {
    return MakeError(Errc::kInvalidConfig,
                     absl::StrCat("log.dirs: the data folder ", folder->path_,
                                  " cannot be made or written: ", made.message()));
  }
  auto lock = files.Lock(folder->path_ + "/.lock");
  if (!lock.ok()) {
    bool taken = absl::IsAlreadyExists(lock.status());
    return MakeError(
        Errc::kInvalidConfig,
        taken ? absl::StrCat("log.dirs: the data folder ", folder->path_,
                             " is in use by another process; stop it or choose another folder")
              : absl::StrCat("log.dirs: the data folder ", folder->path_,
                             " cannot be written: ", lock.status().message()));
  }
  folder->lock_ = *std::move(lock);
  RETURN_IF_ERROR(folder->LoadIdentity(node, random));
  return folder;
}

// Every name on the way is durable in its own folder before anything in it is promised.
absl::Status DataFolder::MakeParents() {
  std::string parent = path_.front() == '/' ? "/" : ".";
  for (size_t slash = path_.find('/', 1);; slash = path_.find('/', slash + 1)) {
    std::string folder = path_.substr(0, slash);
    RETURN_IF_ERROR(files_.MakeDirectory(folder));
    absl::Status synced = files_.SyncDirectory(parent);
    if (slash == std::string::npos) return synced;
    parent = folder;
  }
}

absl::Status DataFolder::LoadIdentity(NodeId node, Random& random) {
  absl::StatusOr<std::string> text =
      storage::ReadWholeFile(files_, absl::StrCat(path_, "/", kNodeIdentityFile));
  if (text.ok()) {
    ASSIGN_OR_RETURN(identity_, DecodeNodeIdentity(*text));
    return CheckDataFolder(identity_, node, path_);
  }
  if (!absl::IsNotFound(text.status())) return text.status();
  identity_.node = node;
  fresh_ = true;
  return TakeNewIncarnation(random);
}

absl::Status DataFolder::TakeNewIncarnation(Random& random) {
  identity_.incarnation = Incarnation(random.Next() | 1);
  return SaveIdentity();
}

absl::Status DataFolder::StoreProposal(const FormationProposal& proposal) {
  identity_.proposal = proposal;
  if (Mutated(Mutation::kProposalNotStored)) return absl::OkStatus();
  return SaveIdentity();
}

absl::Status DataFolder::SaveIdentity() {
  return storage::ReplaceFile(files_, absl::StrCat(path_, "/", kNodeIdentityFile),
                              EncodeNodeIdentity(identity_));
}

}  // namespace garam
