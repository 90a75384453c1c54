// SegmentedLog: jobs, syncs, marks, footers, and the end.
#include <algorithm>
#include <iterator>
#include <utility>

#include "common/mutation.h"
#include "storage/segmented_log.h"

namespace garam::storage {
namespace {

constexpr Millis kMarkInterval{1000};

}  // namespace

void SegmentedLog::MoveWritten(const LogPoint& end, uint64_t seq) {
  written_ = end;
  written_seq_ = seq;
  while (!unwritten_.empty() && unwritten_.front().at.index < end.at.index) unwritten_.pop_front();
}

void SegmentedLog::MaybeStartJob() {
  if (flight_ || installing_ || !failed_.ok() || retry_timer_ != kNoTimer) return;
  const bool writes = !ops_.empty() || written_seq_ < appended_seq_;
  const bool sync = sync_wanted_ || (ModeF() && (writes || durable_seq_ < written_seq_));
  if (writes || sync) StartJob(sync);
}

void SegmentedLog::StartJob(bool sync) {
  Flight flight;
  flight.writes = !ops_.empty() || written_seq_ < appended_seq_;
  flight.sync = sync;
  flight.seq = appended_seq_;
  flight.end = appended_;
  flight.bytes = dirty_bytes_;
  flight.records = dirty_records_;
  auto job = std::make_unique<WriteJob>();
  job->ops.swap(ops_);
  job->dirty.swap(dirty_);
  job->sealed.swap(sealed_indexes_);
  job->sync = sync;
  if (sync) {
    sync_wanted_ = false;
    StageMark(*job, flight);
  }
  flight_ = std::move(flight);
  ++in_flight_;
  env_.pool.Submit([this, job = std::move(job)]() mutable {
    absl::Status status = job->Run(env_.fs, rows_, env_.kv, dir_);
    env_.home.Post([this, job = std::move(job), status = std::move(status)]() mutable {
      FinishJob(std::move(job), status);
      FlightEnded();
    });
  });
}

void SegmentedLog::StageMark(WriteJob& job, Flight& flight) {
  const MonoTime now = env_.clock.Mono();
  const bool due =
      closing_ || drop_waits_ || !job.sealed.empty() || !mark_ || now - mark_at_ >= kMarkInterval;
  if (!due || (mark_ && mark_->at.index == flight.end.at.index)) return;
  mark_at_ = now;
  flight.mark = flight.end;
  for (const SegmentPtr& segment : segments_) {
    if (segment->sealed) continue;
    const size_t rows = segment->index->rows().size();
    uint32_t pieces = segment->index_pieces;
    if (segment->index_rows < rows) {
      if (pieces == 0) rows_.StageDropUnsealed(segment->header.base_index, job.mark);
      rows_.StagePiece(segment->header.base_index, pieces++,
                       segment->index->Encode(segment->index_rows, rows), job.mark);
      flight.indexed.emplace_back(segment, rows);
    }
    if (segment == segments_.back()) {
      rows_.StageMark({flight.end, pieces, segment->created_ms}, job.mark);
    }
  }
  rows_.StageTerms(*terms_, flight.end.at.index, job.mark);
  rows_.StageConfigurations(configurations_, flight.end.at.index, job.mark);
  rows_.StagePendingStarts(pending_starts_, flight.end.at.index, job.mark);
}

void SegmentedLog::ApplyMark(Flight& flight) {
  if (!flight.mark) return;
  mark_ = *std::exchange(flight.mark, std::nullopt);
  for (auto& [segment, rows] : flight.indexed) {
    ++segment->index_pieces;
    segment->index_rows = rows;
  }
  flight.indexed.clear();
}

void SegmentedLog::FinishJob(std::unique_ptr<WriteJob> job, const absl::Status& status) {
  const Flight flight = *std::exchange(flight_, std::nullopt);
  for (WriteJob::GivenUp& gone : job->given_up) {
    if (gone.file != nullptr) {
      reaper_.Free(std::move(gone.file), std::move(gone.users));
    } else {
      reaper_.Reap(std::move(gone.path), BoundedMillis(options_.file_delete_delay_ms),
                   std::move(gone.users));
    }
  }
  MaybeStartInstall();
  if (!failed_.ok()) return;
  if (!status.ok() && !IsDiskFull(status)) return Fail(status);
  for (std::shared_ptr<SegmentFile>& file : job->dirty) {
    if (std::find(dirty_.begin(), dirty_.end(), file) == dirty_.end()) {
      dirty_.push_back(std::move(file));
    }
  }
  if (status.ok()) {
    LeaveDiskFull();
    return JobSucceeded(flight);
  }
  // What is left is tried again, in order, before anything that came later.
  std::move(job->ops.rbegin(), job->ops.rend(), std::front_inserter(ops_));
  std::move(job->sealed.begin(), job->sealed.end(), std::back_inserter(sealed_indexes_));
  sync_wanted_ = sync_wanted_ || flight.sync;
  EnterDiskFull(status);
}

void SegmentedLog::JobSucceeded(Flight flight) {
  if (flight.writes) MoveWritten(flight.end, flight.seq);
  if (flight.sync) {
    if (flight.end.at.index > durable_.at.index) durable_ = flight.end;
    durable_seq_ = flight.seq;
    dirty_bytes_ -= std::min(dirty_bytes_, flight.bytes);
    dirty_records_ -= std::min(dirty_records_, flight.records);
    ApplyMark(flight);
    DropSegments();
  }
  // The disk goes on before anybody is told.
  const bool inline_too = MayWriteInline() && !ops_.empty();
  if (inline_too) WriteInline();
  MaybeStartJob();
  ArmFlushTimer();
  if (flight.writes || inline_too) observer_.OnWritten(written_seq_);
  if (flight.sync) observer_.OnDurable(flight.seq);
}

void SegmentedLog::ArmFlushTimer() {
  if (ModeF() || closing_ || !failed_.ok() || durable_seq_ >= written_seq_) return;
  const int64_t in_flight = flight_ && flight_->sync ? flight_->records : 0;
  if (dirty_records_ - in_flight >= options_.flush_messages) {
    sync_wanted_ = true;
    return MaybeStartJob();
  }
  if (flush_timer_ != kNoTimer) return;
  flush_timer_ = env_.home.PostAt(env_.clock.Mono() + BoundedMillis(options_.flush_ms), [this] {
    flush_timer_ = kNoTimer;
    Flush();
  });
}

void SegmentedLog::Flush() {
  if (durable_seq_ >= appended_seq_) return;
  sync_wanted_ = true;
  MaybeStartJob();
}

void SegmentedLog::SetOptions(const LogOptions& options) {
  options_ = options;
  if (!ModeF()) return ArmFlushTimer();
  env_.home.Cancel(flush_timer_);
  flush_timer_ = kNoTimer;
  MaybeStartJob();
}

void SegmentedLog::OnCommitted(LogIndex index) {
  committed_ = std::max(committed_, index);
  if (!failed_.ok()) return;
  SealCommitted();
  const bool moved = ApplyStarts();
  const bool dropped = DropSegments();
  if (moved || dropped) MaybeStartJob();
  // Not before the disk has it: a loss of power would leave neither the old one nor the new one.
  // And a manifest wants the one at its end.
  DropReplacedRows(configurations_, std::min(LastSealedIndex(), durable_index()));
}

void SegmentedLog::SealCommitted() {
  bool sealed = false;
  size_t first = segments_.size() - 1;
  while (first > 0 && !segments_[first - 1]->sealed) --first;
  for (size_t i = first; i + 1 < segments_.size(); ++i) {
    if (segments_[i]->end.index - 1 > committed_) break;
    QueueSeal(*segments_[i]);
    sealed = true;
  }
  if (!sealed) return;
  sync_wanted_ = true;
  MaybeStartJob();
}

void SegmentedLog::QueueSeal(Segment& segment) {
  QueueAppend(segment.file, segment.end.position, EncodeFooter(FooterOf(segment)));
  segment.sealed = true;
  // What was reserved behind it goes back.
  WriteOp trim;
  trim.kind = WriteOp::Kind::kTruncate;
  trim.file = segment.file;
  trim.position = segment.size_bytes();
  ops_.push_back(std::move(trim));
  sealed_indexes_.push_back({segment.header.base_index, segment.index_stamp(), segment.index});
  loaded_.push_back(segment.header.base_index);
  TrimIndexes();
}

// D14: what is committed is the same everywhere, so every replica drops the same records.
// Whether the log start has moved.
bool SegmentedLog::ApplyStarts() {
  Offset start = start_offset_;
  const LogIndex through = Mutated(Mutation::kStartBeforeCommit) ? last_index() : committed_;
  while (!pending_starts_.empty() && pending_starts_.front().index <= through) {
    start = std::max(start, pending_starts_.front().start);
    pending_starts_.erase(pending_starts_.begin());
  }
  start = std::min(start, appended_.at.offset);
  if (start <= start_offset_) return false;
  start_offset_ = start;
  SaveStart();
  return true;
}

void SegmentedLog::DropBefore(LogIndex index) {
  if (!failed_.ok() || index <= drop_before_) return;
  drop_before_ = index;
  DropSegments();
  MaybeStartJob();
}

void SegmentedLog::KeepFrom(LogIndex index) {
  const bool raised = keep_from_ && index > *keep_from_;
  keep_from_ = index;
  if (!failed_.ok() || !raised) return;
  DropSegments();
  MaybeStartJob();
}

void SegmentedLog::SaveStart() {
  WriteOp row;
  row.kind = WriteOp::Kind::kRows;
  rows_.StageStart(start_offset_, row.rows);
  ops_.push_back(std::move(row));
}

// Whole sealed segments that nobody needs go, once the mark and the rows beside it speak for them:
// terms and configurations of what they held are nowhere else. After a start the log start is known
// before it is known again what is committed; a leader has to have all above that. Whether one has
// gone.
bool SegmentedLog::DropSegments() {
  const LogIndex marked = mark_ ? mark_->at.index : LogIndex(0);
  size_t count = 0;
  drop_waits_ = false;
  while (count + 1 < segments_.size() && segments_[count]->sealed && !drop_waits_) {
    const SegmentPoint& end = segments_[count]->end;
    const bool below_start = start_offset_ > Offset(0) && end.offset <= start_offset_;
    if (!below_start && end.index > drop_before_) break;
    if (end.index > std::min(keep_from_.value_or(end.index), committed_ + 1)) break;
    drop_waits_ = end.index > marked;
    if (!drop_waits_) ++count;
  }
  sync_wanted_ = sync_wanted_ || drop_waits_;
  if (count == 0) return false;
  // Says that the first segments are gone on purpose, and is synced, with the mark before it.
  start_offset_ = std::max(start_offset_, segments_[count]->header.base_offset);
  SaveStart();
  for (size_t i = 0; i < count; ++i) {
    WriteOp removal;
    removal.kind = WriteOp::Kind::kGiveUp;
    removal.file = segments_[i]->file;
    ops_.push_back(std::move(removal));
    WriteOp index;
    index.kind = WriteOp::Kind::kRows;
    rows_.StageDropSealed(segments_[i]->header.base_index, index.rows);
    ops_.push_back(std::move(index));
  }
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
  auto terms = std::make_shared<TermRows>(*terms_);
  terms->DropBefore(first_index());
  terms_ = std::move(terms);
  return true;
}

void SegmentedLog::Close(absl::AnyInvocable<void() &&> done) {
  closing_ = true;
  closed_ = std::move(done);
  env_.home.Cancel(flush_timer_);
  env_.home.Cancel(retry_timer_);
  retry_timer_ = kNoTimer;
  ++in_flight_;
  reaper_.Stop([this] { FlightEnded(); });
  if (appended_seq_ == 0) {
    // Nothing was written since Open: a segment that was only planned is planned again then.
    ops_.clear();
  } else if (failed_.ok()) {
    WriteOp trim;
    trim.kind = WriteOp::Kind::kTruncate;
    trim.file = active().file;
    trim.position = appended_.at.position;
    ops_.push_back(std::move(trim));
  }
  const bool mark_behind = !mark_ || mark_->at.index != appended_.at.index;
  sync_wanted_ = appended_seq_ > 0 || (mark_behind && last_index() >= first_index());
  MaybeStartJob();
  MaybeFinishClose();
}

void SegmentedLog::FlightEnded() {
  --in_flight_;
  if (closing_) MaybeFinishClose();
}

void SegmentedLog::MaybeFinishClose() {
  if (in_flight_ > 0 || !closed_) return;
  env_.home.Post(std::move(closed_));
  closed_ = nullptr;
}

}  // namespace garam::storage
