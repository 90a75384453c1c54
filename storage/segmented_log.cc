#include "storage/segmented_log.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/log_start.h"
#include "common/logging.h"
#include "common/record_batch.h"
#include "common/status.h"
#include "storage/frame_scanner.h"

namespace garam::storage {
namespace {

void LowerTo(const LogPoint& end, LogPoint& point) {
  if (end.at.index < point.at.index) point = end;
}

std::string ParentOf(const std::string& dir) { return dir.substr(0, dir.rfind('/')); }

// Makes the folder and the file with its names, or checks whose they are.
absl::Status PrepareFolder(FileSystem& fs, const std::string& dir, const LogIdentity& identity) {
  RETURN_IF_ERROR(fs.MakeDirectory(dir));
  absl::StatusOr<LogIdentity> found = ReadLogIdentity(fs, dir);
  if (found.ok()) {
    if (found->group == identity.group) return absl::OkStatus();
    return MakeError(Errc::kStorage, absl::StrCat(dir, " belongs to group ", found->group.value(),
                                                  ", not ", identity.group.value()));
  }
  if (!absl::IsNotFound(found.status())) return found.status();
  RETURN_IF_ERROR(fs.SyncDirectory(ParentOf(dir)));
  return WriteLogIdentity(fs, dir, identity);
}

// What compaction had not finished.
absl::Status RemoveCleaned(FileSystem& fs, const std::string& dir) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(dir));
  for (const std::string& name : names) {
    if (name.ends_with(kCleanedSuffix)) RETURN_IF_ERROR(fs.Remove(absl::StrCat(dir, "/", name)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const LogEnv& env, const LogIdentity& identity,
                                               std::string dir, const LogOptions& options,
                                               LogObserver& observer) {
  RETURN_IF_ERROR(PrepareFolder(env.fs, dir, identity));
  RETURN_IF_ERROR(CarryOutInstall(env.fs, env.kv, identity.group, dir));
  RETURN_IF_ERROR(RemoveCleaned(env.fs, dir));
  LogRecovery recovery(env.fs, env.kv, identity.group, dir, options.index_interval_bytes);
  ASSIGN_OR_RETURN(RecoveredLog found, recovery.Run());
  auto log = std::make_unique<SegmentedLog>(env, identity, std::move(dir), options, observer);
  log->Adopt(std::move(found));
  return log;
}

absl::Status Log::Remove(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir) {
  // Rows first: a folder without rows is a log whose rows were lost; rows without a folder would
  // call a later log of that folder damaged.
  RETURN_IF_ERROR(LogRows(kv, group).RemoveAll());
  RETURN_IF_ERROR(fs.RemoveTree(dir));
  RETURN_IF_ERROR(fs.RemoveTree(AsideFolder(dir)));
  return fs.SyncDirectory(ParentOf(dir));
}

absl::Status Log::GiveUp(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir) {
  RETURN_IF_ERROR(LogRows(kv, group).RemoveAll());
  RETURN_IF_ERROR(fs.RemoveTree(AsideFolder(dir)));
  RETURN_IF_ERROR(fs.RemoveTree(GivenUpPath(dir)));
  absl::Status renamed = fs.Rename(dir, GivenUpPath(dir));
  if (!renamed.ok() && !absl::IsNotFound(renamed)) return renamed;
  return fs.SyncDirectory(ParentOf(dir));
}

std::string AsideFolder(const std::string& dir) { return dir + ".damaged"; }

absl::Status Log::SetAside(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(dir));
  const bool has_segments = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return ParseSegmentFileName(name).has_value();
  });
  if (has_segments) {
    // Names first: rows without a folder are damage again, and bring nothing new to keep; a folder
    // without rows would be cut where it is damaged.
    RETURN_IF_ERROR(fs.RemoveTree(AsideFolder(dir)));
    RETURN_IF_ERROR(fs.Rename(dir, AsideFolder(dir)));
  } else {
    RETURN_IF_ERROR(fs.RemoveTree(dir));
  }
  RETURN_IF_ERROR(fs.SyncDirectory(ParentOf(dir)));
  return LogRows(kv, group).RemoveAll();
}

SegmentedLog::SegmentedLog(const LogEnv& env, const LogIdentity& identity, std::string dir,
                           const LogOptions& options, LogObserver& observer)
    : env_(env),
      identity_(identity),
      dir_(std::move(dir)),
      options_(options),
      observer_(observer),
      rows_(env.kv, identity.group),
      reader_(env.kv, identity.group),
      reaper_(env.fs, env.pool, env.home, env.clock) {}

