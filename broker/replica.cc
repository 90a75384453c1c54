#include "broker/replica.h"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/initial_state.h"
#include "broker/log_copy.h"
#include "broker/shard.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/record_batch.h"
#include "common/status.h"

namespace garam {
namespace {

// What stays in memory for followers that are a little behind; slower ones are served from files.
constexpr size_t kTailBytesMax = size_t{1} << 20;

// How often a damaged replica looks whether it can be done without.
constexpr Duration kAskForReplacement = Millis(200);

}  // namespace

absl::StatusOr<std::string> ReplicaEvents::SnapshotForCopy() const { return ""; }

void ReplicaEvents::KeepSnapshot(std::string /*snapshot*/,
                                 absl::AnyInvocable<void(const absl::Status&) &&> done) {
  std::move(done)(absl::OkStatus());
}

Replica::Replica(Shard& shard, GroupId group, ReplicaEvents& events)
    : shard_(shard),
      group_(group),
      events_(events),
      copy_(std::make_shared<LogCopy>(shard, *this)) {}

// Once closed, it may be destroyed on any thread.
Replica::~Replica() {
  if (closed_) return;
  copy_->Abandon();
  if (core_ != nullptr) shard_.Remove(this);
}

void Replica::Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log,
                     bool noted) {
  core_ = std::move(core);
  log_ = std::move(log);
  note_ = noted ? Note::kDurable : Note::kNone;
  was_in_doubt_ = core_->in_doubt();
  shard_.Add(this);
  MarkDirty();
}

absl::StatusOr<LogIndex> Replica::Propose(Term term, std::vector<LogEntry> entries) {
  if (failed_) return MakeError(Errc::kStorage, "the partition's log failed; see the broker's log");
  if (disk_full_) return MakeError(Errc::kStorage, "the disk is full; free space on the broker");
  absl::StatusOr<LogIndex> index = core_->Propose(term, std::move(entries), shard_.now());
  if (index.ok()) MarkDirty();
  return index;
}

absl::StatusOr<uint64_t> Replica::AskStillLeader() {
  absl::StatusOr<uint64_t> round = core_->AskStillLeader(shard_.now());
  if (round.ok()) MarkDirty();
  return round;
}

void Replica::HandOver(NodeId target) {
  if (closed_ || core_->transferring()) return;
  if (core_->Transfer(target, shard_.now()).ok()) MarkDirty();
}

void Replica::Step(NodeId from, raft::Message message) {
  if (closed_ || installing_) return;  // As if it were lost: it is sent again.
  core_->Step(from, std::move(message), shard_.now());
  MarkDirty();
}

void Replica::MarkDirty() {
  if (dirty_ || closed_) return;
  dirty_ = true;
  shard_.MarkDirty(this);
}

void Replica::Drain() {
  dirty_ = false;
  if (closed_ || installing_) return;
  while (!failed_ && core_->has_ready()) Carry(core_->TakeReady());
  if (was_in_doubt_ && !core_->in_doubt()) AfterDoubt();
  events_.OnProgress();
  if (closed_) return;
  core_->TrimTail(kTailBytesMax);
  shard_.Touch(group_);
}

void Replica::Carry(raft::Ready ready) {
  // Entries leave first: they travel beside our own write.
  for (raft::Outgoing& outgoing : ready.messages) shard_.Send(group_, std::move(outgoing));
  if (ready.hard_state) {
    shard_.SaveHardState(group_, *ready.hard_state,
                         [this, weak = std::weak_ptr<Replica*>(alive_), seq = ready.seq] {
                           if (weak.expired()) return;
                           core_->OnHardStateDurable(seq, shard_.now());
                           MarkDirty();
                         });
  }
  if (ready.has_log_write()) Persist(ready);
  if (ready.role) {
    if (ready.role->role == raft::Role::kCandidate) shard_.CountElection();
    events_.OnRole();
  }
  if (ready.commit) {
    log_->OnCommitted(*ready.commit);
    DropPrefix();
    events_.OnCommitted(*ready.commit);
  }
  for (const raft::ReadRequest& request : ready.reads) ServeRead(request);
  if (ready.copy_from) copy_->Start(*ready.copy_from);
  if (ready.confirmed_round) events_.OnStillLeader(*ready.confirmed_round);
}

