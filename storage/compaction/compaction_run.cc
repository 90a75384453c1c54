#include "storage/compaction/compaction_run.h"

#include <algorithm>
#include <utility>

#include "common/mutation.h"
#include "common/status.h"
#include "storage/compaction/cleaning_choice.h"

namespace garam::storage {
namespace {

// No more keys than offsets.
uint64_t KeysMax(const CompactionInput& input) {
  if (input.segments.empty()) return 0;
  const int64_t dirty = input.segments.back().end.offset -
                        std::max(input.clean.before, input.segments.front().header.base_offset);
  return static_cast<uint64_t>(std::max<int64_t>(0, dirty));
}

}  // namespace

CompactionRun::CompactionRun(FileSystem& fs, CompactionInput input)
    : fs_(fs), input_(std::move(input)), map_(input_.map_bytes, KeysMax(input_), input_.secret) {
  while (source_ < input_.segments.size() &&
         input_.segments[source_].end.offset <= input_.clean.before) {
    ++source_;
  }
}

absl::StatusOr<CompactionRun::Did> CompactionRun::Step(size_t bytes_max) {
  if (rules_) return CleanSome(bytes_max);
  if (source_ < input_.segments.size()) {
    RETURN_IF_ERROR(NoteKeysOf(bytes_max));
  } else {
    BeginCleaning(input_.segments.empty()
                      ? input_.clean.before
                      : std::max(input_.clean.before, input_.segments.back().end.offset));
  }
  return Did::kSome;
}

absl::Status CompactionRun::NoteKeysOf(size_t bytes_max) {
  if (!reading_) reading_.emplace(input_.segments[source_]);
  for (const int64_t until = bytes_read_ + static_cast<int64_t>(bytes_max); bytes_read_ < until;) {
    Frame frame;
    ASSIGN_OR_RETURN(const bool more, reading_->Peek(&frame));
    if (!more) {
      reading_.reset();
      ++source_;
      return absl::OkStatus();
    }
    if (frame.batch) {
      ASSIGN_OR_RETURN(const Offset stopped,
                       NoteKeys(frame.view(), input_.clean.before, map_, scratch_));
      if (stopped < reading_->at().After(frame).offset) {
        BeginCleaning(stopped);
        return absl::OkStatus();
      }
    }
    bytes_read_ += static_cast<int64_t>(frame.size);
    reading_->Skip(frame);
  }
  return absl::OkStatus();
}

// Every key below `end` that may have been replaced is in the map.
void CompactionRun::BeginCleaning(Offset end) {
  reading_.reset();
  clean_.before = end;
  rules_.emplace(CleaningRules{map_, end, input_.now_ms, input_.delete_retention_ms});
  batches_.emplace(*rules_);
  std::vector<SealedSegment> segments = input_.segments;
  while (!segments.empty() && segments.back().header.base_offset >= end) segments.pop_back();
  if (Mutated(Mutation::kCleanPartSkipped)) {
    std::erase_if(segments, [this](const SealedSegment& segment) {
      return segment.end.offset <= input_.clean.before;
    });
  }
  groups_ = GroupSegments(std::move(segments), input_.segment_bytes);
}

absl::StatusOr<CompactionRun::Did> CompactionRun::CleanSome(size_t bytes_max) {
  if (group_ == groups_.size()) {
    clean_.tombstones_until_ms = batches_->tombstones_until_ms();
    return Did::kAll;
  }
  if (cleaner_ == nullptr) {
    cleaner_ =
        std::make_unique<SegmentCleaner>(fs_, input_.dir, groups_[group_], *batches_,
                                         input_.producer_batches, input_.index_interval_bytes);
  }
  const int64_t read_before = cleaner_->bytes_read();
  const int64_t written_before = cleaner_->bytes_written();
  ASSIGN_OR_RETURN(const bool finished, cleaner_->Step(bytes_max));
  bytes_read_ += cleaner_->bytes_read() - read_before;
  bytes_written_ += cleaner_->bytes_written() - written_before;
  if (!finished) return Did::kSome;
  cleaned_ = cleaner_->Take();
  cleaner_->Discard();
  cleaner_ = nullptr;
  ++group_;
  return cleaned_ ? Did::kCleaned : Did::kSome;
}

void CompactionRun::Discard() {
  if (cleaner_ != nullptr) cleaner_->Discard();
  if (cleaned_) refused_ = cleaned_->path;
  // What cannot be removed now the log's next start removes.
  if (!refused_.empty()) fs_.Remove(refused_).IgnoreError();
}

CleanedSegment CompactionRun::Take() {
  CleanedSegment taken = *std::move(cleaned_);
  cleaned_.reset();
  return taken;
}

}  // namespace garam::storage
