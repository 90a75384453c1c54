#include "storage/log_recovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log_start.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "storage/file_reaper.h"
#include "storage/frame_scanner.h"
#include "storage/segment_check.h"

namespace garam::storage {
namespace {

constexpr size_t kScanWindowBytes = 1 << 20;
constexpr size_t kFirstBatchWindowBytes = 512;

}  // namespace

absl::Status LogRecovery::Damaged(const std::string& path, int64_t position,
                                  const char* what) const {
  return MakeError(Errc::kCorruptRecord, absl::StrCat(path, " is damaged at byte ", position,
                                                      ", below what was synced (", what, ")"));
}

bool LogRecovery::BelowMark(const SegmentPoint& at) const {
  return mark_ && at.index < mark_->point.at.index;
}

absl::StatusOr<std::vector<LogRecovery::Candidate>> LogRecovery::ListCandidates() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs_.List(dir_));
  std::vector<Candidate> candidates;
  for (const std::string& name : names) {
    std::optional<std::pair<Offset, LogIndex>> place = ParseSegmentFileName(name);
    if (!place) continue;
    Candidate candidate;
    candidate.path = absl::StrCat(dir_, "/", name);
    candidate.place = *place;
    candidate.file = std::make_shared<SegmentFile>(fs_, candidate.path);
    RETURN_IF_ERROR(ReadHeader(candidate));
    candidates.push_back(std::move(candidate));
  }
  // By name: a file whose making was cut short has no header, and all behind it is cut as well.
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.place < b.place; });
  return candidates;
}

absl::Status LogRecovery::ReadHeader(Candidate& candidate) {
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, candidate.file->Get());
  ASSIGN_OR_RETURN(candidate.size, file->Size());
  ASSIGN_OR_RETURN(candidate.header, storage::ReadHeader(*file, candidate.size));
  if (candidate.header && candidate.header->group != group_) {
    return MakeError(Errc::kStorage,
                     absl::StrCat(candidate.path, " belongs to group ",
                                  candidate.header->group.value(), ", not ", group_.value()));
  }
  // Files are taken in the order of their names.
  const auto [offset, index] = candidate.place;
  if (candidate.header && (candidate.header->base_offset != offset ||
                           (index != LogIndex(0) && candidate.header->base_index != index))) {
    return MakeError(Errc::kStorage,
                     absl::StrCat(candidate.path, " begins at offset ",
                                  candidate.header->base_offset.value(), ", not as it is named"));
  }
  return absl::OkStatus();
}

bool LogRecovery::IsReplaced(const Candidate& candidate) const {
  if (!candidate.header || found_.segments.empty()) return false;
  const Segment& before = *found_.segments.back();
  return before.compacted && candidate.header->base_index > before.header.base_index &&
         candidate.header->base_index < before.end.index;
}

bool LogRecovery::Follows(const Candidate& candidate) const {
  if (!candidate.header) return false;
  if (found_.segments.empty()) return true;
  const Segment& before = *found_.segments.back();
  return before.rolled && candidate.header->base_index == before.end.index &&
         candidate.header->base_offset == before.end.offset &&
         candidate.header->term_before == before.last_term;
}

// Of a segment that was read.
bool LogRecovery::FooterFits(const Segment& segment, const SegmentFooter& footer) {
  return segment.rolled && segment.end.index == footer.last_index + 1 &&
         segment.end.offset == footer.next_offset && segment.last_term == footer.last_term &&
         segment.end.checksum == footer.checksum;
}

// Of one that was not: the term rows speak for what is in it.
bool LogRecovery::FooterFollows(const Segment& segment, const SegmentFooter& footer) const {
  return segment.header.base_index <= footer.last_index + 1 &&
         segment.header.base_offset <= footer.next_offset &&
         found_.terms.TermAt(footer.last_index) == footer.last_term;
}

absl::Status LogRecovery::TakeSealed(Segment& segment, const SegmentFooter& footer) {
  segment.end.index = footer.last_index + 1;
  segment.end.offset = footer.next_offset;
  segment.end.checksum = footer.checksum;
  segment.end.max_timestamp_ms = footer.max_timestamp_ms;
  segment.end.max_timestamp_offset = footer.max_timestamp_offset;
  segment.last_term = footer.last_term;
  segment.sealed = true;
  segment.compacted = footer.compacted;
  segment.rolled = true;
  segment.index = nullptr;
  return absl::OkStatus();
}