// What the log has dropped or compacted, followers can no longer be sent as entries.
void Replica::DropPrefix() {
  if (log_->whole_from() > core_->first_index()) core_->DropPrefix(log_->whole_from());
}

void Replica::DropBefore(LogIndex index) {
  if (closed_ || installing_) return;
  log_->DropBefore(index);
  DropPrefix();
  MarkDirty();
}

void Replica::KeepFrom(LogIndex index) {
  if (closed_ || installing_) return;
  log_->KeepFrom(index);
  DropPrefix();
  MarkDirty();
}

absl::Status Replica::ReplaceSegments(storage::CleanedSegment cleaned) {
  if (closed_ || installing_ || copy_->under_way()) {
    return absl::AbortedError("the log is being replaced or closed");
  }
  RETURN_IF_ERROR(log_->Replace(std::move(cleaned)));
  DropPrefix();
  MarkDirty();
  return absl::OkStatus();
}

LogIndex Replica::CompactBefore() const {
  return std::min({core_->compact_before(), core_->commit_index() + 1, log_->durable_index() + 1});
}

Term Replica::TermAt(LogIndex index) const {
  return index + 1 < core_->first_index() ? log_->terms().TermAt(index)
                                          : core_->terms().TermAt(index);
}

void Replica::GiveCopy(std::optional<CopyRequest::Piece> piece, CopyDone done) {
  if (closed_ || !core_->is_leader()) {
    return std::move(done)(MakeError(Errc::kNotLeader, "this broker does not lead the group"));
  }
  if (!piece) {
    absl::StatusOr<std::string> snapshot = events_.SnapshotForCopy();
    if (!snapshot.ok()) return std::move(done)(snapshot.status());
    return std::move(done)(
        CopyReply{storage::EncodeManifest(log_->MakeManifest()), *std::move(snapshot)});
  }
  log_->ReadSegment(piece->base_index, piece->position, piece->bytes_max,
                    [done = std::move(done)](absl::StatusOr<Bytes> bytes) mutable {
                      if (!bytes.ok()) return std::move(done)(bytes.status());
                      std::move(done)(CopyReply{std::string(bytes->view()), ""});
                    });
}

void Replica::Install(std::unique_ptr<storage::SegmentInstall> install, std::string snapshot,
                      storage::Log::InstallDone done) {
  // The snapshot first: a log without it would begin nowhere.
  events_.KeepSnapshot(std::move(snapshot),
                       [this, weak = std::weak_ptr<Replica*>(alive_), install = std::move(install),
                        done = std::move(done)](const absl::Status& kept) mutable {
                         if (!kept.ok() || weak.expired()) {
                           return std::move(done)(kept.ok() ? absl::AbortedError("closed") : kept);
                         }
                         ReplaceLog(std::move(install), std::move(done));
                       });
}

void Replica::ReplaceLog(std::unique_ptr<storage::SegmentInstall> install,
                         storage::Log::InstallDone done) {
  const storage::Manifest& manifest = install->manifest();
  if (failed_ || !core_->NeedsInstall(manifest.last_index(), manifest.next.term_before)) {
    return std::move(done)(absl::AbortedError("the log has it by now, or takes no writes"));
  }
  installing_ = true;
  core_->SetStanding(raft::Standing::kVoteOnly, shard_.now());
  log_->Install(std::move(install),
                [this, weak = std::weak_ptr<Replica*>(alive_),
                 done = std::move(done)](const absl::Status& installed) mutable {
                  absl::Status status = installed;
                  if (!weak.expired()) {
                    installing_ = false;
                    if (status.ok()) status = TakeInstalled();
                    if (!failed_ && !disk_full_)
                      core_->SetStanding(raft::Standing::kFull, shard_.now());
                    MarkDirty();
                  }
                  std::move(done)(status);
                });
}

absl::Status Replica::TakeInstalled() {
  ASSIGN_OR_RETURN(raft::InitialState state, StateOfLog(*log_));
  core_->Install(std::move(state), shard_.now());
  events_.OnInstalled();
  return absl::OkStatus();
}

