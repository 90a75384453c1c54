// SegmentedLog: what compaction asks of it (design decision D14).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/segmented_log.h"

namespace garam::storage {

std::vector<SealedSegment> SegmentedLog::SealedSegments() const {
  std::vector<SealedSegment> sealed;
  for (const SegmentPtr& segment : segments_) {
    // Above the mark a restart reads every frame, and where the mark is it has places by heart.
    const bool below_mark = mark_ && segment->end.index <= mark_->at.index &&
                            segment->header.base_index < mark_->segment_base;
    if (!segment->sealed || !below_mark) break;
    sealed.push_back({segment->header, segment->end, segment->last_term, segment->size_bytes(),
                      segment->compacted, segment->file});
  }
  return sealed;
}

LogIndex SegmentedLog::SealedBefore(LogIndex index) const {
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    if ((*segment)->sealed && (*segment)->end.index <= index) return (*segment)->end.index;
  }
  return LogIndex(0);
}

void SegmentedLog::SetCleanPoint(const CleanPoint& clean) {
  if (!failed_.ok() || closing_ || installing_) return;
  clean_ = clean;
  SaveClean();
  MaybeStartJob();
}

void SegmentedLog::SaveClean() {
  WriteOp row;
  row.kind = WriteOp::Kind::kRows;
  rows_.StageClean(clean_, row.rows);
  ops_.push_back(std::move(row));
}

// The first of the segments that `cleaned` replaces.
absl::StatusOr<size_t> SegmentedLog::FindReplaced(const CleanedSegment& cleaned) const {
  if (!failed_.ok() || closing_ || installing_) {
    return absl::AbortedError(absl::StrCat(dir_, ": not to be changed now"));
  }
  const size_t first = SegmentOfIndex(cleaned.header.base_index);
  const std::vector<SealedSegment> sealed = SealedSegments();
  const size_t count = cleaned.replaces.size();
  const bool there =
      first + count <= sealed.size() &&
      std::equal(cleaned.replaces.begin(), cleaned.replaces.end(),
                 sealed.begin() + static_cast<std::ptrdiff_t>(first),
                 [](const auto& file, const SealedSegment& own) { return file == own.file; });
  if (there) return first;
  return absl::AbortedError(absl::StrCat(dir_, ": what was compacted is not there any more"));
}

absl::Status SegmentedLog::Replace(CleanedSegment cleaned) {
  ASSIGN_OR_RETURN(const size_t first, FindReplaced(cleaned));
  auto segment = std::make_shared<Segment>();
  segment->file = std::make_shared<SegmentFile>(env_.fs, cleaned.replaces.front()->path(),
                                                std::move(cleaned.file));
  segment->header = cleaned.header;
  segment->end = cleaned.end;
  segment->rolled = segment->sealed = segment->compacted = true;
  segment->last_term = cleaned.last_term;
  segment->modified_ms = segments_[first + cleaned.replaces.size() - 1]->modified_ms;
  segment->index = std::move(cleaned.index);
  // The row is synced, and the mark with it: a restart must not look for its places in there.
  SaveClean();
  WriteOp replace;
  replace.kind = WriteOp::Kind::kReplace;
  replace.file = segment->file;
  replace.from = std::move(cleaned.path);
  replace.replaced = cleaned.replaces.front();
  ops_.push_back(std::move(replace));
  const auto begin = segments_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(cleaned.replaces.size());
  for (auto old = begin; old != end; ++old) {
    std::erase_if(cursors_, [base = (*old)->header.base_index](const LogPoint& cursor) {
      return cursor.segment_base == base;
    });
    std::erase(loaded_, (*old)->header.base_index);
    if (old == begin) continue;
    WriteOp removal;
    removal.kind = WriteOp::Kind::kRemove;
    removal.file = (*old)->file;
    ops_.push_back(std::move(removal));
    WriteOp index;
    index.kind = WriteOp::Kind::kRows;
    rows_.StageDropSealed((*old)->header.base_index, index.rows);
    ops_.push_back(std::move(index));
  }
  sealed_indexes_.push_back({segment->header.base_index, segment->index_stamp(), segment->index});
  loaded_.push_back(segment->header.base_index);
  compacted_before_ = std::max(compacted_before_, segment->end.index);
  *begin = std::move(segment);
  segments_.erase(begin + 1, end);
  TrimIndexes();
  ++truncations_;
  MaybeStartJob();
  return absl::OkStatus();
}

}  // namespace garam::storage
