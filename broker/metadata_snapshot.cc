#include "broker/metadata_snapshot.h"

#include <string>
#include <utility>

#include "common/endian.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr char kKey[] = "image";  // Keys of the logs begin with m, t, o and a.
constexpr char kFormat = 2;       // One byte, the term, the image.
constexpr size_t kHeadBytes = 1 + sizeof(uint32_t);

}  // namespace

std::string EncodeMetadataSnapshot(const MetadataSnapshot& snapshot) {
  std::string row(kHeadBytes, kFormat);
  StoreBigEndian(row.data() + 1, static_cast<uint32_t>(snapshot.term.value()));
  return row + snapshot.image->EncodeSnapshot();
}

absl::StatusOr<MetadataSnapshot> DecodeMetadataSnapshot(std::string_view bytes) {
  if (bytes.size() < kHeadBytes || bytes.front() != kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     "the metadata snapshot is of a format this build does not know; start the "
                     "newer build");
  }
  MetadataSnapshot snapshot;
  snapshot.term = Term(static_cast<int32_t>(LoadBigEndian<uint32_t>(bytes.data() + 1)));
  ASSIGN_OR_RETURN(snapshot.image, MetadataImage::DecodeSnapshot(bytes.substr(kHeadBytes)));
  return snapshot;
}

absl::Status SaveMetadataSnapshot(storage::KvStore& kv, const MetadataSnapshot& snapshot,
                                  bool sync) {
  storage::KvBatch batch;
  batch.Put(storage::KvFamily::kPartition, kKey, EncodeMetadataSnapshot(snapshot));
  return kv.Write(batch, sync);
}

absl::StatusOr<MetadataSnapshot> LoadMetadataSnapshot(storage::KvStore& kv) {
  ASSIGN_OR_RETURN(std::optional<std::string> row, kv.Get(storage::KvFamily::kPartition, kKey));
  if (!row) return MetadataSnapshot{MetadataImage::Empty(), Term(0)};
  return DecodeMetadataSnapshot(*row);
}

LogIndex CommittedBy(const MetadataSnapshot& snapshot, const TermRows& terms, LogIndex last_index) {
  const LogIndex applied = snapshot.image->applied_index();
  const bool has_it = applied <= last_index && terms.TermAt(applied) == snapshot.term;
  return has_it ? applied : LogIndex(0);
}

}  // namespace garam