void Replica::Persist(const raft::Ready& ready) {
  uint64_t written = log_->Write({ready.seq, ready.truncate_from, ready.entries});
  if (ready.truncate_from) events_.OnTruncated(*ready.truncate_from, OffsetBefore(ready.entries));
  if (!ready.entries.empty()) {
    shard_.NoteWrite();
    events_.OnAppended(ready.entries);
  }
  if (written >= ready.seq) TellWritten(written);
}

void Replica::TellWritten(uint64_t seq) {
  // In doubt there is a row already, of an earlier run of the machine.
  bool counts = core_->stage() == raft::Stage::kWritten && !core_->in_doubt();
  if (!counts || note_ == Note::kDurable || Mutated(Mutation::kDoubtNotNoted)) {
    core_->OnWritten(seq, shard_.now());
    return;
  }
  written_held_ = std::max(written_held_, seq);
  NoteUnflushed();
}

void Replica::NoteUnflushed() {
  if (std::exchange(note_, Note::kUnderWay) == Note::kUnderWay) return;
  shard_.SaveUnflushed(group_, [this, weak = std::weak_ptr<Replica*>(alive_)] {
    if (weak.expired()) return;
    note_ = Note::kDurable;
    FollowStage();
    if (written_held_ == 0) return;
    core_->OnWritten(std::exchange(written_held_, 0), shard_.now());
    MarkDirty();
  });
}

void Replica::SetOptions(const storage::LogOptions& log, raft::Stage stage, bool unclean_election) {
  if (closed_) return;
  core_->SetUncleanElection(unclean_election);
  wanted_log_ = log;
  wanted_stage_ = stage;
  FollowStage();
}

// What is only written may count once the row of NoteUnflushed stands, and no earlier: the log may
// have entries already that are not flushed.
void Replica::FollowStage() {
  if (!wanted_stage_ || closed_) return;
  const bool lowers =
      *wanted_stage_ == raft::Stage::kWritten && core_->stage() == raft::Stage::kDurable;
  if (lowers && note_ != Note::kDurable && !core_->in_doubt()) return NoteUnflushed();
  log_->SetOptions(wanted_log_);
  core_->SetStage(*std::exchange(wanted_stage_, std::nullopt), shard_.now());
  MarkDirty();
}

// The old row stands until this one replaces it: a crash in between means doubt again.
void Replica::AfterDoubt() {
  was_in_doubt_ = false;
  LogInfo("group {}: has again what it may have lost", group_.value());
  if (core_->stage() == raft::Stage::kWritten) {
    NoteUnflushed();
  } else {
    shard_.ClearUnflushed(group_, [] {});
  }
}

// Where the log ended before `entries`, which it has by now.
Offset Replica::OffsetBefore(const std::vector<LogEntry>& entries) const {
  for (const LogEntry& entry : entries) {
    if (entry.kind == EntryKind::kBatch) return RecordBatchView(entry.bytes.data()).base_offset();
  }
  return log_->next_offset();
}

void Replica::ServeRead(const raft::ReadRequest& request) {
  log_->ReadEntries(request.from, log_->written_index(), request.bytes_max,
                    [this, weak = std::weak_ptr<Replica*>(alive_),
                     request](absl::StatusOr<std::vector<LogEntry>> entries) {
                      if (weak.expired()) return;
                      core_->OnEntriesRead(request.peer, request.from, std::move(entries),
                                           shard_.now());
                      MarkDirty();
                    });
}

void Replica::ReadEntries(LogIndex from, LogIndex last, size_t bytes_max,
                          absl::AnyInvocable<void(absl::StatusOr<std::vector<LogEntry>>) &&> done) {
  if (closed_) return;  // The log may be closed, or gone before the read comes back.
  const raft::LogTail& tail = core_->tail();
  if (tail.Has(from)) {
    std::vector<LogEntry> entries = tail.Copy(from, bytes_max);
    while (!entries.empty() && entries.back().index > last) entries.pop_back();
    std::move(done)(std::move(entries));
    return;
  }
  log_->ReadEntries(from, last, bytes_max,
                    [weak = std::weak_ptr<Replica*>(alive_), done = std::move(done)](
                        absl::StatusOr<std::vector<LogEntry>> entries) mutable {
                      if (!weak.expired()) std::move(done)(std::move(entries));
                    });
}