absl::StatusOr<SegmentPoint> LogRecovery::ScanStart(const Candidate& candidate, Segment& segment) {
  const SegmentPoint first = FirstPoint(segment.header);
  segment.index = std::make_shared<SegmentIndex>(first);
  if (!mark_ || mark_->point.segment_base < segment.header.base_index) return first;
  ASSIGN_OR_RETURN(const uint32_t pieces,
                   rows_.LoadUnsealed(segment.header.base_index, *segment.index));
  const bool here = mark_->point.segment_base == segment.header.base_index;
  const SegmentPoint& last = segment.index->rows().back();
  // The rows of the mark's segment must be all that belong to the mark, and speak of what is there.
  const bool of_the_mark = pieces == mark_->index_pieces && last.index <= mark_->point.at.index;
  if (pieces > 0 && last.position <= candidate.size && (of_the_mark || !here)) {
    if (here) {
      segment.index_rows = segment.index->rows().size();
      segment.index_pieces = mark_->index_pieces;
    }
  } else {
    segment.index = std::make_shared<SegmentIndex>(first);
  }
  if (here) segment.created_ms = mark_->segment_created_ms;
  return segment.index->rows().back();
}

bool LogRecovery::FrameFits(const Frame& frame, const Segment& segment,
                            const SegmentPoint& at) const {
  if (!FrameChecksOut(frame) || frame.offset != at.offset) return false;
  // Terms never go down: an older term behind a newer one is what an unsynced cut left behind.
  if (frame.term < segment.last_term) return false;
  if (BelowMark(at) && frame.term != found_.terms.TermAt(at.index)) return false;
  return frame.batch || (HasPlaceInLog(frame) && frame.index == at.index);
}

// Below the mark the rows have it already.
void LogRecovery::NoteEntry(const Frame& frame, const SegmentPoint& at) {
  if (BelowMark(at)) return;
  found_.terms.Append(frame.term, at.index, at.offset);
  if (frame.batch) return;
  if (frame.kind == static_cast<uint8_t>(EntryKind::kConfiguration)) {
    found_.configurations.push_back({at.index, std::string(frame.payload())});
  } else if (frame.kind == static_cast<uint8_t>(EntryKind::kSetLogStart)) {
    const std::optional<Offset> start = DecodeLogStart(frame.payload());
    if (start) found_.pending_starts.push_back({at.index, *start});
  }
}

absl::Status LogRecovery::ScanSegment(Candidate& candidate, Segment& segment) {
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, candidate.file->Get());
  ASSIGN_OR_RETURN(SegmentPoint at, ScanStart(candidate, segment));
  // Terms of what lies before the start come from the rows.
  if (at.index > segment.header.base_index) segment.last_term = found_.terms.TermAt(at.index - 1);
  FrameScanner scanner(*file, IoMode::kWait, at.position, candidate.size, kScanWindowBytes);
  while (!segment.rolled) {
    Frame frame;
    ASSIGN_OR_RETURN(FrameFound found, scanner.Peek(/*whole=*/true, &frame));
    if (found == FrameFound::kFrame && !FrameFits(frame, segment, at)) found = FrameFound::kBad;
    if (found != FrameFound::kFrame) {
      if (BelowMark(at)) return Damaged(candidate.path, at.position, "a frame is bad or missing");
      tail_bad_ = found == FrameFound::kBad;
      break;
    }
    segment.index->Note(at, index_interval_bytes_);
    NoteEntry(frame, at);
    segment.last_term = frame.term;
    segment.rolled = !frame.batch && frame.kind == static_cast<uint8_t>(EntryKind::kRoll);
    at = at.After(frame);
    scanner.Skip(frame);
    if (mark_ && at.index == mark_->point.at.index && at.offset != mark_->point.at.offset) {
      return Damaged(candidate.path, at.position, "offsets differ from what was synced");
    }
  }
  segment.end = at;
  return absl::OkStatus();
}

