// The log of one replica: Raft entries in segment files, with Kafka offsets inside the batches.
//
// A log has three ends, each at or above the next: the appended end (all that Write was given), the
// written end (in the files; what reads see) and the durable end (on stable storage).
//
// Mode F (flush_messages = 1): what has gathered is written and synced by one pool job; while it
// runs, the next one gathers. OnWritten and OnDurable come when it ends.
// Mode P (flush_messages > 1): Write itself puts plain entries into the file and says so by its
// return value; the sync follows in the background within flush_ms or flush_messages records.
//
// Threads:   everything on `env.home`, but for Open and Remove, which block and may run elsewhere.
//            No call of the observer happens inside a call of the owner; a read may complete inside
//            the call that asked for it.
// Ownership: owns its files. What `env` refers to and the observer must outlive it. Close before
//            destroying; without Close it may be destroyed only when nothing posted or submitted
//            will run any more (a simulated crash).
// Errors:    a failed write or sync is final: OnFailed once, everything later is refused with that
//            status and nothing is synced again. A full disk is not: see LogObserver::OnDiskFull.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/configuration_rows.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/log_entry.h"
#include "common/term_rows.h"
#include "common/uuid.h"
#include "storage/file_system.h"
#include "storage/kv_store.h"
#include "storage/log_identity.h"
#include "storage/log_rows.h"
#include "storage/manifest.h"
#include "storage/segment.h"
#include "storage/segment_info.h"
#include "storage/segment_install.h"