void Replica::Close(Task closed) {
  closed_ = true;
  shard_.Remove(this);
  shard_.executor().Cancel(std::exchange(replacement_timer_, kNoTimer));
  alive_.reset();
  copy_->Stop([this, closed = std::move(closed)]() mutable { CloseLog(std::move(closed)); });
}

void Replica::CloseLog(Task closed) {
  if (note_ == Note::kNone || failed_ || core_->in_doubt()) {
    log_->Close(std::move(closed));
    return;
  }
  log_->Close([this, closed = std::move(closed)]() mutable {
    if (!log_->status().ok()) return std::move(closed)();
    shard_.ClearUnflushed(group_, std::move(closed));
  });
}

void Replica::OnWritten(uint64_t seq) {
  if (closed_) return;
  TellWritten(seq);
  MarkDirty();
}

void Replica::OnDurable(uint64_t seq) {
  if (closed_) return;
  core_->OnDurable(seq, shard_.now());
  DropPrefix();
  MarkDirty();
}

void Replica::OnFailed(const absl::Status& status) {
  if (closed_) return;
  failed_ = true;
  LogError("group {}: {}; it takes no more writes until the broker is restarted", group_.value(),
           std::string_view(status.message().data(), status.message().size()));
  core_->SetStanding(raft::Standing::kNone, shard_.now());
  // What the core wants persisted can no longer be, but others must hear that it steps down.
  if (core_->has_ready()) {
    raft::Ready last = core_->TakeReady();
    if (last.role) events_.OnRole();
  }
  shard_.Touch(group_);
  events_.OnStorageFailed(status);
}

void Replica::OnDiskFull(const absl::Status& status) {
  if (closed_) return;
  LogError("group {}: {}; writes are refused until there is space again", group_.value(),
           std::string_view(status.message().data(), status.message().size()));
  disk_full_ = true;
  core_->SetStanding(raft::Standing::kVoteOnly, shard_.now());
  HandOver(kNoNode);
  MarkDirty();
  events_.OnStorageFailed(status);
}

void Replica::OnDiskFree() {
  if (closed_) return;
  LogInfo("group {}: the disk has space again", group_.value());
  disk_full_ = false;
  core_->SetStanding(raft::Standing::kFull, shard_.now());
  MarkDirty();
  events_.OnStorageFree();
}

void Replica::OnDamaged(const absl::Status& status) {
  if (closed_ || failed_) return;
  const bool alone = core_->configuration().VoterNodes().size() <= 1;
  LogError("group {}: {}; {}", group_.value(),
           std::string_view(status.message().data(), status.message().size()),
           alone ? "no other replica has it, and it cannot be read"
                 : "this replica is copied again from the others");
  if (!alone) AskForReplacement();
}

// As long as nobody else leads, what can still be read here may be needed: a leader hands over to
// somebody who has everything, a follower waits for a leader.
void Replica::AskForReplacement() {
  replacement_timer_ = kNoTimer;
  const NodeId leader = core_->leader();
  if (leads()) {
    if (OthersHaveEverything()) HandOver(kNoNode);
  } else if (leader != kNoNode && core_->StateOf(leader) == raft::NodeState::kUp) {
    return events_.OnReplaceable();
  }
  replacement_timer_ = shard_.executor().PostAt(shard_.now() + kAskForReplacement,
                                                [this, weak = std::weak_ptr<Replica*>(alive_)] {
                                                  if (!weak.expired()) AskForReplacement();
                                                });
}

// Whether those who have all that is committed, and this replica as it will be, are a quorum.
bool Replica::OthersHaveEverything() const {
  std::set<NodeId> having{core_->self()};
  for (NodeId voter : core_->configuration().VoterNodes()) {
    if (core_->MatchOf(voter) >= core_->commit_index()) having.insert(voter);
  }
  return having.size() > 1 && core_->configuration().Count(having, {}) == raft::VoteResult::kWon;
}

}  // namespace garam