absl::Status LogRecovery::NoteTimes(File& file, Segment& segment) {
  if (segment.end.max_timestamp_ms < 0) {
    ASSIGN_OR_RETURN(segment.modified_ms, file.ModifiedMs());
  }
  if (segment.sealed || segment.end.offset == segment.header.base_offset) return absl::OkStatus();
  // The first batch follows a few private frames at most. Damage is for others to find.
  FrameScanner scanner(file, IoMode::kWait, FirstPoint(segment.header).position,
                       segment.end.position, kFirstBatchWindowBytes);
  Frame frame;
  while (!frame.batch) {
    const absl::StatusOr<FrameFound> found = scanner.Peek(/*whole=*/false, &frame);
    if (!found.ok() || *found != FrameFound::kFrame) return absl::OkStatus();
    scanner.Skip(frame);
  }
  segment.first_timestamp_ms = RecordBatchView(frame.at).max_timestamp_ms();
  return absl::OkStatus();
}

// An earlier process had begun to.
void LogRecovery::DropGivenUp() {
  const absl::StatusOr<std::vector<std::string>> paths = GivenUpIn(fs_, dir_);
  if (!paths.ok()) return;
  for (const std::string& path : *paths) {
    const absl::Status removed = fs_.RemoveTree(path);
    if (!removed.ok()) LogWarn("{} stays: {}", path, removed.ToString());
  }
}

absl::StatusOr<std::shared_ptr<Segment>> LogRecovery::TakeSegment(Candidate& candidate) {
  auto segment = std::make_shared<Segment>();
  segment->file = candidate.file;
  segment->header = *candidate.header;
  segment->last_term = candidate.header->term_before;
  const LogIndex before = candidate.header->base_index - 1;
  if (found_.segments.empty() && before > LogIndex(0) &&
      (!mark_ || before >= mark_->point.at.index)) {
    // The rows do not reach up to here; the term before the log start is in the first header.
    found_.terms.Append(candidate.header->term_before, before, candidate.header->base_offset);
  }
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, candidate.file->Get());
  ASSIGN_OR_RETURN(std::optional<SegmentFooter> footer, ReadFooter(*file, candidate.size));
  // The term rows reach up to the mark: a sealed segment above it is read like any other. So is the
  // mark's own, for nothing behind it says that it was rolled.
  const bool terms_known = mark_ && footer && footer->last_index < mark_->point.at.index &&
                           candidate.header->base_index < mark_->point.segment_base;
  const int64_t footer_at = candidate.size - static_cast<int64_t>(kFooterBytes);
  if (!terms_known) RETURN_IF_ERROR(ScanSegment(candidate, *segment));
  // The end of a frame may look like a footer: clients choose what is in their records.
  if (!terms_known && segment->end.position > footer_at) footer.reset();
  if (footer) {
    if (terms_known ? !FooterFollows(*segment, *footer) : !FooterFits(*segment, *footer)) {
      return Damaged(candidate.path, segment->end.position, "the footer does not fit");
    }
    RETURN_IF_ERROR(TakeSealed(*segment, *footer));
    segment->end.position = footer_at;
  }
  RETURN_IF_ERROR(NoteTimes(*file, *segment));
  return segment;
}

absl::Status LogRecovery::TakeSegments(std::vector<Candidate> candidates,
                                       std::vector<Candidate>& cut) {
  for (Candidate& candidate : candidates) {
    if (cut.empty() && IsReplaced(candidate)) {
      replaced_.push_back(candidate.path);
      continue;
    }
    if (!cut.empty() || tail_bad_ || !Follows(candidate)) {
      if (mark_ && candidate.header && candidate.header->base_index < mark_->point.at.index) {
        return Damaged(candidate.path, 0, "it does not continue the segment before it");
      }
      cut.push_back(std::move(candidate));
      continue;
    }
    ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment, TakeSegment(candidate));
    found_.segments.push_back(std::move(segment));
  }
  return absl::OkStatus();
}