void SegmentedLog::Adopt(RecoveredLog found) {
  terms_ = std::make_shared<TermRows>(std::move(found.terms));
  configurations_ = std::move(found.configurations);
  pending_starts_ = std::move(found.pending_starts);
  segments_ = std::move(found.segments);
  clean_ = found.clean;
  compacted_before_ = LogIndex(0);
  for (const SegmentPtr& segment : segments_) {
    if (segment->compacted) compacted_before_ = segment->end.index;
  }
  if (found.mark) mark_ = found.mark->point;
  if (segments_.empty()) {
    BeginSegment({identity_.group, LogIndex(1), Offset(0), Term(0)});
    written_ = durable_ = appended_;
  } else {
    appended_ = written_ = durable_ = found.end;
    Segment& last = active();
    if (last.created_ms == 0 && last.end.index > last.header.base_index) {
      last.created_ms = env_.clock.WallMs();
    }
    if (last.rolled)
      BeginSegment({identity_.group, last.end.index, last.end.offset, last.last_term});
  }
  committed_ = whole_from() - 1;  // Or it would not be gone.
  start_offset_ = std::max(found.start.value_or(Offset(0)), segments_.front()->header.base_offset);
}

int64_t SegmentedLog::size_bytes() const {
  int64_t sum = 0;
  for (const SegmentPtr& segment : segments_) sum += segment->size_bytes();
  return sum;
}

std::vector<SegmentInfo> SegmentedLog::Segments() const {
  std::vector<SegmentInfo> segments;
  segments.reserve(segments_.size());
  for (const SegmentPtr& segment : segments_) segments.push_back(InfoOf(*segment));
  return segments;
}

void SegmentedLog::Notify(absl::AnyInvocable<void(LogObserver&) &&> call) {
  ++in_flight_;
  env_.home.Post([this, call = std::move(call)]() mutable {
    std::move(call)(observer_);
    FlightEnded();
  });
}

void SegmentedLog::Fail(const absl::Status& status) {
  if (!failed_.ok()) return;
  LogError("{}: the log has failed and takes no more writes: {}", dir_,
           std::string(status.message()));
  failed_ = status;
  ops_.clear();
  env_.home.Cancel(flush_timer_);
  env_.home.Cancel(retry_timer_);
  Notify([status](LogObserver& observer) { observer.OnFailed(status); });
}

void SegmentedLog::EnterDiskFull(const absl::Status& status) {
  if (retry_timer_ == kNoTimer && !closing_) {
    retry_timer_ = env_.home.PostAt(env_.clock.Mono() + kDiskFullRetry, [this] {
      retry_timer_ = kNoTimer;
      MaybeStartJob();
    });
  }
  if (!disk_full_.ok()) return;
  LogError("{}: refusing records until there is space: {}", dir_, std::string(status.message()));
  disk_full_ = status;
  Notify([status](LogObserver& observer) { observer.OnDiskFull(status); });
}

void SegmentedLog::LeaveDiskFull() {
  if (disk_full_.ok()) return;
  LogInfo("{}: there is space again", dir_);
  disk_full_ = absl::OkStatus();
  Notify([](LogObserver& observer) { observer.OnDiskFree(); });
}

uint64_t SegmentedLog::Write(LogWrite write) {
  if (!failed_.ok()) return written_seq_;
  appended_seq_ = write.seq;
  if (write.truncate_from && *write.truncate_from <= last_index()) {
    if (absl::Status cut = Truncate(*write.truncate_from); !cut.ok()) {
      Fail(cut);
      return written_seq_;
    }
  }
  for (const LogEntry& entry : write.entries) {
    if (absl::Status appended = Append(entry); !appended.ok()) {
      Fail(appended);
      return written_seq_;
    }
  }
  if (MayWriteInline()) WriteInline();
  MaybeStartJob();
  return written_seq_;
}

absl::Status SegmentedLog::CheckEntry(const LogEntry& entry) const {
  const char* wrong = nullptr;
  if (entry.index != appended_.at.index) wrong = "its index is not the next one";
  if (entry.term < segments_.back()->last_term) wrong = "its term is older than the last one";
  if (entry.kind == EntryKind::kBatch && wrong == nullptr) {
    const RecordBatchView batch(entry.bytes.data());
    if (entry.bytes.size() < RecordBatchView::kHeaderBytes ||
        batch.size_bytes() != entry.bytes.size() || batch.magic() != RecordBatchView::kMagic) {
      wrong = "it is not one whole batch";
    } else if (batch.base_offset() != appended_.at.offset || batch.last_offset_delta() < 0) {
      wrong = "its base offset is not the next one";
    } else if (batch.leader_epoch() != entry.term) {
      wrong = "its leader epoch is not its term";
    }
  }
  if (entry.kind == EntryKind::kSetLogStart && !DecodeLogStart(entry.bytes.view())) {
    wrong = "it has no log start";
  }
  if (wrong == nullptr) return absl::OkStatus();
  return MakeError(Errc::kStorage, absl::StatusCode::kInternal,
                   absl::StrCat(dir_, ": entry ", entry.index.value(), " refused: ", wrong));
}

