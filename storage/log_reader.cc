#include "storage/log_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/record_batch.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr size_t kScanWindowBytes = 64 << 10;
// Rows of an index that had to be rebuilt lie this far apart.
constexpr int32_t kRebuiltIntervalBytes = 4096;

absl::Status Damaged(const SegmentView& view, const SegmentPoint& at, const char* what) {
  return MakeError(Errc::kCorruptRecord,
                   absl::StrCat(view.file->path(), " is damaged at byte ", at.position, " (offset ",
                                at.offset.value(), "): ", what));
}

// Density and terms: they protect what a batch's own CRC does not cover.
absl::Status CheckPlace(const ReadPlan& plan, const SegmentView& view, const SegmentPoint& at,
                        const Frame& frame) {
  if (frame.offset != at.offset) return Damaged(view, at, "the base offset is not the next one");
  if (frame.term != plan.terms->TermAt(at.index)) {
    return Damaged(view, at, "the leader epoch is not that of this place");
  }
  if (!frame.batch && frame.index != at.index) {
    return Damaged(view, at, "the Raft index is not the next one");
  }
  return absl::OkStatus();
}

// Walks a segment's frames in one buffer, so that what is returned shares it and is not copied.
class BufferedWalk {
 public:
  BufferedWalk(const SegmentView& view, File& file, IoMode mode, const SegmentPoint& start)
      : view_(view), file_(file), mode_(mode), at_(start) {}

  const SegmentPoint& at() const { return at_; }
  bool AtEnd() const { return at_.position >= view_.end_position; }

  // Reads [at, at + count), at most to the segment's end.
  absl::Status Load(size_t count) {
    const int64_t left = view_.end_position - at_.position;
    count = static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(count)));
    buffer_ = MutableBuffer(count);
    buffer_at_ = at_.position;
    ASSIGN_OR_RETURN(loaded_, ReadAt(file_, mode_, at_.position, buffer_.data(), count));
    return loaded_ == count ? absl::OkStatus() : Damaged(view_, at_, "the file is too short");
  }

  // The frame here; kMore when the buffer does not hold `whole` of it or at least its header.
  absl::StatusOr<FrameFound> Peek(bool whole, Frame* frame) {
    FrameFound found = PeekFrame(Rest(), /*last=*/false, frame);
    if (found == FrameFound::kBad || found == FrameFound::kEnd) {
      return Damaged(view_, at_, "no frame begins here");
    }
    if (found == FrameFound::kFrame && whole && Rest().size() < frame->size) {
      found = FrameFound::kMore;
    }
    const int64_t left = view_.end_position - at_.position;
    if (found == FrameFound::kMore && static_cast<int64_t>(Rest().size()) == left) {
      return Damaged(view_, at_, "the frame reaches beyond the end");
    }
    return found;
  }
  void Skip(const Frame& frame) { at_ = at_.After(frame); }
  Bytes Share(const Frame& frame, size_t from = 0) const {
    return buffer_.View(static_cast<size_t>(at_.position - buffer_at_) + from, frame.size - from);
  }

 private:
  std::string_view Rest() const {
    size_t skip = static_cast<size_t>(at_.position - buffer_at_);
    if (skip >= loaded_) return {};
    return {buffer_.data() + skip, loaded_ - skip};
  }

  const SegmentView& view_;
  File& file_;
  const IoMode mode_;
  SegmentPoint at_;
  MutableBuffer buffer_;
  int64_t buffer_at_ = 0;
  size_t loaded_ = 0;
};

bool Wanted(const ReadPlan& plan, const SegmentPoint& at, const Frame& frame) {
  if (plan.kind == ReadPlan::Kind::kEntries) {
    return at.index >= plan.first && (frame.batch || frame.kind != kGapKind);
  }
  return frame.batch && RecordBatchView(frame.at).next_offset() > plan.from;
}

bool BeyondEnd(const ReadPlan& plan, const SegmentPoint& at, const Frame& frame) {
  if (plan.kind == ReadPlan::Kind::kEntries) return at.index > plan.last;
  if (at.offset >= plan.end) return true;
  return frame.batch && RecordBatchView(frame.at).next_offset() > plan.end;
}

// Every time that bytes come from the file, whoever wants them: they may have rotted since the
// last.
absl::Status TakeFrame(const ReadPlan& plan, const SegmentView& view, const BufferedWalk& walk,
                       const Frame& frame, ReadResult& result) {
  if (!FrameChecksOut(frame)) return Damaged(view, walk.at(), "the checksum is wrong");
  if (plan.kind == ReadPlan::Kind::kBatches) {
    result.batches.push_back(walk.Share(frame));
    return absl::OkStatus();
  }
  LogEntry entry{walk.at().index, frame.term, static_cast<EntryKind>(frame.kind),
                 walk.Share(frame, frame.batch ? 0 : kPrivateFrameBytes)};
  result.entries.push_back(std::move(entry));
  return absl::OkStatus();
}

