#include "broker/data_partition.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/log_settings.h"
#include "broker/shard.h"
#include "common/expire_producers.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/record_batch.h"
#include "common/status.h"

namespace garam {
namespace {

// Batches up to this size leave the (larger) receive buffer that they came in, so that neither the
// uncommitted tail nor the cache pins a whole buffer for a few bytes.
constexpr size_t kCopyBytesMax = 16 * 1024;

// A timer that comes later than this was this process's own pause.
constexpr Duration kOwnPauseMax = Millis(200);

}  // namespace

DataPartition::DataPartition(Shard& shard, PartitionIdentity identity,
                             std::shared_ptr<const TopicConfig> config,
                             std::vector<NodeId> replicas, Duration replica_lag_max,
                             Announce announce, Members members, DiskEvents disk_events,
                             Duration producer_expiration)
    : shard_(shard),
      identity_(std::move(identity)),
      config_(std::move(config)),
      replicas_(std::move(replicas)),
      announce_(std::move(announce)),
      members_(std::move(members)),
      disk_events_(std::move(disk_events)),
      replica_lag_max_(replica_lag_max),
      replica_(shard, identity_.group, *this),
      compaction_(std::make_shared<LogCompaction>(shard, replica_)),
      producers_(
          shard, replica_, producer_expiration,
          {[this] { ProposeOffered(); }, [this](LogIndex before) { ExpireProducers(before); }}),
      tail_(shard.batch_cache()),
      isr_(shard.self(), replica_lag_max, kOwnPauseMax) {}

DataPartition::~DataPartition() { compaction_->Abandon(); }

void DataPartition::Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log,
                           bool noted) {
  open_ = true;
  appended_offset_ = next_offset_ = log->next_offset();
  high_watermark_ = log->start_offset();
  // What recovery found is not known to be committed until a leader says so.
  boundaries_.push_back({log->last_index(), next_offset_, 0});
  for (NodeId node : replicas_) isr_.SetReachable(node, shard_.IsUp(node), shard_.now());
  replica_.Attach(std::move(core), std::move(log), noted);
  producers_.Start();
  if (groups_ != nullptr) groups_->Start();
}

bool DataPartition::WithGroups(const std::function<void(GroupCoordinator&)>& work) {
  if (groups_ != nullptr) groups_->With(work);
  return groups_ != nullptr;
}

void DataPartition::CoordinateGroups(const GroupSettings& settings, GroupHost::Image image) {
  groups_ = std::make_unique<GroupHost>(shard_, *this, settings, std::move(image));
}

void DataPartition::Stop(const absl::Status& reason, Task closed) {
  shard_.executor().Cancel(std::exchange(deadline_timer_, kNoTimer));
  shard_.executor().Cancel(std::exchange(isr_timer_, kNoTimer));
  bool was_open = std::exchange(open_, false);
  if (groups_ != nullptr) groups_->Stop();
  waiters_.FailEverything(reason);
  FailOffered(reason);
  WakeWatchers(0);
  tail_.Clear();
  if (!was_open) {
    std::move(closed)();
    return;
  }
  closing_ = shared_from_this();
  compaction_->Stop(
      [this, closed = std::move(closed)]() mutable { CloseReplica(std::move(closed)); });
}

void DataPartition::CloseReplica(Task closed) {
  replica_.Close([this, closed = std::move(closed)]() mutable {
    producers_.Close([this, closed = std::move(closed)]() mutable {
      const std::shared_ptr<DataPartition> self = std::move(closing_);
      std::move(closed)();
    });
  });
}

std::shared_ptr<const TopicConfig> DataPartition::config() const {
  std::lock_guard lock(config_mutex_);
  return config_;
}

void DataPartition::SetConfig(std::shared_ptr<const TopicConfig> config) {
  {
    std::lock_guard lock(config_mutex_);
    config_ = std::move(config);
  }
  if (!open_) return;
  replica_.SetOptions(LogOptionsOf(*config_), StageOf(*config_), config_->unclean_leader_election);
  OnProgress();  // What waited for more in-sync replicas than are wanted now waits no longer.
}

size_t DataPartition::shard() const { return shard_.id(); }

absl::Status DataPartition::NotLeader() const {
  return MakeError(Errc::kNotLeader, "this broker does not lead the partition; refresh metadata");
}

