// Writes metadata snapshots, one at a time, newest last: an older one never replaces a newer one,
// though both are asked for at once.
//
// Threads:   executor 0, where the answers come too.
// Ownership: the store, the pool and the executor outlive what is under way.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "broker/metadata_snapshot.h"
#include "common/executor.h"
#include "storage/kv_store.h"

namespace garam {

class SnapshotKeeper {
 public:
  using Done = absl::AnyInvocable<void(const absl::Status&) &&>;

  SnapshotKeeper(storage::KvStore& kv, BlockingPool& pool, Executor& home)
      : kv_(kv), pool_(pool), home_(home) {}

  // Some time, unsynced; of several that wait only the newest is written.
  void Save(const MetadataSnapshot& snapshot);
  // Now; `done` once it, or a newer one, is on stable storage.
  void Keep(const MetadataSnapshot& snapshot, Done done);

 private:
  void Note(const MetadataSnapshot& snapshot);
  void MaybeWrite();

  storage::KvStore& kv_;
  BlockingPool& pool_;
  Executor& home_;
  std::optional<MetadataSnapshot> newest_;
  bool unwritten_ = false;
  bool writing_ = false;
  std::vector<Done> waiting_;  // For the next write.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