namespace garam::storage {

struct LogEnv {
  FileSystem& fs;
  KvStore& kv;
  BlockingPool& pool;
  Executor& home;
  const Clock& clock;
};

struct LogOptions {
  int64_t segment_bytes = 1 << 30;
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;  // A segment ends up to this much before segment_ms.
  int32_t index_interval_bytes = 4096;
  int64_t flush_messages = 1;  // 1: mode F. More: mode P, synced at least every that many records.
  int64_t flush_ms = 1000;     // Mode P: at most this long after the write.
  int64_t file_delete_delay_ms = 60'000;  // How long the files of deleted segments stay.
  // Whether a segment without a record may end: in a log that holds none (group 0).
  bool rolls_without_records = false;
  // Mode P: with more unsynced bytes than this, writes go through the pool (the kernel may make a
  // writer wait for the disk).
  size_t inline_dirty_bytes_max = 16 << 20;
};

// Told on the log's executor, never from inside a call of the owner.
class LogObserver {
 public:
  virtual ~LogObserver() = default;
  // Every write up to `seq` is in the files. Ascends; not called for what Write itself returned.
  virtual void OnWritten(uint64_t seq) = 0;
  // Every write up to `seq`, truncations included, is on stable storage. Ascends. It says nothing
  // about entries that a later write has cut off: hold it against the later truncations.
  virtual void OnDurable(uint64_t seq) = 0;
  // The log is dead. Once, and the last call of the three above.
  virtual void OnFailed(const absl::Status& status) = 0;
  // No space: writes stay gathered, in order, and are tried again about once a second. Refuse new
  // records meanwhile (status() says so) and hand leadership over. IsDiskFull(status) holds.
  virtual void OnDiskFull(const absl::Status& status) = 0;
  // The gathered writes went through.
  virtual void OnDiskFree() = 0;
  // A read met bytes that are not what was written; it ended with this `status`, or before them.
  // Once; the log goes on with what it can read. IsDamaged(status) holds.
  virtual void OnDamaged(const absl::Status& status) = 0;
};

// What one Ready asks of the log. `seq` ascends strictly from write to write.
struct LogWrite {
  uint64_t seq = 0;
  // First forget every entry at this index and above. Never at or below the committed index.
  std::optional<LogIndex> truncate_from;
  // Then append: contiguous from last_index() + 1. A kRoll ends the segment after itself; a
  // kSetLogStart moves start_offset() once it is committed (D14).
  std::vector<LogEntry> entries;
};

// How far a check has come.
struct LogCheck {
  LogIndex next;     // The first entry that was not checked.
  size_t bytes = 0;  // How much was; 0: nothing at `next` or above is durable yet.
};

// One that has ended, for whoever decides what becomes of old records. Its file stays readable as
// long as it is held, also when the log has dropped it.
struct SealedSegment {
  SegmentHeader header;
  SegmentPoint end;  // Behind its last entry; with its largest timestamp.
  Term last_term;
  int64_t size_bytes = 0;
  bool compacted = false;
  std::shared_ptr<SegmentFile> file;
};

// What takes the place of sealed segments that follow one another: the same entries but for gaps.
struct CleanedSegment {
  std::vector<std::shared_ptr<SegmentFile>> replaces;
  std::string path;            // In the log's folder, closed with a footer and synced.
  std::shared_ptr<File> file;  // The same, open.
  SegmentHeader header;        // That of the first one.
  SegmentPoint end;
  Term last_term;
  std::shared_ptr<SegmentIndex> index;
};

class Log {
 public:
  using ReadDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<Bytes>>) &&>;
  using EntriesDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<LogEntry>>) &&>;
  using BytesDone = absl::AnyInvocable<void(absl::StatusOr<Bytes>) &&>;
  using InstallDone = absl::AnyInvocable<void(const absl::Status&) &&>;
  using CheckDone = absl::AnyInvocable<void(absl::StatusOr<LogCheck>) &&>;
  using BatchDone = absl::AnyInvocable<void(absl::StatusOr<std::optional<Bytes>>) &&>;

  // Opens the log in folder `dir`, which is made when missing; its parent must exist. Checks what
  // lies above the last known durable end and cuts a torn tail; everything found is durable on
  // return. IsDamaged, with the files kept as they are, when something at or below the durable end
  // is damaged; another kDataLoss when the folder is another group's. Blocks.
  static absl::StatusOr<std::unique_ptr<Log>> Open(const LogEnv& env, const LogIdentity& identity,
                                                   std::string dir, const LogOptions& options,
                                                   LogObserver& observer);
  // Deletes the rows and the folder of a log that is not open, and what SetAside has kept; ok when
  // there is none. Blocks.
  static absl::Status Remove(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir);
  // The same, but that the folder stays as GivenUpPath(dir), for a FileReaper. Blocks.
  static absl::Status GiveUp(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir);
  // Makes room for a new log in `dir`: forgets the rows, and keeps the folder as AsideFolder(dir)
  // in the place of what was kept before. A folder without segments is not worth keeping. Blocks.
  static absl::Status SetAside(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir);

  virtual ~Log() = default;

  virtual const LogIdentity& identity() const = 0;
  virtual const std::string& dir() const = 0;
  // The first entry still held; last_index() + 1 when there is none.
  virtual LogIndex first_index() const = 0;
  // From here on every entry is there as it was appended; below, compaction has come by. At or
  // above first_index().
  virtual LogIndex whole_from() const = 0;
  // Ends of the appended log.
  virtual LogIndex last_index() const = 0;
  virtual Offset next_offset() const = 0;
  // Ends of what reads see. Lowered at once by a Write that truncates.
  virtual LogIndex written_index() const = 0;
  virtual Offset written_offset() const = 0;
  // Lowered at once by a Write that truncates, and not raised again by a sync that began before.
  virtual LogIndex durable_index() const = 0;
  // The first offset that is served.
  virtual Offset start_offset() const = 0;
  // Of the appended log, down to the term just before first_index().
  virtual const TermRows& terms() const = 0;
  // The kConfiguration entries of the appended log, but for those that others have replaced before
  // the end of the sealed segments.
  virtual const ConfigurationRows& configurations() const = 0;
  // The one in force after the committed entry `index`, as if it were none younger than that; or
  // the one at the end of the sealed segments, where that is further: all of it is committed, so no
  // older one elects. Nothing: none has replaced the founders.
  virtual std::optional<ConfigurationRow> ConfigurationAt(LogIndex index) const = 0;
  // Bytes of frames, headers included; not what is preallocated.
  virtual int64_t size_bytes() const = 0;
  virtual size_t segment_count() const = 0;
  // In order; the last one is what is appended to.
  virtual std::vector<SegmentInfo> Segments() const = 0;
  virtual SegmentInfo last_segment() const = 0;
  virtual const LogOptions& options() const = 0;
  // Ok, the full disk (IsDiskFull), or the error that killed the log.
  virtual absl::Status status() const = 0;

  // Takes the write in. Returns the highest seq that is in the files when it returns; for every
  // seq above that, OnWritten follows.
  virtual uint64_t Write(LogWrite write) = 0;
  // Everything up to `index` is committed: rolled segments below it get their footer, and where a
  // kSetLogStart says so, whole sealed segments are deleted, some time after they are durable:
  // their names change at once, their bytes go file_delete_delay_ms later, or at the next start.
  virtual void OnCommitted(LogIndex index) = 0;
  // Entries below `index` are in a snapshot that is on stable storage: whole sealed segments of
  // them are deleted. For logs whose entries are applied, not served (group 0).
  virtual void DropBefore(LogIndex index) = 0;
  // From now on segments that reach to `index` or beyond stay, whatever start_offset() is: their
  // entries are not yet in what the owner would begin with. What was written to the key-value store
  // before this call is stored for good before they go. Until the first call only the commit index
  // bounds what goes, which bounds it always.
  virtual void KeepFrom(LogIndex index) = 0;
  // Also starts or stops mode F; what was written under the old options keeps their promise.
  virtual void SetOptions(const LogOptions& options) = 0;
  // Starts syncing what is written but not durable.
  virtual void Flush() = 0;

  // All that have their footer and lie below the durable mark, in order.
  virtual std::vector<SealedSegment> SealedSegments() const = 0;
  // Behind the last segment that has its footer and ends at or before `index`; 0: there is none.
  virtual LogIndex SealedBefore(LogIndex index) const = 0;
  // How far compaction has come; it is stored behind what Replace was given before.
  virtual const CleanPoint& clean_point() const = 0;
  virtual void SetCleanPoint(const CleanPoint& clean) = 0;
  // Puts `cleaned` in the place of what it replaces: reads see it at once, those under way begin
  // anew, and a crash leaves either. kAborted, with nothing done, when the log does not have those
  // segments any more, or is not to be changed now.
  virtual absl::Status Replace(CleanedSegment cleaned) = 0;

  // What a member needs that lacks what is before whole_from(): the sealed segments.
  virtual Manifest MakeManifest() const = 0;
  // Up to `bytes_max` of the file of the sealed segment that begins at `base`, from `position` on.
  // kNotFound when it is not there any more. Same manner as Read.
  virtual void ReadSegment(LogIndex base, int64_t position, size_t bytes_max, BytesDone done) = 0;
  // Becomes what `install`, all of it there, says: its ends, terms and configurations are the log's
  // when `done` is called; what Write was given before and is not in it is forgotten, and no word
  // of it comes. No Write in between. An error leaves the log as it was, unless it has failed.
  virtual void Install(std::unique_ptr<SegmentInstall> install, InstallDone done) = 0;

  // Whole batches as served, from the one that holds `from`, up to `end` (exclusive, at most the
  // written end) and `bytes_max`; the first is always whole, even above bytes_max. Private frames
  // are skipped. Empty when from == end. May stop early at the end of a segment. Errors:
  // kOffsetOutOfRange outside [start_offset(), written_offset()]; IsDamaged when the batch at
  // `from` is not what was written. Calls `done` inside when all is in memory, else later.
  virtual void Read(Offset from, Offset end, size_t bytes_max, ReadDone done) = 0;
  // Entries [from, last], written ones only, at least one and then up to `bytes_max`. Same manner.
  // Below whole_from() only those that compaction has kept.
  virtual void ReadEntries(LogIndex from, LogIndex last, size_t bytes_max, EntriesDone done) = 0;
  // Reads durable entries from `from` on, at least one and then up to `bytes_max`, on the pool, to
  // find out whether they are what was written: errors as Read's.
  virtual void Check(LogIndex from, size_t bytes_max, CheckDone done) = 0;
  // The first batch with something in [from, end) whose largest timestamp is at or above
  // `timestamp_ms`.
  virtual void FindBatchByTimestamp(int64_t timestamp_ms, Offset from, Offset end,
                                    BatchDone done) = 0;
  // The first batch below `end` with the largest timestamp of all below `end`.
  virtual void FindMaxTimestampBatch(Offset end, BatchDone done) = 0;
  // About how many bytes lie in [from, end), by what is in memory.
  virtual int64_t EstimateBytes(Offset from, Offset end) const = 0;

  // Syncs and waits for all that is in flight; then calls `done` once, on the executor. Nothing of
  // the log runs afterwards. No other call is allowed after this one.
  virtual void Close(absl::AnyInvocable<void() &&> done) = 0;
};

// Where SetAside keeps the files of a damaged log.
std::string AsideFolder(const std::string& dir);

}  // namespace garam::storage