absl::Status DataPartition::CheckLeader(std::optional<Term> current_leader_epoch) const {
  if (!open_) return MakeError(Errc::kUnknownTopic, "the partition was deleted");
  if (replica_.failed()) {
    return MakeError(Errc::kStorage, "the partition's log failed; see the broker's log");
  }
  Term term = replica_.core().term();
  if (current_leader_epoch) {
    if (*current_leader_epoch < term) {
      return MakeError(Errc::kFencedLeaderEpoch, "the client's leader epoch is old");
    }
    if (*current_leader_epoch > term) {
      return MakeError(Errc::kUnknownLeaderEpoch, "the client's leader epoch is newer than ours");
    }
  }
  return replica_.leads() ? absl::OkStatus() : NotLeader();
}

absl::Status DataPartition::CheckProduce(size_t batch_bytes, Acks acks) const {
  RETURN_IF_ERROR(CheckLeader(std::nullopt));
  if (static_cast<int64_t>(batch_bytes) > config_->segment_bytes) {
    return MakeError(Errc::kBatchOverSegment, "the batch is larger than segment.bytes");
  }
  if (acks == Acks::kAll && confirmed_ &&
      isr_.size() < static_cast<size_t>(config_->min_insync_replicas)) {
    return MakeError(Errc::kNotEnoughReplicas,
                     "fewer in-sync replicas than min.insync.replicas; start the missing brokers");
  }
  return absl::OkStatus();
}

void DataPartition::Produce(Bytes batch, Acks acks, MonoTime deadline, ProduceDone done) {
  if (absl::Status status = CheckProduce(batch.size(), acks); !status.ok()) {
    std::move(done)(std::move(status));
    return;
  }
  if (batch.size() <= kCopyBytesMax) batch = Bytes::Copy(batch.view());
  Offered offered{std::move(batch), acks, deadline, std::move(done)};
  // Nobody overtakes a batch that waits for the followers to catch up.
  if (!offered_.empty() || !Propose(offered)) {
    offered_.push_back(std::move(offered));
    RearmDeadline(deadline);
  }
}

// False, with `offered` as it was, while too much waits to be committed, or nobody can tell whether
// its producer has sent it before.
bool DataPartition::Propose(Offered& offered) {
  const ProducerBatch batch = ProducerBatch::Of(RecordBatchView(offered.batch.data()));
  if (!batch.idempotent()) return ProposeNew(offered);
  if (!producers_.ready()) return false;
  const absl::StatusOr<std::optional<ProducerState::Original>> known = producers_.Check(batch);
  if (!known.ok()) {
    RefuseOnceSure(offered, known.status());
  } else if (known->has_value()) {
    AnswerDuplicate(offered, **known);
  } else {
    return ProposeNew(offered);
  }
  return true;
}

// A leader of the past lacks what the next one has taken from the producer, which would give up
// what is right: it is told only what a quorum confirms.
void DataPartition::RefuseOnceSure(Offered& offered, absl::Status reason) {
  if (ErrcOf(reason) != Errc::kOutOfOrderSequence) return std::move(offered.done)(reason);
  const absl::StatusOr<uint64_t> round = replica_.AskStillLeader();
  if (!round.ok()) return std::move(offered.done)(NotLeader());
  refused_.push_back({*round, std::move(reason), std::move(offered.done)});
}

void DataPartition::OnStillLeader(uint64_t round) {
  std::vector<Refused> sure;
  std::erase_if(refused_, [&](Refused& refused) {
    if (refused.round > round) return false;
    sure.push_back(std::move(refused));
    return true;
  });
  for (Refused& refused : sure) std::move(refused.done)(refused.reason);
}

// It is as safe as its original.
void DataPartition::AnswerDuplicate(Offered& offered, const ProducerState::Original& original) {
  ProduceResult result;
  result.base_offset = original.base_offset;
  result.log_start_offset = replica_.log().start_offset();
  if (offered.acks == Acks::kNone) return std::move(offered.done)(result);
  Park(offered.acks, {original.index, offered.deadline, result, std::move(offered.done)});
  replica_.MarkDirty();  // The end of the turn answers it, if it is safe already.
}

