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

namespace garam {
namespace {

// What a start reads again at most, as long as the state is small: a snapshot may cost that much.
constexpr size_t kSnapshotEveryBytes = 8 << 20;
constexpr int kSnapshotEveryRolls =
    8;  // Each segment is a file to be opened and a read of its own.
constexpr size_t kSnapshotSizes = 4;
// About what a producer takes in a snapshot.
constexpr size_t kProducerBytes = 128;
constexpr size_t kCopyable = 2;

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
  // So that the next start reads nothing. What was proposed may not have come to the log.
  const LogIndex last = replica_.core().last_index();
  const bool committed = last == replica_.core().commit_index() && state_.last_index() <= last;
  if (ready_ && bytes_ > 0 && committed) Save(MakeSnapshot(last));
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
  copyable_.clear();
  bytes_ = 0;
  rolls_ = 0;
  segment_bytes_ = 0;
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
  } else if (row->has_value() && TakeRow(**row)) {
    next_ = state_.last_index() + 1;
  }
  Replay();
}

// Whether it is of this log: everything up to a committed entry is the same wherever that is.
bool ProducerKeeper::TakeRow(const std::string& row) {
  if (row.size() < kRowHeaderBytes || row[0] != kRowFormat) return false;
  absl::StatusOr<ProducerState> state =
      ProducerState::DecodeSnapshot(std::string_view(row).substr(kRowHeaderBytes));
  if (!state.ok()) {
    LogWarn("group {}: the snapshot of its producers: {}", replica_.group().value(),
            state.status().ToString());
    return false;
  }
  const Term term(LoadBigEndian<int32_t>(row.data() + 1));
  const raft::Core& core = replica_.core();
  const LogIndex through = state->last_index();
  if (through < replica_.log().first_index() - 1 || through > core.last_index() ||
      replica_.TermAt(through) != term) {
    return false;
  }
  state_ = *std::move(state);
  copyable_.push_back({through, row});
  return true;
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

// False when what has been proposed at `index` and above cannot be taken back any more.
bool ProducerKeeper::TakeBack(LogIndex index) {
  return state_.last_index() < index || state_.TruncateTo(index);
}

// False when the state must be made again.
bool ProducerKeeper::Apply(const LogEntry& entry) {
  if (entry.kind == EntryKind::kBatch) {
    const ProducerBatch batch = ProducerBatch::Of(RecordBatchView(entry.bytes.data()));
    if (!state_.Has(entry.index, batch)) {
      if (!TakeBack(entry.index)) return false;
      state_.Apply(entry.index, batch);
    }
    bytes_ += entry.bytes.size();
    segment_bytes_ += entry.bytes.size();
  } else if (entry.kind == EntryKind::kExpireProducers) {
    std::optional<LogIndex> before = DecodeExpireProducers(entry.bytes.view());
    if (Mutated(Mutation::kExpiryByOwnClock) && marks_.empty()) before.reset();
    if (!TakeBack(entry.index)) return false;
    if (before) state_.Expire(entry.index, *before);
  }
  return KeepAsOf(entry);
}

bool ProducerKeeper::KeepAsOf(const LogEntry& entry) {
  const bool roll = entry.kind == EntryKind::kRoll;
  if (roll) ++rolls_;
  const bool begins_later = entry.kind == EntryKind::kSetLogStart && bytes_ > 0;
  if (!roll && !begins_later && !SnapshotIsDue()) return true;
  if (!TakeBack(entry.index + 1)) return false;
  if (roll) NoteRoll(entry.index);
  if (begins_later || SnapshotIsDue()) TakeSnapshot(entry.index, begins_later);
  return true;
}

// A larger state is stored less often.
bool ProducerKeeper::SnapshotIsDue() const {
  return !snapshot_ && bytes_ >= kSnapshotSizes * kProducerBytes * state_.size() &&
         (bytes_ >= kSnapshotEveryBytes || rolls_ >= kSnapshotEveryRolls);
}

ProducerKeeper::Snapshot ProducerKeeper::MakeSnapshot(LogIndex through) const {
  Snapshot made{through, std::string(kRowHeaderBytes, kRowFormat), false};
  StoreBigEndian<int32_t>(made.row.data() + 1, replica_.TermAt(through).value());
  made.row += state_.EncodeSnapshot(through);
  return made;
}

void ProducerKeeper::TakeSnapshot(LogIndex through, bool sync) {
  snapshot_ = MakeSnapshot(through);
  snapshot_->sync = sync;
  bytes_ = 0;
  rolls_ = 0;
}

// Of a state that would take more than the segment, the one before goes on.
void ProducerKeeper::NoteRoll(LogIndex at) {
  if (state_.size() * kProducerBytes > segment_bytes_) return;
  segment_bytes_ = 0;
  copyable_.push_back(MakeSnapshot(at));
  if (copyable_.size() > kCopyable) copyable_.pop_front();
}

void ProducerKeeper::DropFrom(LogIndex from) {
  if (snapshot_ && snapshot_->through >= from) snapshot_.reset();
  while (!copyable_.empty() && copyable_.back().through >= from) copyable_.pop_back();
}

std::string ProducerKeeper::RowFor(LogIndex through) const {
  const auto newest = std::find_if(copyable_.rbegin(), copyable_.rend(),
                                   [&](const Snapshot& s) { return s.through <= through; });
  return newest == copyable_.rend() ? "" : newest->row;
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
  Store(std::move(row), /*sync=*/true, std::move(done));
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
  if (std::exchange(saving_, true)) return;
  Store(std::move(snapshot.row), snapshot.sync, [this](const absl::Status& saved) {
    // Should it be lost, the one before it serves.
    if (!saved.ok()) {
      LogWarn("group {}: its producers are not stored: {}", replica_.group().value(),
              saved.ToString());
    }
    saving_ = false;
    MaybeSave();
  });
}

void ProducerKeeper::OnProposed(LogIndex index, const ProducerBatch& batch) {
  if (ready_) state_.Apply(index, batch);
}

void ProducerKeeper::OnAppended(const std::vector<LogEntry>& entries) {
  if (!ready_) return;  // They are in the log, and will be read there.
  for (const LogEntry& entry : entries) {
    if (!Apply(entry)) return Restart();
  }
  if (!TakeBack(entries.back().index + 1)) Restart();
}

void ProducerKeeper::OnTruncated(LogIndex from) {
  DropFrom(from);
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
