// The broker's data folder: locked for this process, with the identity of the node whose it is.
//
// Threads: any one; blocks. Errors: one clear line each; kInvalidConfig when the folder cannot be
// used as configured, kStorage when the disk fails.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/random.h"
#include "coordinator/node_identity_file.h"
#include "storage/file_system.h"

namespace garam {

class DataFolder {
 public:
  // Makes the folder when it is missing, locks it, and reads its identity or makes one, durably.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(storage::FileSystem& files,
                                                          std::string path, NodeId node,
                                                          Random& random);

  const std::string& path() const { return path_; }
  // RocksDB's folder.
  std::string kv_path() const { return path_ + "/kv"; }
  const StoredIdentity& identity() const { return identity_; }
  // Whether the identity was made by Open.
  bool fresh() const { return fresh_; }

  // Stores the proposal of D19, durably. Blocks.
  absl::Status StoreProposal(const FormationProposal& proposal);
  // This node has forgotten what it promised: it is another one from now on, durably. Blocks.
  absl::Status TakeNewIncarnation(Random& random);

 private:
  DataFolder(storage::FileSystem& files, std::string path)
      : files_(files), path_(std::move(path)) {}

  absl::Status MakeParents();
  absl::Status LoadIdentity(NodeId node, Random& random);
  absl::Status SaveIdentity();

  storage::FileSystem& files_;
  const std::string path_;
  std::unique_ptr<storage::FileLock> lock_;
  StoredIdentity identity_;
  bool fresh_ = false;
};

}  // namespace garam
