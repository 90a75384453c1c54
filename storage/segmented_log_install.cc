// SegmentedLog: what it gives to members that are far behind, and becoming what a manifest says.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/segmented_log.h"

namespace garam::storage {

Manifest SegmentedLog::MakeManifest() const {
  Manifest manifest;
  manifest.next = segments_.front()->header;
  for (const SegmentPtr& segment : segments_) {
    if (!segment->sealed) break;
    manifest.segments.push_back({segment->header, FooterOf(*segment), segment->size_bytes()});
    manifest.next = {identity_.group, segment->end.index, segment->end.offset, segment->last_term};
  }
  manifest.start_offset = std::min(start_offset_, manifest.next.base_offset);
  manifest.terms = *terms_;
  manifest.terms.TruncateFrom(manifest.next.base_index);
  manifest.configuration = ConfigurationAt(manifest.last_index());
  return manifest;
}

std::optional<ConfigurationRow> SegmentedLog::ConfigurationAt(LogIndex index) const {
  std::optional<ConfigurationRow> found;
  for (const ConfigurationRow& row : configurations_) {
    if (row.index > std::max(index, LastSealedIndex())) break;
    found = {std::min(row.index, index), row.payload};
  }
  return found;
}

// The last entry of the sealed segments, or the one before the first that is held.
LogIndex SegmentedLog::LastSealedIndex() const {
  LogIndex last = first_index() - 1;
  for (const SegmentPtr& segment : segments_) {
    if (!segment->sealed) break;
    last = segment->end.index - 1;
  }
  return last;
}

void SegmentedLog::ReadSegment(LogIndex base, int64_t position, size_t bytes_max, BytesDone done) {
  const Segment& segment = *segments_[SegmentOfIndex(base)];
  const int64_t left = segment.size_bytes() - position;
  if (segment.header.base_index != base || !segment.sealed || position < 0 || left <= 0) {
    return std::move(done)(
        absl::NotFoundError(absl::StrCat("no sealed segment of entry ", base.value())));
  }
  const size_t count = std::min(bytes_max, static_cast<size_t>(left));
  ++in_flight_;
  env_.pool.Submit([this, file = segment.file, position, count, done = std::move(done)]() mutable {
    absl::StatusOr<Bytes> bytes = ReadPiece(*file, position, count);
    env_.home.Post([this, bytes = std::move(bytes), done = std::move(done)]() mutable {
      std::move(done)(std::move(bytes));
      FlightEnded();
    });
  });
}

absl::StatusOr<Bytes> SegmentedLog::ReadPiece(SegmentFile& segment, int64_t position,
                                              size_t count) {
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, segment.Get());
  std::string bytes(count, '\0');
  ASSIGN_OR_RETURN(const size_t got, ReadAt(*file, IoMode::kWait, position, bytes.data(), count));
  bytes.resize(got);
  return Bytes::Take(std::move(bytes));
}

void SegmentedLog::Install(std::unique_ptr<SegmentInstall> install, InstallDone done) {
  if (!failed_.ok() || closing_) {
    return std::move(done)(closing_ ? absl::AbortedError("the log is being closed") : failed_);
  }
  installing_ = true;
  install_ = std::move(install);
  install_done_ = std::move(done);
  MaybeStartInstall();
}

void SegmentedLog::MaybeStartInstall() {
  if (install_ == nullptr || flight_) return;
  ++in_flight_;
  env_.pool.Submit([this, interval = options_.index_interval_bytes, install = std::move(install_),
                    done = std::move(install_done_)]() mutable {
    const absl::Status committed = install->Commit();
    const bool changed = committed.ok();
    absl::StatusOr<RecoveredLog> found = changed ? CarryOut(interval) : committed;
    env_.home.Post([this, changed, found = std::move(found), done = std::move(done)]() mutable {
      FinishInstall(changed, std::move(found), std::move(done));
      FlightEnded();
    });
  });
}

// On the pool.
absl::StatusOr<RecoveredLog> SegmentedLog::CarryOut(int32_t index_interval_bytes) const {
  RETURN_IF_ERROR(CarryOutInstall(env_.fs, env_.kv, identity_.group, dir_));
  return LogRecovery(env_.fs, env_.kv, identity_.group, dir_, index_interval_bytes).Run();
}

void SegmentedLog::FinishInstall(bool changed, absl::StatusOr<RecoveredLog> found,
                                 InstallDone done) {
  installing_ = false;
  if (found.ok()) {
    TakeInstalled(*std::move(found));
  } else if (changed) {
    Fail(found.status());
  }
  std::move(done)(found.status());
  MaybeStartJob();
}

void SegmentedLog::TakeInstalled(RecoveredLog found) {
  ++truncations_;  // Reads that are under way begin anew.
  cursors_.clear();
  loaded_.clear();
  ops_.clear();
  dirty_.clear();
  sealed_indexes_.clear();
  unwritten_.clear();
  dirty_bytes_ = 0;
  dirty_records_ = 0;
  mark_.reset();
  written_seq_ = durable_seq_ = appended_seq_;
  env_.home.Cancel(std::exchange(flush_timer_, kNoTimer));
  env_.home.Cancel(std::exchange(retry_timer_, kNoTimer));
  LeaveDiskFull();
  Adopt(std::move(found));
  committed_ = last_index();
}

}  // namespace garam::storage
