#include "storage/compaction/segment_cleaner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/record_batch.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr size_t kFlushBytes = 1 << 20;

// A free name. What an earlier pass has handed out keeps its own until the log comes to it.
std::string FreePath(FileSystem& fs, const std::string& dir, const SegmentHeader& header) {
  for (int number = 1;; ++number) {
    std::string path = absl::StrFormat("%s/%020d.%020d.%d%s", dir, header.base_offset.value(),
                                       header.base_index.value(), number, kCleanedSuffix);
    if (!fs.Open(path, FileSystem::Mode::kRead).ok()) return path;
  }
}

// Of frames that are no batch. A kRoll is the last of its segment, and only that.
bool StaysForGood(uint8_t kind) {
  return kind != static_cast<uint8_t>(EntryKind::kRoll) && kind != kGapKind;
}

}  // namespace

SegmentCleaner::SegmentCleaner(FileSystem& fs, const std::string& dir,
                               std::vector<SealedSegment> group, BatchCleaner& batches,
                               const std::vector<LogIndex>& producer_batches,
                               int32_t index_interval_bytes)
    : fs_(fs),
      group_(std::move(group)),
      batches_(batches),
      producer_batches_(producer_batches),
      index_interval_bytes_(index_interval_bytes),
      path_(FreePath(fs, dir, group_.front().header)) {}

void SegmentCleaner::Discard() {
  // What cannot be removed now the log's next start removes.
  if (std::exchange(made_, false)) fs_.Remove(path_).IgnoreError();
}

absl::Status SegmentCleaner::Begin() {
  ASSIGN_OR_RETURN(file_, fs_.Open(path_, FileSystem::Mode::kCreate));
  made_ = true;
  const SegmentHeader& header = group_.front().header;
  at_ = FirstPoint(header);
  last_term_ = header.term_before;
  index_ = std::make_shared<SegmentIndex>(at_);
  out_ = EncodeHeader(header).view();
  return absl::OkStatus();
}

absl::StatusOr<bool> SegmentCleaner::Step(size_t bytes_max) {
  if (file_ == nullptr) RETURN_IF_ERROR(Begin());
  const int64_t until = bytes_read_ + static_cast<int64_t>(bytes_max);
  while (bytes_read_ < until && source_ < group_.size()) {
    if (!reading_) reading_.emplace(group_[source_]);
    Frame frame;
    ASSIGN_OR_RETURN(const bool more, reading_->Peek(&frame));
    if (!more) {
      reading_.reset();
      ++source_;
      continue;
    }
    RETURN_IF_ERROR(CleanFrame(frame));
    bytes_read_ += static_cast<int64_t>(frame.size);
    reading_->Skip(frame);
    if (out_.size() < kFlushBytes) continue;
    const int64_t begin = bytes_written_;
    RETURN_IF_ERROR(WriteOut());
    // Piece by piece: were more of it dirty at a time, the syncs of those who write to their logs
    // would wait for it too.
    RETURN_IF_ERROR(file_->WriteBack(begin, bytes_written_));
  }
  if (source_ < group_.size()) return false;
  RETURN_IF_ERROR(Finish());
  return true;
}

// Of one frame, at the place that is being read.
EntryGap SegmentCleaner::GapOf(const Frame& frame) const {
  const SegmentPoint& at = reading_->at();
  const SegmentPoint after = at.After(frame);
  return {at.index, after.index - 1, at.offset, after.offset, frame.term};
}

void SegmentCleaner::Drop(const EntryGap& gap) {
  if (!pending_.empty() && pending_.back().bytes.empty() && pending_.back().gap.term == gap.term) {
    pending_.back().gap.last_index = gap.last_index;
    pending_.back().gap.next_offset = gap.next_offset;
    return;
  }
  pending_.push_back({gap, ""});
}

// It stays, as a header, unless another batch follows.
void SegmentCleaner::Hold(Pending last_batch) {
  DropHeld();
  const bool gap_before = !pending_.empty() && pending_.back().bytes.empty();
  WritePending(gap_before ? 1 : 0);
  held_ = pending_.size();
  pending_.push_back(std::move(last_batch));
}

