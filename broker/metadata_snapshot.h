// The row of the metadata image in the key-value store: what a broker starts its partitions from
// when no controller answers.
//
// Threads: any; what takes a KvStore blocks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/term_rows.h"
#include "coordinator/metadata_image.h"
#include "storage/kv_store.h"

namespace garam {

struct MetadataSnapshot {
  std::shared_ptr<const MetadataImage> image;  // Not null.
  Term term;                                   // Of the last entry that is in it.
};

// With `sync` it is on stable storage on return: what it stands for may be forgotten elsewhere.
absl::Status SaveMetadataSnapshot(storage::KvStore& kv, const MetadataSnapshot& snapshot,
                                  bool sync);

// MetadataImage::Empty() when there is none.
absl::StatusOr<MetadataSnapshot> LoadMetadataSnapshot(storage::KvStore& kv);

// The row's bytes, which is also how a broker that is far behind gets it.
std::string EncodeMetadataSnapshot(const MetadataSnapshot& snapshot);
absl::StatusOr<MetadataSnapshot> DecodeMetadataSnapshot(std::string_view bytes);

// How much of a log is known to be committed by the snapshot beside it. 0 where the log does not
// have the snapshot's last entry: what has been applied may be ahead of what the disk kept, and
// the disk may still have what that entry replaced.
LogIndex CommittedBy(const MetadataSnapshot& snapshot, const TermRows& terms, LogIndex last_index);

}  // namespace garam
