#include "broker/metadata_snapshot.h"

#include <string>
#include <utility>

#include "common/status.h"

namespace garam {
namespace {

constexpr char kKey[] = "image";  // Keys of the logs begin with m, t, o and a.
constexpr char kFormat = 1;

}  // namespace

absl::Status SaveMetadataSnapshot(storage::KvStore& kv, const MetadataImage& image) {
  storage::KvBatch batch;
  batch.Put(storage::KvFamily::kPartition, kKey, std::string(1, kFormat) + image.EncodeSnapshot());
  return kv.Write(batch, /*sync=*/false);
}

absl::StatusOr<std::shared_ptr<const MetadataImage>> LoadMetadataSnapshot(storage::KvStore& kv) {
  ASSIGN_OR_RETURN(std::optional<std::string> row, kv.Get(storage::KvFamily::kPartition, kKey));
  if (!row) return MetadataImage::Empty();
  if (row->empty() || row->front() != kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     "the metadata snapshot is of a format this build does not know; start the "
                     "newer build");
  }
  return MetadataImage::DecodeSnapshot(std::string_view(*row).substr(1));
}

}  // namespace garam