bool DataPartition::ProposeNew(Offered& offered) {
  Term term = replica_.core().term();
  ProduceResult result;
  result.base_offset = next_offset_;
  result.log_start_offset = replica_.log().start_offset();
  RecordBatchView view(offered.batch.data());
  if (view.log_append_time()) result.log_append_time_ms = view.max_timestamp_ms();
  // The caller gave these bytes up (see Partition::Produce): nobody else reads them yet.
  PatchRecordBatch(const_cast<char*>(offered.batch.data()), next_offset_, term);

  std::vector<LogEntry> entries;
  const bool rolls = EndsSegment(view);
  if (rolls) entries.push_back({LogIndex(0), term, EntryKind::kRoll, Bytes()});
  entries.push_back({LogIndex(0), term, EntryKind::kBatch, offered.batch});
  absl::StatusOr<LogIndex> index = replica_.Propose(term, std::move(entries));
  if (!index.ok()) {
    if (ErrcOf(index.status()) == Errc::kThrottled) return false;
    std::move(offered.done)(index.status());
    return true;
  }
  // The batch is the last of what was proposed.
  LogIndex last = replica_.core().last_index();
  if (rolls) BeginPlannedSegment(last);
  next_offset_ = view.next_offset();
  planned_.Add(view.size_bytes(), view.max_timestamp_ms(), next_offset_, shard_.clock().WallMs());
  planned_through_ = last;
  producers_.OnProposed(last, ProducerBatch::Of(view));
  if (offered.acks == Acks::kNone) {
    std::move(offered.done)(result);
    return true;
  }
  Park(offered.acks, {last, offered.deadline, result, std::move(offered.done)});
  return true;
}

// Whether the log's last segment, with all that is proposed and not in it yet, ends before `batch`.
bool DataPartition::EndsSegment(const RecordBatchView& batch) {
  const storage::Log& log = replica_.log();
  if (log.last_index() >= planned_through_) planned_ = log.last_segment();
  return storage::EndsBefore(
      planned_, log.options(), group(),
      {batch.size_bytes(), batch.max_timestamp_ms(), shard_.clock().WallMs()});
}

// A kRoll has been proposed: the next segment begins with the entry at `base`.
void DataPartition::BeginPlannedSegment(LogIndex base) {
  planned_ = storage::SegmentInfo{};
  planned_.base_index = planned_.next_index = base;
  planned_.base_offset = planned_.next_offset = next_offset_;
  planned_through_ = base - 1;
}

void DataPartition::ExpireProducers(LogIndex before) {
  const Term term = replica_.core().term();
  // Refused, it is tried again after the next commit.
  absl::StatusOr<LogIndex> proposed =
      replica_.Propose(term, {{LogIndex(0), term, EntryKind::kExpireProducers,
                               Bytes::Take(EncodeExpireProducers(before))}});
  if (!proposed.ok()) LogDebug("group {}: {}", group().value(), proposed.status().ToString());
}

void DataPartition::ProposeOffered() {
  while (!offered_.empty() && Propose(offered_.front())) offered_.pop_front();
}

void DataPartition::FailOffered(const absl::Status& reason) {
  for (Offered& offered : std::exchange(offered_, {})) std::move(offered.done)(reason);
  for (Refused& refused : std::exchange(refused_, {})) std::move(refused.done)(reason);
}

void DataPartition::Park(Acks acks, ProduceWaiters::Waiter waiter) {
  MonoTime deadline = waiter.deadline;
  if (acks == Acks::kAll) {
    waiters_.AddAll(std::move(waiter));
  } else {
    waiters_.AddLeader(std::move(waiter));
  }
  RearmDeadline(deadline);
}

void DataPartition::RearmDeadline(MonoTime deadline) {
  if (deadline_timer_ != kNoTimer && deadline_armed_for_ <= deadline) return;
  shard_.executor().Cancel(std::exchange(deadline_timer_, kNoTimer));
  ArmDeadline();
}

void DataPartition::ArmDeadline() {
  std::optional<MonoTime> next = waiters_.NextDeadline();
  for (const Offered& offered : offered_) {
    if (!next || offered.deadline < *next) next = offered.deadline;
  }
  if (!next) return;
  deadline_armed_for_ = *next;
  deadline_timer_ = shard_.executor().PostAt(*next, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->deadline_timer_ = kNoTimer;
    self->Expire();
    self->ArmDeadline();
  });
}

void DataPartition::Expire() {
  MonoTime now = shard_.now();
  waiters_.Expire(now);
  std::deque<Offered> late;
  auto keep =
      std::stable_partition(offered_.begin(), offered_.end(),
                            [now](const Offered& offered) { return offered.deadline > now; });
  std::move(keep, offered_.end(), std::back_inserter(late));
  offered_.erase(keep, offered_.end());
  for (Offered& offered : late) {
    std::move(offered.done)(
        MakeError(Errc::kTimedOut, "the replicas were too far behind to take the record in time"));
  }
}

bool DataPartition::MinimumHas(LogIndex index) const {
  if (Mutated(Mutation::kMinIsrIgnored)) return true;
  return isr_.CountHaving(index) >= static_cast<size_t>(config_->min_insync_replicas);
}