absl::Status SegmentedLog::Append(const LogEntry& entry) {
  RETURN_IF_ERROR(CheckEntry(entry));
  Segment& segment = active();
  const Bytes bytes = FrameOfEntry(entry, appended_.at.offset);
  Frame frame;
  PeekFrame(bytes.view(), /*last=*/true, &frame);
  if (terms_->rows().empty() || terms_->rows().back().term != entry.term) {
    // Readers hold the old ones.
    auto terms = std::make_shared<TermRows>(*terms_);
    terms->Append(entry.term, entry.index, appended_.at.offset);
    terms_ = std::move(terms);
  }
  if (entry.kind == EntryKind::kConfiguration) {
    configurations_.push_back({entry.index, std::string(entry.bytes.view())});
  } else if (entry.kind == EntryKind::kSetLogStart) {
    pending_starts_.push_back({entry.index, *DecodeLogStart(entry.bytes.view())});
  }
  unwritten_.push_back(appended_);
  QueueAppend(segment.file, appended_.at.position, bytes);
  segment.index->Note(appended_.at, options_.index_interval_bytes);
  segment.modified_ms = env_.clock.WallMs();
  if (segment.created_ms == 0) segment.created_ms = segment.modified_ms;
  if (frame.batch && segment.end.offset == segment.header.base_offset) {
    segment.first_timestamp_ms = RecordBatchView(frame.at).max_timestamp_ms();
  }
  dirty_bytes_ += frame.size;
  dirty_records_ += appended_.at.After(frame).offset - appended_.at.offset;
  appended_.at = appended_.at.After(frame);
  segment.end = appended_.at;
  segment.last_term = entry.term;
  if (entry.kind == EntryKind::kRoll) {
    segment.rolled = true;
    BeginSegment({identity_.group, appended_.at.index, appended_.at.offset, entry.term});
  }
  return absl::OkStatus();
}

void SegmentedLog::BeginSegment(const SegmentHeader& header) {
  const bool taken = std::any_of(segments_.begin(), segments_.end(), [&](const SegmentPtr& other) {
    return other->header.base_offset == header.base_offset;
  });
  auto segment = std::make_shared<Segment>();
  segment->file = std::make_shared<SegmentFile>(
      env_.fs, absl::StrCat(dir_, "/", SegmentFileName(header, taken)));
  segment->header = header;
  segment->end = FirstPoint(header);
  segment->last_term = header.term_before;
  segment->index = std::make_shared<SegmentIndex>(segment->end);
  segments_.push_back(segment);
  appended_ = {header.base_index, segment->end};
  WriteOp create;
  create.kind = WriteOp::Kind::kCreate;
  create.file = segment->file;
  ops_.push_back(std::move(create));
  QueueAppend(segment->file, 0, EncodeHeader(header));
}

void SegmentedLog::QueueAppend(const std::shared_ptr<SegmentFile>& file, int64_t position,
                               Bytes bytes) {
  if (ops_.empty() || ops_.back().kind != WriteOp::Kind::kAppend || ops_.back().file != file ||
      ops_.back().position + static_cast<int64_t>(ops_.back().bytes) != position) {
    WriteOp op;
    op.kind = WriteOp::Kind::kAppend;
    op.file = file;
    op.position = position;
    ops_.push_back(std::move(op));
  }
  ops_.back().bytes += bytes.size();
  ops_.back().pieces.push_back(std::move(bytes));
}

bool SegmentedLog::MayWriteInline() const {
  if (ModeF() || installing_ || !disk_full_.ok() || (flight_ && flight_->writes)) return false;
  if (ops_.empty()) return true;
  const WriteOp& op = ops_.front();
  return ops_.size() == 1 && op.kind == WriteOp::Kind::kAppend && op.file->GetIfOpen() != nullptr &&
         op.file->Reserved(op.position + static_cast<int64_t>(op.bytes)) &&
         dirty_bytes_ <= options_.inline_dirty_bytes_max;
}

void SegmentedLog::WriteInline() {
  if (!ops_.empty()) {
    const WriteOp& op = ops_.front();
    std::vector<std::string_view> pieces;
    pieces.reserve(op.pieces.size());
    for (const Bytes& piece : op.pieces) pieces.push_back(piece.view());
    if (absl::Status status = op.file->GetIfOpen()->Write(op.position, pieces); !status.ok()) {
      return IsDiskFull(status) ? EnterDiskFull(status) : Fail(status);
    }
    if (std::find(dirty_.begin(), dirty_.end(), op.file) == dirty_.end()) {
      dirty_.push_back(op.file);
    }
    ops_.clear();
  }
  MoveWritten(appended_, appended_seq_);
  ArmFlushTimer();
}

