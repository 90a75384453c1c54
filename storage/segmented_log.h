// The Log over segment files. See log.h for the contract.
//
// How a write travels: Write moves the appended end and turns entries into operations (WriteOp).
// In mode P a plain append goes into the file at once; all else waits in `ops_` for the one job
// that may run at a time. A job's end moves the written end, and the durable end when it synced. A
// truncation lowers every end at once, that of the running job too, so that the job cannot raise
// them again (raft-notes, pitfalls 8 and 9).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/file_reaper.h"
#include "storage/log.h"
#include "storage/log_reader.h"
#include "storage/log_recovery.h"
#include "storage/log_rows.h"
#include "storage/segment.h"
#include "storage/write_job.h"

namespace garam::storage {

class SegmentedLog final : public Log {
 public:
  SegmentedLog(const LogEnv& env, const LogIdentity& identity, std::string dir,
               const LogOptions& options, LogObserver& observer);

  // Takes over what recovery found; called once, before any other.
  void Adopt(RecoveredLog found);

  const LogIdentity& identity() const override { return identity_; }
  const std::string& dir() const override { return dir_; }
  LogIndex first_index() const override { return segments_.front()->header.base_index; }
  LogIndex whole_from() const override { return std::max(first_index(), compacted_before_); }
  LogIndex last_index() const override { return appended_.at.index - 1; }
  Offset next_offset() const override { return appended_.at.offset; }
  LogIndex written_index() const override { return written_.at.index - 1; }
  Offset written_offset() const override { return written_.at.offset; }
  LogIndex durable_index() const override { return durable_.at.index - 1; }
  Offset start_offset() const override { return start_offset_; }
  const TermRows& terms() const override { return *terms_; }
  const ConfigurationRows& configurations() const override { return configurations_; }
  std::optional<ConfigurationRow> ConfigurationAt(LogIndex index) const override;
  int64_t size_bytes() const override;
  size_t segment_count() const override { return segments_.size(); }
  std::vector<SegmentInfo> Segments() const override;
  SegmentInfo last_segment() const override { return InfoOf(*segments_.back()); }
  const LogOptions& options() const override { return options_; }
  absl::Status status() const override { return failed_.ok() ? disk_full_ : failed_; }

  uint64_t Write(LogWrite write) override;
  void OnCommitted(LogIndex index) override;
  void DropBefore(LogIndex index) override;
  void KeepFrom(LogIndex index) override;
  void SetOptions(const LogOptions& options) override;
  void Flush() override;
  void Read(Offset from, Offset end, size_t bytes_max, ReadDone done) override;
  void ReadEntries(LogIndex from, LogIndex last, size_t bytes_max, EntriesDone done) override;
  void Check(LogIndex from, size_t bytes_max, CheckDone done) override;
  void FindBatchByTimestamp(int64_t timestamp_ms, Offset from, Offset end, BatchDone done) override;
  void FindMaxTimestampBatch(Offset end, BatchDone done) override;
  int64_t EstimateBytes(Offset from, Offset end) const override;
  std::vector<SealedSegment> SealedSegments() const override;
  LogIndex SealedBefore(LogIndex index) const override;
  const CleanPoint& clean_point() const override { return clean_; }
  void SetCleanPoint(const CleanPoint& clean) override;
  absl::Status Replace(CleanedSegment cleaned) override;
  Manifest MakeManifest() const override;
  void ReadSegment(LogIndex base, int64_t position, size_t bytes_max, BytesDone done) override;
  void Install(std::unique_ptr<SegmentInstall> install, InstallDone done) override;
  void Close(absl::AnyInvocable<void() &&> done) override;

 private:
  using SegmentPtr = std::shared_ptr<Segment>;
  using ResultDone = absl::AnyInvocable<void(absl::StatusOr<ReadResult>) &&>;
  // How far a job, once done, brings the log.
  struct Flight {
    bool writes = false;  // Else it only syncs, and inline writes may go on beside it.
    bool sync = false;
    uint64_t seq = 0;
    LogPoint end;
    size_t bytes = 0;     // Unsynced ones that the sync covers,
    int64_t records = 0;  // and their records.
    std::optional<LogPoint> mark;
    // Of segments whose rows the mark's batch holds: how many rows are stored then.
    std::vector<std::pair<SegmentPtr, size_t>> indexed;
  };

  // segmented_log.cc: the write path.
  bool ModeF() const { return options_.flush_messages <= 1; }
  Segment& active() { return *segments_.back(); }
  absl::Status Truncate(LogIndex from);
  absl::StatusOr<LogPoint> Locate(LogIndex index);
  absl::StatusOr<SegmentPoint> WalkTo(const Segment& segment, LogIndex index);
  void StageLoweredMark(const LogPoint& end);
  void ApplyMark(Flight& flight);
  absl::Status Append(const LogEntry& entry);
  absl::Status CheckEntry(const LogEntry& entry) const;
  void BeginSegment(const SegmentHeader& header);
  void QueueAppend(const std::shared_ptr<SegmentFile>& file, int64_t position, Bytes bytes);
  void WriteInline();
  bool MayWriteInline() const;
  void Notify(absl::AnyInvocable<void(LogObserver&) &&> call);
  void EnterDiskFull(const absl::Status& status);
  void LeaveDiskFull();
  void Fail(const absl::Status& status);

