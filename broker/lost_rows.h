// Tells whether the key-value store still is the one that this data folder's node has written to,
// and what becomes of a node whose rows are lost (D18): votes and terms are among them, so what it
// promised it may not go on promising. It takes a new incarnation, and the others take it in as
// somebody new; its logs are read anew from their segments.
//
// The only member of a cluster has promised nothing to anybody: it stays who it is.
//
// Threads: any one, before the broker starts; blocks.
#pragma once

#include "absl/status/status.h"
#include "broker/data_folder.h"
#include "common/random.h"
#include "storage/file_system.h"
#include "storage/kv_store.h"

namespace garam {

// kStorage when the disk fails, or when the node is the cluster's only voter but has learners: the
// cluster's metadata cannot be led by anybody else.
absl::Status CheckForLostRows(storage::FileSystem& files, storage::KvStore& kv, DataFolder& folder,
                              Random& random);

}  // namespace garam