absl::StatusOr<SegmentPoint> SegmentedLog::WalkTo(const Segment& segment, LogIndex index) {
  // The one read on the shard that may wait: a cut follows a change of leader, and what it cuts was
  // written moments ago, so it is in the page cache.
  SegmentPoint at = segment.index->FindIndex(index);
  if (at.index == index) return at;
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, segment.file->Get());
  const SegmentView view = ViewOf(segment);
  FrameScanner scanner(*file, IoMode::kWait, at.position, view.end_position);
  while (at.index < index) {
    Frame frame;
    ASSIGN_OR_RETURN(FrameFound found, scanner.Peek(/*whole=*/true, &frame));
    if (found != FrameFound::kFrame || frame.offset != at.offset) {
      return MakeError(Errc::kStorage,
                       absl::StrCat(segment.file->path(), " is damaged at byte ", at.position));
    }
    at = at.After(frame);
    scanner.Skip(frame);
  }
  return at;
}

absl::StatusOr<LogPoint> SegmentedLog::Locate(LogIndex index) {
  if (!unwritten_.empty() && index >= unwritten_.front().at.index) {
    return unwritten_[static_cast<size_t>(index - unwritten_.front().at.index)];
  }
  const Segment& segment = *segments_[SegmentOfIndex(index)];
  if (segment.sealed) {
    return MakeError(
        Errc::kStorage, absl::StatusCode::kInternal,
        absl::StrCat(dir_, ": asked to cut the sealed segment of entry ", index.value()));
  }
  ASSIGN_OR_RETURN(SegmentPoint at, WalkTo(segment, index));
  return LogPoint{segment.header.base_index, at};
}

absl::Status SegmentedLog::Truncate(LogIndex from) {
  if (from <= committed_ || from < first_index()) {
    return MakeError(Errc::kStorage, absl::StatusCode::kInternal,
                     absl::StrCat(dir_, ": asked to cut from entry ", from.value(),
                                  ", but all up to ", committed_.value(), " is committed"));
  }
  ASSIGN_OR_RETURN(LogPoint end, Locate(from));
  ++truncations_;
  cursors_.clear();
  if (flight_) {
    // The running job may write its mark above the cut: take it as written and lower it after.
    ApplyMark(*flight_);
    LowerTo(end, flight_->end);
  }
  auto terms = std::make_shared<TermRows>(*terms_);
  terms->TruncateFrom(from);
  terms_ = std::move(terms);
  TruncateRows(configurations_, from);
  TruncateRows(pending_starts_, from);
  std::vector<WriteOp> removals;
  while (active().header.base_index > end.segment_base) {
    WriteOp op;
    op.kind = WriteOp::Kind::kRemove;
    op.file = active().file;
    removals.push_back(std::move(op));
    segments_.pop_back();
  }
  Segment& segment = active();
  segment.rolled = false;
  segment.end = end.at;
  segment.last_term =
      from > segment.header.base_index ? terms_->TermAt(from - 1) : segment.header.term_before;
  if (end.at.offset == segment.header.base_offset) segment.first_timestamp_ms = -1;
  segment.index->TruncateFrom(from);
  segment.index_rows = std::min(segment.index_rows, segment.index->rows().size());
  StageLoweredMark(end);
  std::move(removals.begin(), removals.end(), std::back_inserter(ops_));
  WriteOp cut;
  cut.kind = WriteOp::Kind::kTruncate;
  cut.file = segment.file;
  cut.position = end.at.position;
  ops_.push_back(std::move(cut));
  appended_ = end;
  LowerTo(end, written_);
  LowerTo(end, durable_);
  while (!unwritten_.empty() && unwritten_.back().at.index >= from) unwritten_.pop_back();
  return absl::OkStatus();
}

void SegmentedLog::StageLoweredMark(const LogPoint& end) {
  if (!mark_ || mark_->at.index <= end.at.index) return;
  // Before a byte below the mark changes, the mark must not vouch for it any more; and the index
  // rows above the cut go with it.
  Segment& segment = active();
  WriteOp op;
  op.kind = WriteOp::Kind::kRows;
  rows_.StageDropUnsealedFrom(end.segment_base, op.rows);
  segment.index_rows = segment.index->rows().size();
  segment.index_pieces = 1;
  rows_.StagePiece(end.segment_base, 0, segment.index->Encode(1, segment.index_rows), op.rows);
  rows_.StageTerms(*terms_, end.at.index, op.rows);
  rows_.StageConfigurations(configurations_, end.at.index, op.rows);
  rows_.StagePendingStarts(pending_starts_, end.at.index, op.rows);
  rows_.StageMark({end, segment.index_pieces, segment.created_ms}, op.rows);
  mark_ = end;
  ops_.push_back(std::move(op));
}

}  // namespace garam::storage