void DataPartition::AnswerProduces() {
  if (waiters_.empty() || !open_ || !replica_.leads()) return;
  auto self = shared_from_this();  // A completion may drop the last other reference.
  waiters_.LeaderHas(replica_.core().MatchOf(shard_.self()));
  if (!confirmed_) return;
  waiters_.Committed(replica_.core().commit_index(),
                     [this](LogIndex index) { return MinimumHas(index); });
  if (isr_.size() < static_cast<size_t>(config_->min_insync_replicas)) {
    waiters_.FailAll(MakeError(Errc::kNotEnoughReplicasAfterAppend,
                               "the in-sync replicas fell below min.insync.replicas after the "
                               "append; the record may still be committed"));
  }
}

void DataPartition::OnRole() {
  Term now_leads = replica_.leads() ? replica_.core().term() : Term(0);
  if (now_leads != leading_term_) {
    if (leading_term_ != Term(0)) EndLeadership();
    leading_term_ = now_leads;
    members_told_ = false;
    if (leading()) {
      FollowConfiguration();
      isr_.Start(replicas_, replica_.core().last_index(), shard_.now());
    }
  }
  AnnounceState();
  WakeWatchers(0);
}

void DataPartition::EndLeadership() {
  confirmed_ = false;
  waiters_.FailEverything(NotLeader());
  FailOffered(NotLeader());
  shard_.executor().Cancel(std::exchange(isr_timer_, kNoTimer));
  tail_.Clear();
  producers_.OnLeadershipEnd();
  planned_through_ = LogIndex(0);
  retention_start_ = Offset(0);
  // Offsets that were given to batches which never reached the log are free again.
  next_offset_ = replica_.log().next_offset();
}

void DataPartition::OnAppended(const std::vector<LogEntry>& entries) {
  producers_.OnAppended(entries);
  bool leads = replica_.leads();
  Offset end = appended_offset_;
  for (const LogEntry& entry : entries) {
    size_t bytes = 0;
    if (entry.kind == EntryKind::kBatch) {
      RecordBatchView view(entry.bytes.data());
      bytes = entry.bytes.size();
      if (leads) tail_.Add(view.base_offset(), view.next_offset(), entry.bytes);
      end = view.next_offset();
    }
    boundaries_.push_back({entry.index, end, bytes});
  }
  appended_offset_ = end;
  if (Mutated(Mutation::kReadUncommitted)) high_watermark_ = end;
  // What has been proposed since is above.
  next_offset_ = std::max(next_offset_, end);
}

void DataPartition::OnTruncated(LogIndex from, Offset next_offset) {
  producers_.OnTruncated(from);
  while (!boundaries_.empty() && boundaries_.back().index >= from) boundaries_.pop_back();
  if (boundaries_.empty()) boundaries_.push_back({from - 1, next_offset, 0});
  appended_offset_ = next_offset;
  if (!Mutated(Mutation::kStaleOffsets)) next_offset_ = next_offset;
  tail_.TruncateTo(next_offset_);
}

void DataPartition::OnCommitted(LogIndex commit) {
  size_t visible = 0;
  Offset before = high_watermark_;
  while (!boundaries_.empty() && boundaries_.front().index <= commit) {
    high_watermark_ = std::max(high_watermark_, boundaries_.front().next_offset);
    visible += boundaries_.front().bytes;
    boundaries_.pop_front();
  }
  producers_.OnCommitted(commit, leading());
  if (leading()) OnProgress();
  if (high_watermark_ > before) WakeWatchers(std::max<size_t>(visible, 1));
}

void DataPartition::OnProgress() {
  if (!leading() || !open_) return;
  FollowConfiguration();
  FeedIsr();
  AnswerProduces();
  ProposeOffered();
  Reconfigure();
  RaiseCompactBefore();
}

void DataPartition::SetWanted(raft::WantedMembers wanted, NodeId preferred) {
  wanted_ = std::move(wanted);
  preferred_ = preferred;
  members_told_ = false;
  OnProgress();
  LetPreferredLead();
}

void DataPartition::LetPreferredLead() {
  if (!open_ || !confirmed_ || !isr_.Contains(preferred_)) return;
  if (preferred_ != replica_.core().self()) replica_.HandOver(preferred_);
}

// A configuration is in force from the moment it is in the log.
void DataPartition::FollowConfiguration() {
  std::vector<NodeId> voters = replica_.core().configuration().VoterNodes();
  if (voters.empty() || voters == replicas_) return;
  for (NodeId node : voters) {
    if (std::find(replicas_.begin(), replicas_.end(), node) == replicas_.end()) {
      isr_.SetReachable(node, shard_.IsUp(node), shard_.now());
    }
  }
  replicas_ = std::move(voters);
  isr_.SetReplicas(replicas_, shard_.now());
}

