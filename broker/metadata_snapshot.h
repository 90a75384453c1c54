// The row of the metadata image in the key-value store: what a broker starts its partitions from
// when no controller answers.
//
// Threads: any; blocks. Not synced: an older image only costs some replay.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/metadata_image.h"
#include "storage/kv_store.h"

namespace garam {

absl::Status SaveMetadataSnapshot(storage::KvStore& kv, const MetadataImage& image);

// MetadataImage::Empty() when there is none.
absl::StatusOr<std::shared_ptr<const MetadataImage>> LoadMetadataSnapshot(storage::KvStore& kv);

}  // namespace garam