void SegmentCleaner::DropHeld() {
  if (!held_) return;
  std::deque<Pending> before = std::exchange(pending_, {});
  for (size_t i = 0; i < before.size(); ++i) {
    if (i == *held_ || before[i].bytes.empty()) {
      Drop(before[i].gap);
    } else {
      pending_.push_back(std::move(before[i]));
    }
  }
  held_.reset();
}

// All but the last `left`.
void SegmentCleaner::WritePending(size_t left) {
  for (; pending_.size() > left; pending_.pop_front()) {
    const Pending& first = pending_.front();
    if (first.bytes.empty()) {
      Emit(EncodeGap(first.gap).view());
    } else {
      Emit(first.bytes);
    }
  }
  if (left == 0) held_.reset();
}

absl::Status SegmentCleaner::CleanFrame(const Frame& frame) {
  if (frame.batch) return CleanBatch(frame);
  const bool last = source_ + 1 == group_.size() &&
                    reading_->at().After(frame).index == group_[source_].end.index;
  if (!last && !StaysForGood(frame.kind)) {
    Drop(GapOf(frame));
  } else if (!last && held_) {
    pending_.push_back({GapOf(frame), std::string(frame.view())});
  } else {
    WritePending();
    Emit(frame.view());
  }
  return absl::OkStatus();
}

absl::Status SegmentCleaner::CleanBatch(const Frame& frame) {
  ASSIGN_OR_RETURN(const BatchCleaner::Outcome outcome, batches_.Clean(frame.view()));
  const bool named =
      std::binary_search(producer_batches_.begin(), producer_batches_.end(), reading_->at().index);
  if (outcome == BatchCleaner::Outcome::kEmpty && !named) {
    Hold({GapOf(frame), batches_.bytes()});
    return absl::OkStatus();
  }
  DropHeld();
  WritePending();
  Emit(outcome == BatchCleaner::Outcome::kAsItWas ? frame.view()
                                                  : std::string_view(batches_.bytes()));
  return absl::OkStatus();
}

void SegmentCleaner::Emit(std::string_view bytes) {
  Frame frame;
  PeekFrame(bytes, /*last=*/true, &frame);
  index_->Note(at_, index_interval_bytes_);
  at_ = at_.After(frame);
  last_term_ = frame.term;
  out_ += bytes;
}

absl::Status SegmentCleaner::WriteOut() {
  const std::string_view piece = out_;
  RETURN_IF_ERROR(file_->Allocate(bytes_written_, static_cast<int64_t>(piece.size())));
  RETURN_IF_ERROR(file_->Write(bytes_written_, {&piece, 1}));
  bytes_written_ += static_cast<int64_t>(piece.size());
  out_.clear();
  return absl::OkStatus();
}

absl::Status SegmentCleaner::Finish() {
  SegmentFooter footer;
  footer.last_index = at_.index - 1;
  footer.last_term = last_term_;
  footer.next_offset = at_.offset;
  footer.checksum = at_.checksum;
  footer.compacted = true;
  footer.max_timestamp_ms = at_.max_timestamp_ms;
  footer.max_timestamp_offset = at_.max_timestamp_offset;
  out_ += EncodeFooter(footer).view();
  RETURN_IF_ERROR(WriteOut());
  RETURN_IF_ERROR(file_->Truncate(bytes_written_));
  RETURN_IF_ERROR(file_->Sync());
  finished_ = true;
  return absl::OkStatus();
}

std::optional<CleanedSegment> SegmentCleaner::Take() {
  const SealedSegment& first = group_.front();
  const bool same = group_.size() == 1 && at_.checksum == first.end.checksum &&
                    at_.position == first.end.position;
  if (same || !finished_) return std::nullopt;
  CleanedSegment cleaned;
  for (const SealedSegment& source : group_) cleaned.replaces.push_back(source.file);
  cleaned.path = path_;
  cleaned.file = std::move(file_);
  cleaned.header = first.header;
  cleaned.end = at_;
  cleaned.last_term = last_term_;
  cleaned.index = index_;
  made_ = false;
  return cleaned;
}

}  // namespace garam::storage