// kBatches and kEntries.
absl::Status CollectFrames(const ReadPlan& plan, const SegmentView& view, BufferedWalk& walk,
                           ReadResult& result) {
  size_t taken = 0;
  RETURN_IF_ERROR(walk.Load(std::max(kFramePeekBytes, view.slack + plan.bytes_max)));
  while (!walk.AtEnd()) {
    Frame frame;
    ASSIGN_OR_RETURN(FrameFound found, walk.Peek(/*whole=*/false, &frame));
    const bool header = found == FrameFound::kFrame;
    if (header) {
      RETURN_IF_ERROR(CheckPlace(plan, view, walk.at(), frame));
      if (BeyondEnd(plan, walk.at(), frame)) return absl::OkStatus();
      if (taken > 0 && taken + frame.size > plan.bytes_max) return absl::OkStatus();
      if (!Wanted(plan, walk.at(), frame) && frame.batch) {
        walk.Skip(frame);
        continue;
      }
      ASSIGN_OR_RETURN(found, walk.Peek(/*whole=*/true, &frame));
    }
    if (found == FrameFound::kMore) {
      // The buffer was a guess. What is left of the budget, or the first frame above it, whole.
      if (taken > 0) return absl::OkStatus();
      RETURN_IF_ERROR(walk.Load(header ? std::max(frame.size, plan.bytes_max)
                                       : std::max(kFramePeekBytes, plan.bytes_max)));
      continue;
    }
    if (Wanted(plan, walk.at(), frame)) {
      RETURN_IF_ERROR(TakeFrame(plan, view, walk, frame, result));
      taken += frame.size;
    }
    walk.Skip(frame);
  }
  // What is asked for begins in this segment: a frame whose length is wrong has led past it.
  return taken > 0 ? absl::OkStatus() : Damaged(view, walk.at(), "it ends before what was asked");
}

// kTimestamp and kMaxTimestamp: headers only; leaves the found batch's place in `found_at`.
absl::StatusOr<std::optional<SegmentPoint>> SearchHeaders(const ReadPlan& plan,
                                                          const SegmentView& view, File& file,
                                                          IoMode mode, ReadResult& result) {
  std::optional<SegmentPoint> found_at;
  SegmentPoint at = *view.start;
  FrameScanner scanner(file, mode, at.position, view.end_position, kScanWindowBytes);
  while (at.position < view.end_position) {
    Frame frame;
    ASSIGN_OR_RETURN(FrameFound found, scanner.Peek(/*whole=*/false, &frame));
    if (found == FrameFound::kFrame && !frame.batch) {
      ASSIGN_OR_RETURN(found, scanner.Peek(/*whole=*/true, &frame));
    }
    if (found != FrameFound::kFrame) return Damaged(view, at, "no frame begins here");
    RETURN_IF_ERROR(CheckPlace(plan, view, at, frame));
    if (BeyondEnd(plan, at, frame)) break;
    // Compaction may have left a batch without a record.
    if (Wanted(plan, at, frame) && RecordBatchView(frame.at).record_count() > 0) {
      const int64_t timestamp_ms = RecordBatchView(frame.at).max_timestamp_ms();
      if (plan.kind == ReadPlan::Kind::kTimestamp && timestamp_ms >= plan.timestamp_ms) return at;
      if (plan.kind == ReadPlan::Kind::kMaxTimestamp && timestamp_ms > result.max_timestamp_ms) {
        result.max_timestamp_ms = timestamp_ms;
        found_at = at;
      }
    }
    at = at.After(frame);
    scanner.Skip(frame);
  }
  return found_at;
}

absl::StatusOr<Bytes> ReadBatchAt(const SegmentView& view, File& file, const SegmentPoint& at,
                                  IoMode mode) {
  BufferedWalk walk(view, file, mode, at);
  Frame frame;
  RETURN_IF_ERROR(walk.Load(kFramePeekBytes));
  ASSIGN_OR_RETURN(FrameFound found, walk.Peek(/*whole=*/false, &frame));
  if (found != FrameFound::kFrame) return Damaged(view, at, "no frame begins here");
  RETURN_IF_ERROR(walk.Load(frame.size));
  ASSIGN_OR_RETURN(found, walk.Peek(/*whole=*/true, &frame));
  if (found != FrameFound::kFrame) return Damaged(view, at, "the file is too short");
  if (!FrameChecksOut(frame)) return Damaged(view, at, "the checksum is wrong");
  return walk.Share(frame);
}

}  // namespace