absl::Status LogRecovery::CheckMarkReached() const {
  if (!mark_) return absl::OkStatus();
  const LogIndex end = found_.segments.empty() ? LogIndex(0) : found_.segments.back()->end.index;
  if (found_.segments.empty() || end < mark_->point.at.index) {
    return Damaged(
        dir_, 0, found_.segments.empty() ? "its segments are gone" : "its last segments are gone");
  }
  // The start's row is synced before the first segment below it goes.
  const SegmentHeader& first = found_.segments.front()->header;
  const bool whole =
      found_.start ? first.base_offset <= *found_.start : first.base_index == LogIndex(1);
  return whole ? absl::OkStatus() : Damaged(dir_, 0, "its first segments are gone");
}

absl::Status LogRecovery::NoteStart() {
  if (mark_ || found_.segments.empty()) return absl::OkStatus();
  const SegmentHeader& first = found_.segments.front()->header;
  if (first.base_index == LogIndex(1) || found_.start >= first.base_offset) return absl::OkStatus();
  found_.start = first.base_offset;
  return rows_.SaveStart(first.base_offset);
}

absl::Status LogRecovery::Settle(const std::vector<Candidate>& cut) {
  for (const Candidate& candidate : cut) {
    LogInfo("{}: removed: it lies behind a torn tail", candidate.path);
    RETURN_IF_ERROR(fs_.Remove(candidate.path));
  }
  for (const std::string& path : replaced_) {
    LogInfo("{}: removed: compaction had replaced it", path);
    RETURN_IF_ERROR(fs_.Remove(path));
  }
  const bool all_below_mark = mark_ && !found_.segments.empty() &&
                              found_.segments.back()->end.index == mark_->point.at.index;
  // What the process did before it died may be in the page cache only, names too.
  if (!cut.empty() || !replaced_.empty() || !all_below_mark)
    RETURN_IF_ERROR(fs_.SyncDirectory(dir_));
  for (const std::shared_ptr<Segment>& segment : found_.segments) {
    const bool above_mark = !mark_ || segment->end.index > mark_->point.at.index;
    if (segment->sealed && !above_mark) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<File> file, segment->file->Get());
    ASSIGN_OR_RETURN(int64_t size, file->Size());
    const bool longer = size > segment->size_bytes();
    if (longer) RETURN_IF_ERROR(file->Truncate(segment->size_bytes()));
    if (Mutated(Mutation::kRecoveredTailUnsynced)) continue;
    if (longer || above_mark) RETURN_IF_ERROR(file->Sync());
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredLog> LogRecovery::Run() {
  ASSIGN_OR_RETURN(mark_, rows_.LoadMark());
  ASSIGN_OR_RETURN(found_.terms, rows_.LoadTerms());
  ASSIGN_OR_RETURN(found_.start, rows_.LoadStart());
  ASSIGN_OR_RETURN(found_.clean, rows_.LoadClean());
  // Rows above the mark, or without one, speak of what may not be there.
  found_.terms.TruncateFrom(mark_ ? mark_->point.at.index : LogIndex(0));
  ASSIGN_OR_RETURN(found_.configurations, rows_.LoadConfigurations());
  TruncateRows(found_.configurations, mark_ ? mark_->point.at.index : LogIndex(0));
  ASSIGN_OR_RETURN(found_.pending_starts, rows_.LoadPendingStarts());
  TruncateRows(found_.pending_starts, mark_ ? mark_->point.at.index : LogIndex(0));
  ASSIGN_OR_RETURN(std::vector<Candidate> candidates, ListCandidates());
  std::vector<Candidate> cut;
  RETURN_IF_ERROR(TakeSegments(std::move(candidates), cut));
  RETURN_IF_ERROR(CheckMarkReached());
  if (tail_bad_) {
    const Segment& last = *found_.segments.back();
    LogInfo("{}: torn tail cut at byte {} (offset {})", last.file->path(), last.end.position,
            last.end.offset.value());
  }
  RETURN_IF_ERROR(Settle(cut));
  RETURN_IF_ERROR(NoteStart());
  DropGivenUp();
  found_.mark = mark_;
  if (!found_.segments.empty()) {
    const Segment& last = *found_.segments.back();
    found_.end = {last.header.base_index, last.end};
  }
  return std::move(found_);
}

}  // namespace garam::storage
