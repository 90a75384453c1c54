#include "broker/producer_keeper.h"

#include <algorithm>

#include "broker/replica.h"
#include "broker/shard.h"
#include "common/byte_codec.h"
#include "common/endian.h"
#include "common/expire_producers.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/record_batch.h"
#include "common/status.h"

namespace garam {
namespace {

// What a start reads again at most, as long as the state is small: a snapshot may cost that much.
constexpr size_t kSnapshotEveryBytes = 8 << 20;
// Each segment is a file to be opened and a read of its own.
constexpr int kSnapshotEveryRolls = 8;
constexpr size_t kSnapshotSizes = 4;
// About what a producer takes in a snapshot.
constexpr size_t kProducerBytes = 128;

// At a time, of the log at a start.
constexpr size_t kReplayBytes = 1 << 20;
constexpr Duration kReplayAgain = Millis(20);

constexpr char kRowFormat = 1;
constexpr size_t kRowHeaderBytes = 1 + sizeof(int32_t);

// Marks this many to the expiry: so much later than it may, at most, a producer goes.
constexpr int kMarksToExpiry = 100;

}  // namespace

ProducerKeeper::ProducerKeeper(Shard& shard, Replica& replica, Duration expiration, Events events)
    : shard_(shard), replica_(replica), expiration_(expiration), events_(std::move(events)) {}

ProducerKeeper::~ProducerKeeper() = default;

std::string ProducerKeeper::RowKey(GroupId group) {
  std::string key(1 + sizeof(uint64_t), 's');
  StoreBigEndian<uint64_t>(key.data() + 1, group.value());
  return key;
}

void ProducerKeeper::Start() { Restart(); }

void ProducerKeeper::Close(Task closed) {
  // So that the next start reads nothing. What was proposed may not have come to the log, and what
  // has come from a leader not to a log that takes no writes.
  const LogIndex last = replica_.core().last_index();
  const bool whole = last == replica_.core().commit_index() && state_.last_index() == last;
  if (ready_ && bytes_ > 0 && whole) Save({last, MakeRow(state_, last)});
  closing_ = true;
  ready_ = false;
  ++restarts_;
  shard_.executor().Cancel(std::exchange(retry_timer_, kNoTimer));
  closed_ = std::move(closed);
  if (under_way_ == 0) std::exchange(closed_, nullptr)();
}

void ProducerKeeper::OneLess() {
  if (--under_way_ == 0 && closed_) std::exchange(closed_, nullptr)();
}

// From the last snapshot, or from nothing.
void ProducerKeeper::Restart() {
  ready_ = false;
  state_ = ProducerState();
  snapshot_.reset();
  awaited_.reset();
  row_through_ = LogIndex(0);
  if (!Mutated(Mutation::kRowNotAwaited)) replica_.KeepFrom(LogIndex(0));
  bytes_ = 0;
  rolls_ = 0;
  const uint64_t restart = ++restarts_;
  ++under_way_;
  shard_.pool().Submit([this, restart, key = RowKey(replica_.group()), &kv = shard_.log_env().kv,
                        &home = shard_.executor()] {
    auto row = kv.Get(storage::KvFamily::kPartition, key);
    home.Post([this, restart, row = std::move(row)]() mutable {
      OnLoaded(restart, std::move(row));
      OneLess();
    });
  });
}

void ProducerKeeper::OnLoaded(uint64_t restart, absl::StatusOr<std::optional<std::string>> row) {
  if (restart != restarts_) return;
  next_ = replica_.log().first_index();
  if (!row.ok()) {
    LogWarn("group {}: the snapshot of its producers: {}", replica_.group().value(),
            row.status().ToString());
  } else if (row->has_value()) {
    TakeRow(**row);
  }
  if (!awaited_) Replay();
}

absl::StatusOr<ProducerKeeper::Row> ProducerKeeper::DecodeRow(std::string_view bytes) {
  if (bytes.size() < kRowHeaderBytes || bytes[0] != kRowFormat) {
    return MakeError(Errc::kCorruptRecord, "of a format that this version does not know");
  }
  ASSIGN_OR_RETURN(ProducerState state,
                   ProducerState::DecodeSnapshot(bytes.substr(kRowHeaderBytes)));
  return Row{Term(LoadBigEndian<int32_t>(bytes.data() + 1)), std::move(state)};
}

// If it is of this log: everything up to a committed entry is the same wherever that is. Also one
// that came beside a copy, and is as of an entry which is still on its way.
void ProducerKeeper::TakeRow(const std::string& bytes) {
  absl::StatusOr<Row> row = DecodeRow(bytes);
  if (!row.ok()) {
    LogWarn("group {}: the snapshot of its producers: {}", replica_.group().value(),
            row.status().ToString());
    return;
  }
  const LogIndex through = row->state.last_index();
  if (through < replica_.log().first_index() - 1) return;
  if (through > replica_.core().last_index()) {
    if (replica_.leads()) return;
    awaited_ = through;
  } else {
    if (replica_.TermAt(through) != row->term) return;
    state_ = std::move(row->state);
    next_ = through + 1;
  }
  OnStored(through);
}

void ProducerKeeper::Replay() {
  const LogIndex last = replica_.core().last_index();
  if (Mutated(Mutation::kProducersForgotten)) next_ = last + 1;
  next_ = std::max(next_, replica_.log().first_index());
  if (next_ > last) {
    ready_ = true;
    return events_.on_ready();
  }
  const uint64_t restart = restarts_;
  replica_.ReadEntries(next_, last, kReplayBytes,
                       [this, weak = std::weak_ptr<bool>(alive_),
                        restart](absl::StatusOr<std::vector<LogEntry>> entries) mutable {
                         if (!weak.expired()) OnReplayed(restart, std::move(entries));
                       });
}

void ProducerKeeper::OnReplayed(uint64_t restart, absl::StatusOr<std::vector<LogEntry>> entries) {
  if (restart != restarts_) return;
  if (!entries.ok() || entries->empty()) return ReplayLater();
  for (const LogEntry& entry : *entries) {
    // What was read may have been replaced meanwhile. Compaction keeps what matters here.
    const bool follows =
        entry.index == next_ || (entry.index > next_ && next_ < replica_.log().whole_from());
    if (!follows || replica_.TermAt(entry.index) != entry.term) break;
    if (!Apply(entry)) return Restart();
    next_ = entry.index + 1;
  }
  // Each piece in a turn of its own: others share the shard.
  shard_.executor().Post([this, weak = std::weak_ptr<bool>(alive_), restart] {
    if (!weak.expired() && restart == restarts_) Replay();
  });
}

// The log may not have written yet what it has, or it has dropped its beginning.
void ProducerKeeper::ReplayLater() {
  shard_.executor().Cancel(retry_timer_);
  retry_timer_ = shard_.executor().PostAt(
      shard_.now() + kReplayAgain, [this, weak = std::weak_ptr<bool>(alive_), restart = restarts_] {
        if (weak.expired() || restart != restarts_) return;
        retry_timer_ = kNoTimer;
        Replay();
      });
}

// False when the state must be made again.
bool ProducerKeeper::Apply(const LogEntry& entry) {
  ProducerBatch batch;
  if (entry.kind == EntryKind::kBatch) {
    batch = ProducerBatch::Of(RecordBatchView(entry.bytes.data()));
    bytes_ += entry.bytes.size();
  }
  std::optional<LogIndex> expire_before;
  if (entry.kind == EntryKind::kExpireProducers) {
    expire_before = DecodeExpireProducers(entry.bytes.view());
    if (Mutated(Mutation::kExpiryByOwnClock) && marks_.empty()) expire_before.reset();
  }
  if (expire_before || !state_.Has(entry.index, batch)) {
    if (!state_.TruncateTo(entry.index)) return false;
    if (expire_before) {
      state_.Expire(entry.index, *expire_before);
    } else {
      state_.Apply(entry.index, batch);
    }
  }
  return KeepAsOf(entry);
}

// A snapshot, if one is due. When the log is to begin later, it has what the log will not have.
bool ProducerKeeper::KeepAsOf(const LogEntry& entry) {
  if (entry.kind == EntryKind::kRoll) ++rolls_;
  if (entry.kind != EntryKind::kSetLogStart && !SnapshotIsDue()) return true;
  if (!state_.TruncateTo(entry.index + 1)) return false;
  snapshot_ = Snapshot{entry.index, MakeRow(state_, entry.index)};
  bytes_ = 0;
  rolls_ = 0;
  return true;
}

// A larger state is stored less often.
bool ProducerKeeper::SnapshotIsDue() const {
  return !snapshot_ && bytes_ >= kSnapshotSizes * kProducerBytes * state_.size() &&
         (bytes_ >= kSnapshotEveryBytes || rolls_ >= kSnapshotEveryRolls);
}

std::string ProducerKeeper::MakeRow(const ProducerState& state, LogIndex through) const {
  std::string row(kRowHeaderBytes, kRowFormat);
  StoreBigEndian<int32_t>(row.data() + 1, replica_.TermAt(through).value());
  return row + state.EncodeSnapshot(through);
}

absl::StatusOr<std::string> ProducerKeeper::RowForCopy() const {
  if (!ready_) {
    return MakeError(Errc::kLeaderNotReady, "its producers are still being read; ask again");
  }
  // After a start the commit index is behind.
  const LogIndex commit = std::max(replica_.core().commit_index(), row_through_);
  const LogIndex through = std::min(commit, replica_.log().last_index());
  const std::optional<ProducerState> state = state_.AsOf(through);
  if (state) return MakeRow(*state, through);
  LogWarn("group {}: too much is not committed: a copy goes without its producers",
          replica_.group().value());
  return "";
}

void ProducerKeeper::Keep(std::string row, absl::AnyInvocable<void(const absl::Status&) &&> done) {
  if (row.empty() || closing_) return std::move(done)(absl::OkStatus());
  if (saving_) {  // A row of the log that goes, which must not come later.
    shard_.executor().PostAt(shard_.now() + kReplayAgain,
                             [this, weak = std::weak_ptr<bool>(alive_), row = std::move(row),
                              done = std::move(done)]() mutable {
                               if (weak.expired())
                                 return std::move(done)(absl::AbortedError("closed"));
                               Keep(std::move(row), std::move(done));
                             });
    return;
  }
  const absl::StatusOr<Row> decoded = DecodeRow(row);
  if (!decoded.ok()) {
    LogWarn("group {}: a copy comes without its producers: {}", replica_.group().value(),
            decoded.status().ToString());
    return std::move(done)(absl::OkStatus());
  }
  saving_ = true;
  Store(std::move(row), /*sync=*/true,
        [this, through = decoded->state.last_index(),
         done = std::move(done)](const absl::Status& stored) mutable {
          saving_ = false;
          // No older one takes its place, whatever becomes of the copy.
          if (stored.ok()) row_through_ = through;
          std::move(done)(stored);
        });
}

void ProducerKeeper::Store(std::string row, bool sync,
                           absl::AnyInvocable<void(const absl::Status&) &&> done) {
  ++under_way_;
  shard_.pool().Submit([this, group = replica_.group(), row = std::move(row), sync,
                        done = std::move(done), &kv = shard_.log_env().kv,
                        &home = shard_.executor()]() mutable {
    storage::KvBatch batch;
    batch.Put(storage::KvFamily::kPartition, RowKey(group), std::move(row));
    absl::Status stored = kv.Write(batch, sync);
    home.Post([this, stored = std::move(stored), done = std::move(done)]() mutable {
      std::move(done)(stored);
      OneLess();
    });
  });
}

void ProducerKeeper::MaybeSave() {
  if (closing_ || saving_ || !snapshot_ || snapshot_->through > replica_.core().commit_index()) {
    return;
  }
  Save(*std::exchange(snapshot_, std::nullopt));
}

void ProducerKeeper::Save(Snapshot snapshot) {
  if (saving_) return;
  // What came beside a copy that was not needed in the end has it all.
  if (snapshot.through <= row_through_) return replica_.KeepFrom(snapshot.through + 1);
  saving_ = true;
  // Unsynced: should it be lost, the one before it serves, and the log still has the rest.
  Store(std::move(snapshot.row), /*sync=*/false,
        [this, restart = restarts_, through = snapshot.through](const absl::Status& saved) {
          saving_ = false;
          if (!saved.ok()) {
            LogWarn("group {}: its producers are not stored: {}", replica_.group().value(),
                    saved.ToString());
          } else if (restart == restarts_) {  // Else the log is read from an older one on.
            OnStored(through);
          }
          MaybeSave();
        });
}

// The log may forget what the row has.
void ProducerKeeper::OnStored(LogIndex through) {
  row_through_ = through;
  replica_.KeepFrom(through + 1);
}

void ProducerKeeper::OnProposed(LogIndex index, const ProducerBatch& batch) {
  if (ready_) state_.Apply(index, batch);
}

void ProducerKeeper::OnAppended(const std::vector<LogEntry>& entries) {
  // A leader has all that is committed: if it lacks that entry, the entry was lost on every disk.
  if (awaited_ && (entries.back().index >= *awaited_ || replica_.leads())) return Restart();
  if (!ready_) return;  // They are in the log, and will be read there.
  for (const LogEntry& entry : entries) {
    if (!Apply(entry)) return Restart();
  }
  if (!state_.TruncateTo(entries.back().index + 1)) Restart();
}

void ProducerKeeper::OnTruncated(LogIndex from) {
  if (snapshot_ && snapshot_->through >= from) snapshot_.reset();
  if (!state_.TruncateTo(from)) return Restart();
  if (!ready_) next_ = std::min(next_, from);
}

void ProducerKeeper::OnLeadershipEnd() {
  if (ready_ && !state_.TruncateTo(replica_.log().last_index() + 1)) Restart();
}

void ProducerKeeper::OnInstalled() { Restart(); }

void ProducerKeeper::OnCommitted(LogIndex commit, bool leads) {
  if (closing_) return;
  state_.Committed(std::min(commit, state_.last_index()));
  MaybeSave();
  if (leads && ready_) MaybeExpire(commit);
}

void ProducerKeeper::MaybeExpire(LogIndex commit) {
  const int64_t now = shard_.clock().WallMs();
  const int64_t kept = std::chrono::duration_cast<Millis>(expiration_).count();
  if (marks_.empty() || now - marks_.back().first >= kept / kMarksToExpiry) {
    marks_.emplace_back(now, commit);
  }
  std::optional<LogIndex> before;
  while (!marks_.empty() && now - marks_.front().first >= kept) {
    before = marks_.front().second + 1;
    marks_.pop_front();
  }
  const std::optional<LogIndex> oldest = state_.oldest_index();
  if (before && oldest && *oldest < *before) events_.expire(*before);
}

}  // namespace garam