void PlaceIn(const SegmentIndex& index, const ReadPlan& plan, SegmentView& view) {
  const SegmentPoint* row = &index.FindOffset(plan.from);
  if (plan.kind == ReadPlan::Kind::kEntries) row = &index.FindIndex(plan.first);
  if (plan.kind == ReadPlan::Kind::kTimestamp) {
    const SegmentPoint& by_time = index.FindTimestamp(plan.timestamp_ms);
    if (by_time.position > row->position) row = &by_time;
  }
  view.start = *row;
  view.slack = static_cast<size_t>(
      index.PositionAfter(*row).value_or(row->position + int64_t{kScanWindowBytes}) -
      row->position);
}

absl::StatusOr<std::shared_ptr<const SegmentIndex>> LogReader::LoadIndex(const SegmentView& view) {
  auto index = std::make_shared<SegmentIndex>(FirstPoint(view.header));
  ASSIGN_OR_RETURN(bool complete, rows_.LoadSealed(view.header.base_index, view.stamp, *index));
  if (complete && index->rows().back().position <= view.end_position) return index;
  // Never written, lost with a crash, or of something else: the segment has it all.
  index = std::make_shared<SegmentIndex>(FirstPoint(view.header));
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, view.file->Get());
  SegmentPoint at = index->rows().front();
  FrameScanner scanner(*file, IoMode::kWait, at.position, view.end_position, 1 << 20);
  while (at.position < view.end_position) {
    Frame frame;
    ASSIGN_OR_RETURN(FrameFound found, scanner.Peek(/*whole=*/false, &frame));
    if (found == FrameFound::kFrame && !frame.batch) {
      ASSIGN_OR_RETURN(found, scanner.Peek(/*whole=*/true, &frame));
    }
    if (found != FrameFound::kFrame) return Damaged(view, at, "no frame begins here");
    index->Note(at, kRebuiltIntervalBytes);
    at = at.After(frame);
    scanner.Skip(frame);
  }
  RETURN_IF_ERROR(rows_.SaveSealed(view.header.base_index, view.stamp, *index));
  return index;
}

absl::Status LogReader::FindStart(const ReadPlan& plan, SegmentView& view, IoMode mode,
                                  ReadResult& result) {
  if (view.start) return absl::OkStatus();
  if (!view.index) {
    if (mode == IoMode::kNoWait) return WouldBlock();
    ASSIGN_OR_RETURN(view.index, LoadIndex(view));
    result.loaded.push_back({view.header.base_index, view.file, view.index});
  }
  PlaceIn(*view.index, plan, view);
  return absl::OkStatus();
}

absl::Status LogReader::ReadSegment(const ReadPlan& plan, const SegmentView& view, IoMode mode,
                                    ReadResult& result) {
  std::shared_ptr<File> file = view.file->GetIfOpen();
  if (!file) {
    if (mode == IoMode::kNoWait) return WouldBlock();
    ASSIGN_OR_RETURN(file, view.file->Get());
  }
  if (plan.kind == ReadPlan::Kind::kBatches || plan.kind == ReadPlan::Kind::kEntries) {
    BufferedWalk walk(view, *file, mode, *view.start);
    const absl::Status collected = CollectFrames(plan, view, walk, result);
    // What lies before the damage is whole; who reads on from there is told.
    const bool some = !result.batches.empty() || !result.entries.empty();
    if (!collected.ok() && !(some && IsDamaged(collected))) return collected;
    result.stopped = {view.header.base_index, walk.at()};
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::optional<SegmentPoint> found,
                   SearchHeaders(plan, view, *file, mode, result));
  if (!found) return absl::OkStatus();
  ASSIGN_OR_RETURN(Bytes batch, ReadBatchAt(view, *file, *found, mode));
  result.batches.assign(1, std::move(batch));
  return absl::OkStatus();
}

absl::StatusOr<ReadResult> LogReader::Execute(const ReadPlan& plan, IoMode mode) {
  ReadResult result;
  result.max_timestamp_ms = plan.timestamp_ms;
  for (SegmentView view : plan.segments) {
    RETURN_IF_ERROR(FindStart(plan, view, mode, result));
    RETURN_IF_ERROR(ReadSegment(plan, view, mode, result));
    // The largest of all must have seen all; the others stop at what they find.
    if (plan.kind == ReadPlan::Kind::kMaxTimestamp) continue;
    if (!result.batches.empty() || !result.entries.empty()) break;
  }
  return result;
}

}  // namespace garam::storage
