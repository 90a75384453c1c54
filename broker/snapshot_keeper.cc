#include "broker/snapshot_keeper.h"

#include <utility>

#include "common/logging.h"

namespace garam {

void SnapshotKeeper::Note(const MetadataSnapshot& snapshot) {
  if (newest_ && snapshot.image->applied_index() < newest_->image->applied_index()) return;
  newest_ = snapshot;
  unwritten_ = true;
}

void SnapshotKeeper::Save(const MetadataSnapshot& snapshot) {
  Note(snapshot);
  MaybeWrite();
}

void SnapshotKeeper::Keep(const MetadataSnapshot& snapshot, Done done) {
  Note(snapshot);
  unwritten_ = true;  // What was written before may not have been synced.
  waiting_.push_back(std::move(done));
  MaybeWrite();
}

void SnapshotKeeper::MaybeWrite() {
  if (writing_ || !std::exchange(unwritten_, false)) return;
  writing_ = true;
  pool_.Submit([this, weak = std::weak_ptr<bool>(alive_), &kv = kv_, &home = home_,
                snapshot = *newest_, waiting = std::exchange(waiting_, {})]() mutable {
    absl::Status saved = SaveMetadataSnapshot(kv, snapshot, /*sync=*/!waiting.empty());
    if (!saved.ok()) LogWarn("the metadata snapshot is not saved: {}", saved.ToString());
    home.Post([this, weak, saved, waiting = std::move(waiting)]() mutable {
      if (weak.expired()) return;
      writing_ = false;
      for (Done& done : waiting) std::move(done)(saved);
      MaybeWrite();
    });
  });
}

}  // namespace garam