// Takes the next step towards the wanted members, if it is time for one.
void DataPartition::Reconfigure() {
  if (wanted_.voters.empty() || !confirmed_ || !leading()) return;
  const raft::Core& core = replica_.core();
  const bool committed = core.configuration_index() <= core.commit_index();
  if (raft::IsAsWanted(core.configuration(), wanted_)) {
    if (!committed || std::exchange(members_told_, true)) return;
    return members_(identity_.group, LogIndex(static_cast<int64_t>(wanted_.version)));
  }
  std::optional<raft::Configuration> next =
      raft::NextConfiguration(core.configuration(), committed, wanted_,
                              [&core](NodeId node) { return core.IsCaughtUp(node); });
  if (!next) return;
  // Refused while leadership is being handed over: whoever leads then goes on with it.
  absl::StatusOr<LogIndex> proposed = replica_.Propose(
      core.term(),
      {{LogIndex(0), core.term(), EntryKind::kConfiguration, Bytes::Take(next->Encode())}});
  if (!proposed.ok())
    LogDebug("group {}: {}", identity_.group.value(), proposed.status().ToString());
}

void DataPartition::OnStorageFailed(const absl::Status& reason) {
  FailOffered(MakeError(Errc::kStorage, std::string(reason.message())));
  waiters_.FailEverything(MakeError(Errc::kStorage, std::string(reason.message())));
  WakeWatchers(0);
  if (replica_.failed()) {  // On a full disk it leads, and is read, until somebody else can.
    LeaderState failed;
    failed.group = identity_.group;
    failed.term = replica_.core().term();
    announce_(failed);
  }
  disk_events_.can_append(identity_.group, reason);
}

void DataPartition::OnInstalled() {
  producers_.OnInstalled();
  tail_.Clear();
  appended_offset_ = next_offset_ = replica_.log().next_offset();
  boundaries_.clear();
  boundaries_.push_back({replica_.log().last_index(), appended_offset_, 0});
}

void DataPartition::GiveCopy(std::optional<CopyRequest::Piece> piece, CopyDone done) {
  if (!open_) return std::move(done)(NotLeader());
  copied_at_ = shard_.now();
  replica_.GiveCopy(piece, std::move(done));
}

void DataPartition::OnStorageFree() { disk_events_.can_append(identity_.group, absl::OkStatus()); }

void DataPartition::OnReplaceable() { disk_events_.replaceable(identity_.group); }

void DataPartition::OnNode(NodeId node, bool reachable) {
  isr_.SetReachable(node, reachable, shard_.now());
  OnProgress();
}

void DataPartition::SetCanAppend(NodeId node, bool can_append) {
  isr_.SetCanAppend(node, can_append, shard_.now());
  OnProgress();
}

// Tells the tracker what the core knows, and the cluster what the tracker concludes.
void DataPartition::FeedIsr() {
  const raft::Core& core = replica_.core();
  MonoTime now = shard_.now();
  if (!confirmed_ && replica_.confirmed()) {
    confirmed_ = true;
    isr_.Confirm(now);
    WakeWatchers(0);
  }
  isr_.OnLeaderEnd(core.last_index(), now);
  for (NodeId node : replicas_) isr_.OnMatch(node, core.MatchOf(node), now);
  isr_.OnCommit(core.commit_index(), now);
  if (confirmed_) AnnounceState();
  ArmIsr();
}

void DataPartition::ArmIsr() {
  if (isr_timer_ != kNoTimer) return;
  std::optional<MonoTime> next = isr_.NextDeadline();
  if (!next) return;
  isr_timer_ = shard_.executor().PostAt(*next, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr || !self->open_) return;
    self->isr_timer_ = kNoTimer;
    self->isr_.Tick(self->shard_.now());
    self->OnProgress();
  });
}

void DataPartition::AnnounceState() {
  const raft::Core& core = replica_.core();
  LeaderState state;
  state.group = identity_.group;
  state.term = core.term();
  state.leader = core.leader();
  if (replica_.leads()) {
    // 0 is a leader whose no-op has not committed: it may be tried, but judges nobody yet.
    state.isr_version = confirmed_ ? isr_.version() + 1 : 0;
    if (confirmed_) state.isr = isr_.Members();
  }
  if (state.term == announced_term_ && state.leader == announced_leader_ &&
      state.isr_version == announced_isr_version_) {
    return;
  }
  announced_term_ = state.term;
  announced_leader_ = state.leader;
  announced_isr_version_ = state.isr_version;
  announce_(state);
}

}  // namespace garam