  // segmented_log_jobs.cc: jobs, syncs, marks, the end.
  void MaybeStartJob();
  void StartJob(bool sync);
  void StageMark(WriteJob& job, Flight& flight);
  void FinishJob(std::unique_ptr<WriteJob> job, const absl::Status& status);
  void JobSucceeded(Flight flight);
  void MoveWritten(const LogPoint& end, uint64_t seq);
  void ArmFlushTimer();
  void SealCommitted();
  void QueueSeal(Segment& segment);
  LogIndex LastSealedIndex() const;
  bool ApplyStarts();
  void SaveStart();
  bool DropSegments();
  void MaybeFinishClose();
  void FlightEnded();

  // segmented_log_compaction.cc.
  absl::StatusOr<size_t> FindReplaced(const CleanedSegment& cleaned) const;
  void SaveClean();

  // segmented_log_install.cc.
  void MaybeStartInstall();
  absl::StatusOr<RecoveredLog> CarryOut(int32_t index_interval_bytes) const;
  void FinishInstall(bool changed, absl::StatusOr<RecoveredLog> found, InstallDone done);
  static absl::StatusOr<Bytes> ReadPiece(SegmentFile& segment, int64_t position, size_t count);
  void TakeInstalled(RecoveredLog found);

  // segmented_log_reads.cc.
  SegmentView ViewOf(const Segment& segment) const;
  void AddView(ReadPlan& plan, const Segment& segment) const;
  size_t SegmentOfOffset(Offset offset) const;
  size_t SegmentOfIndex(LogIndex index) const;
  std::shared_ptr<ReadPlan> PlanEntries(LogIndex from, LogIndex last, size_t bytes_max) const;
  void Run(std::shared_ptr<ReadPlan> plan, ResultDone done);
  void RunOnPool(std::shared_ptr<ReadPlan> plan, ResultDone done);
  void Finish(absl::StatusOr<ReadResult> result, ResultDone done);
  // Tells the observer of damage.
  absl::Status ReadFailed(const absl::Status& status);
  void KeepIndexes(const ReadResult& result);
  void TrimIndexes();
  enum class Rounding { kDown, kUp };  // To a row of the index.
  int64_t PositionOf(Offset offset, Rounding rounding) const;

  const LogEnv env_;
  const LogIdentity identity_;
  const std::string dir_;
  LogOptions options_;
  LogObserver& observer_;
  LogRows rows_;
  LogReader reader_;
  FileReaper reaper_;

  std::vector<SegmentPtr> segments_;  // Never empty after Adopt.
  std::shared_ptr<const TermRows> terms_ = std::make_shared<TermRows>();
  ConfigurationRows configurations_;
  LogStartRows pending_starts_;
  LogIndex drop_before_;               // See DropBefore.
  std::optional<LogIndex> keep_from_;  // See KeepFrom.
  bool drop_waits_ = false;            // For the mark.
  Offset start_offset_;
  LogIndex compacted_before_;  // See whole_from.
  CleanPoint clean_;
  LogIndex committed_;

  // The three ends; see log.h. `at.index` is that of the first entry beyond.
  LogPoint appended_;
  LogPoint written_;
  LogPoint durable_;
  uint64_t appended_seq_ = 0;
  uint64_t written_seq_ = 0;
  uint64_t durable_seq_ = 0;
  // Places of the entries that are appended and not written, oldest first.
  std::deque<LogPoint> unwritten_;

  std::deque<WriteOp> ops_;
  std::vector<std::shared_ptr<SegmentFile>> dirty_;  // Files with bytes that no job has taken.
  std::vector<SealedIndex> sealed_indexes_;
  size_t dirty_bytes_ = 0;
  int64_t dirty_records_ = 0;
  bool sync_wanted_ = false;
  std::optional<Flight> flight_;
  TimerId flush_timer_ = kNoTimer;
  TimerId retry_timer_ = kNoTimer;

  std::optional<LogPoint> mark_;  // What the key-value store has, or surely will have.
  MonoTime mark_at_;

  absl::Status failed_;
  absl::Status disk_full_;
  size_t in_flight_ = 0;      // Jobs, reads and posted calls that will come back.
  uint64_t truncations_ = 0;  // Changes after which reads begin anew.
  bool damage_told_ = false;
  absl::AnyInvocable<void() &&> closed_;
  bool closing_ = false;
  // An install that waits for the running job to end; no job starts until it is done.
  std::unique_ptr<SegmentInstall> install_;
  InstallDone install_done_;
  bool installing_ = false;

  std::deque<LogPoint> cursors_;  // Where the last reads stopped; the next ones begin there.
  std::deque<LogIndex> loaded_;   // Sealed segments whose index is in memory, oldest first.
};

}  // namespace garam::storage
