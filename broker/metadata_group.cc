#include "broker/metadata_group.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/shard.h"
#include "common/logging.h"
#include "common/status.h"
#include "coordinator/internal_topics.h"
#include "coordinator/reassignment.h"
#include "raft/membership_plan.h"

namespace garam {
namespace {

constexpr size_t kApplyBytesMax = size_t{1} << 20;
// One that is being written, and one for members that are a little behind.
constexpr size_t kSegmentsMax = 3;

absl::Status MovedAway() {
  return MakeError(Errc::kNoController, "the controller has moved; try again");
}

// Whether it changes what clients may ask any broker for.
bool IsSeen(const ControllerRequest& request) {
  return !std::holds_alternative<RegisterBrokerRequest>(request) &&
         !std::holds_alternative<MembersReachedRequest>(request) &&
         !std::holds_alternative<AllocateProducerIdsRequest>(request) &&
         !std::holds_alternative<DescribeQuorumRequest>(request);
}

raft::WantedMembers WantedBy(const MetadataImage& image) {
  raft::WantedMembers wanted{
      static_cast<uint64_t>(image.members_index().value()), VotersOf(image.voters()), {}};
  std::set<NodeId> voters;
  for (const raft::Member& voter : wanted.voters) voters.insert(voter.node);
  for (const auto& [node, broker] : image.brokers()) {
    if (voters.contains(node)) continue;
    wanted.learners.push_back({node, broker->incarnation, raft::MemberRole::kLearner});
  }
  return wanted;
}

}  // namespace

std::vector<raft::Member> VotersOf(const std::vector<FormationVoter>& voters) {
  std::vector<raft::Member> members;
  for (const FormationVoter& voter : voters) {
    members.push_back({voter.node, voter.incarnation, raft::MemberRole::kVoter});
  }
  return members;
}

MetadataGroup::MetadataGroup(Shard& shard, Options options)
    : shard_(shard),
      options_(std::move(options)),
      replica_(shard, kMetadataGroup, *this),
      applied_(options_.snapshot.image->applied_index()),
      applied_term_(options_.snapshot.term),
      voter_watch_(options_.voter_dead_max),
      image_(options_.snapshot.image) {}

void MetadataGroup::Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log) {
  open_ = true;
  replica_.Attach(std::move(core), std::move(log));
}

void MetadataGroup::Stop(Task closed) {
  GiveUpAnswers();
  if (!std::exchange(open_, false)) {
    std::move(closed)();
    return;
  }
  options_.save_snapshot({image(), applied_term_});
  replica_.Close(std::move(closed));
}

std::shared_ptr<const MetadataImage> MetadataGroup::image() const {
  std::lock_guard lock(mutex_);
  return image_;
}

void MetadataGroup::OnRole() {
  if (!replica_.leads()) {
    planned_.reset();
    quorum_watch_.Reset();
    GiveUpAnswers();
  }
  options_.on_leader(replica_.core().term(), replica_.core().leader());
  options_.on_members();
}

void MetadataGroup::OnCommitted(LogIndex) { ApplyNext(); }

void MetadataGroup::OnProgress() {
  Reconfigure();
  if (answers_.deadline()) GiveAnswers();
}

// On a full disk it only votes until there is space again.
void MetadataGroup::OnStorageFailed(const absl::Status& reason) {
  if (replica_.failed()) options_.on_fatal(reason);
}

// It goes on as a follower: what is damaged here has been applied, and is read by nobody who
// follows.
void MetadataGroup::OnReplaceable() {
  LogError("the metadata log is damaged; delete the data folder to have this broker start anew");
}

void MetadataGroup::ApplyNext() {
  LogIndex commit = replica_.core().commit_index();
  if (applying_ || !open_ || applied_ >= commit) {
    MaybeTakeControl();
    Reconfigure();
    return;
  }
  applying_ = true;
  replica_.ReadEntries(applied_ + 1, commit, kApplyBytesMax,
                       [this, installs = installs_](absl::StatusOr<std::vector<LogEntry>> entries) {
                         if (installs != installs_) return;
                         applying_ = false;
                         ApplyEntries(std::move(entries));
                       });
}

void MetadataGroup::ApplyEntries(absl::StatusOr<std::vector<LogEntry>> entries) {
  if (!entries.ok() || entries->empty()) {
    options_.on_fatal(entries.ok() ? MakeError(Errc::kStorage, "a committed metadata entry is gone")
                                   : entries.status());
    return;
  }
  for (const LogEntry& entry : *entries) {
    if (!ApplyOne(entry)) return;
  }
  GiveAnswers();
  MaybeDropPrefix();
  ApplyNext();
}

bool MetadataGroup::ApplyOne(const LogEntry& entry) {
  std::shared_ptr<const MetadataImage> before = image();
  MetadataImage::Applied applied;
  if (entry.kind == EntryKind::kCommand) {
    absl::StatusOr<MetadataImage::Applied> outcome =
        before->ApplyBytes(entry.index, entry.bytes.view());
    if (!outcome.ok()) {
      options_.on_fatal(outcome.status());
      return false;
    }
    applied = *std::move(outcome);
  } else {
    applied.image = before->At(entry.index);
  }
  Publish(applied.image, entry.index, entry.term);
  if (entry.kind == EntryKind::kCommand) {
    options_.on_applied(applied);
    options_.save_snapshot({applied.image, entry.term});
  }
  return true;
}

void MetadataGroup::Publish(std::shared_ptr<const MetadataImage> image, LogIndex index, Term term) {
  applied_ = index;
  applied_term_ = term;
  std::lock_guard lock(mutex_);
  image_ = std::move(image);
}

// Once the log has grown by segments, all that is applied is kept as an image instead.
void MetadataGroup::MaybeDropPrefix() {
  if (dropping_ || !open_ || replica_.log().segment_count() < kSegmentsMax) return;
  dropping_ = true;
  options_.keep_snapshot({image(), applied_term_},
                         [this, applied = applied_](const absl::Status& kept) {
                           dropping_ = false;
                           if (kept.ok() && open_) replica_.DropBefore(applied + 1);
                         });
}

absl::StatusOr<CopyReply> MetadataGroup::GiveCopy() const {
  if (!open_ || !replica_.leads()) {
    return MakeError(Errc::kNotLeader, "this broker does not lead the metadata");
  }
  storage::Manifest manifest;
  manifest.next = {kMetadataGroup, applied_ + 1, Offset(0), applied_term_};
  manifest.terms.Append(applied_term_, applied_, Offset(0));
  manifest.configuration = replica_.log().ConfigurationAt(applied_);
  return CopyReply{storage::EncodeManifest(manifest),
                   EncodeMetadataSnapshot({image(), applied_term_})};
}

void MetadataGroup::KeepSnapshot(std::string snapshot,
                                 absl::AnyInvocable<void(const absl::Status&) &&> done) {
  absl::StatusOr<MetadataSnapshot> decoded = DecodeMetadataSnapshot(snapshot);
  if (!decoded.ok()) return std::move(done)(decoded.status());
  copied_ = *decoded;
  options_.keep_snapshot(*std::move(decoded), std::move(done));
}

void MetadataGroup::OnInstalled() {
  ++installs_;
  applying_ = false;
  const MetadataSnapshot copied = *std::exchange(copied_, std::nullopt);
  MetadataImage::Applied applied;
  applied.image = copied.image;
  applied.brokers_changed = true;
  applied.client_quotas_changed = true;
  for (const auto& either : {image(), copied.image}) {
    either->ForEachTopic([&applied](const std::shared_ptr<const TopicImage>& topic) {
      applied.changed_topics.push_back(topic->id);
    });
  }
  Publish(copied.image, copied.image->applied_index(), copied.term);
  options_.on_applied(applied);
}

void MetadataGroup::OnStillLeader(uint64_t round) {
  confirmed_round_ = round;
  GiveAnswers();
}

void MetadataGroup::GiveAnswers() {
  answers_.Give(applied_, confirmed_round_, shard_.now(), [this](LogIndex index) {
    return LiveMembersKnow(index, [](NodeId) { return true; });
  });
  if (answers_timer_ != kNoTimer || !answers_.deadline()) return;
  answers_timer_ = shard_.executor().PostAt(*answers_.deadline(), [this] {
    answers_timer_ = kNoTimer;
    GiveAnswers();
  });
}

void MetadataGroup::GiveUpAnswers() {
  shard_.executor().Cancel(std::exchange(answers_timer_, kNoTimer));
  answers_.GiveUp(EncodeControllerReply(MovedAway()));
}

// Of the members those that are up and asked for. (A newcomer gets the whole image first.)
bool MetadataGroup::LiveMembersKnow(LogIndex index, absl::FunctionRef<bool(NodeId)> asked) const {
  const raft::Core& core = replica_.core();
  const std::set<NodeId> live = options_.live();
  const raft::Configuration& members = core.configuration();
  for (const std::vector<raft::Member>* some : {&members.voters, &members.learners}) {
    for (const raft::Member& member : *some) {
      if (asked(member.node) && live.contains(member.node) &&
          core.KnownCommit(member.node) < index) {
        return false;
      }
    }
  }
  return true;
}

// A new leader controls once its image has everything that its predecessors committed.
void MetadataGroup::MaybeTakeControl() {
  if (planned_ != nullptr || !open_ || !replica_.confirmed()) return;
  if (applied_ < replica_.core().last_index()) return;
  planned_ = image();
  LogInfo("this broker is the controller, term {}", replica_.core().term().value());
  if (!planned_->cluster_id().empty()) return;
  absl::Status proposed = Propose({FormClusterCommand(options_.formed)});
  if (!proposed.ok()) planned_.reset();
}

// The next step towards the members that the image names (D20). Only once everything is applied:
// an older image may not undo what a newer one has done.
void MetadataGroup::Reconfigure() {
  if (planned_ == nullptr || applied_ < replica_.core().commit_index()) return;
  const raft::Core& core = replica_.core();
  const raft::WantedMembers wanted = WantedBy(*image());
  const bool committed = core.configuration_index() <= core.commit_index();
  if (raft::HasMembers(core.configuration(), wanted)) {
    if (committed) SayVoters();
    return;
  }
  if (!LeaversWereTold()) return;
  std::optional<raft::Configuration> next =
      raft::NextConfiguration(core.configuration(), committed, wanted,
                              [&core](NodeId node) { return core.IsCaughtUp(node); });
  if (!next) return;
  const LogEntry entry{LogIndex(0), core.term(), EntryKind::kConfiguration,
                       Bytes::Take(next->Encode())};
  // Refused while leadership is being handed over: whoever leads then goes on with it.
  absl::Status proposed = replica_.Propose(core.term(), {entry}).status();
  if (!proposed.ok()) LogDebug("group 0: {}", proposed.ToString());
}

void MetadataGroup::SayVoters() {
  const raft::Core& core = replica_.core();
  if (std::exchange(said_, core.configuration_index()) == core.configuration_index()) return;
  std::string voters;
  for (const raft::Member& voter : core.configuration().voters) {
    absl::StrAppend(&voters, " ", voter.node.value());
  }
  LogInfo("voters of the cluster's metadata:{}", voters);
  options_.on_members();
}

// Whoever is to leave hears why first: from then on nothing is sent to it.
bool MetadataGroup::LeaversWereTold() const {
  const auto brokers = image()->brokers();
  return LiveMembersKnow(applied_, [&](NodeId node) { return !brokers.contains(node); });
}

bool MetadataGroup::LetsGo(NodeId node) const {
  return !open_ || !replica_.leads() || !replica_.core().configuration().Find(node);
}

void MetadataGroup::WatchBrokers() {
  if (planned_ == nullptr) return voter_watch_.Reset();
  LookAtMembers();
  const raft::Core& core = replica_.core();
  // One after the other, and not on an image that has commands under way.
  if (applied_ < core.last_index() || !raft::HasMembers(core.configuration(), WantedBy(*image()))) {
    return;
  }
  const std::optional<std::string> command =
      voter_watch_.Look(*planned_, options_.live(), shard_.now());
  if (!command) return RaiseInternalTopics();
  LogWarn("a voter of the cluster's metadata has been away for long: another broker is to vote");
  const absl::Status proposed = Propose({*command});
  if (!proposed.ok()) LogDebug("group 0: {}", proposed.ToString());
}

void MetadataGroup::RaiseInternalTopics() {
  const std::vector<MoveSpec> moves = PlanRaise(
      *planned_, options_.live(), options_.defaults.internal_replication_factor, shard_.random());
  for (const MoveSpec& move : moves) {
    absl::StatusOr<std::string> command = PlanMove(*planned_, move);
    if (!command.ok() || command->empty() || !Propose({*std::move(command)}).ok()) return;
  }
  if (!moves.empty()) LogInfo("{} partitions of internal topics get more replicas", moves.size());
}

void MetadataGroup::Handle(std::string request,
                           absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  absl::StatusOr<ControllerRequest> decoded = DecodeControllerRequest(request);
  if (planned_ == nullptr || !decoded.ok()) {
    const absl::Status refused = decoded.ok() ? MovedAway() : decoded.status();
    return std::move(done)(EncodeControllerReply(refused));
  }
  const LogIndex before = replica_.core().last_index();
  const absl::StatusOr<ControllerReply> reply = Plan(*decoded);
  // What was proposed is committed by a leader only. What was refused, or is so already, must not
  // be the word of one that has been replaced.
  uint64_t round = 0;
  if (replica_.core().last_index() == before) {
    absl::StatusOr<uint64_t> asked = replica_.AskStillLeader();
    if (!asked.ok()) return std::move(done)(EncodeControllerReply(MovedAway()));
    round = *asked;
  }
  const bool tell = round == 0 && IsSeen(*decoded);
  answers_.Add(
      {replica_.core().last_index(), round, tell, EncodeControllerReply(reply), std::move(done)});
  GiveAnswers();
}

absl::StatusOr<ControllerReply> MetadataGroup::Plan(const ControllerRequest& request) {
  if (auto* create = std::get_if<CreateTopicsRequest>(&request)) return PlanCreate(*create);
  if (auto* remove = std::get_if<DeleteTopicsRequest>(&request)) return PlanDelete(*remove);
  if (auto* moves = std::get_if<MoveReplicasRequest>(&request)) return PlanMoves(*moves);
  if (auto* reached = std::get_if<MembersReachedRequest>(&request)) return PlanReached(*reached);
  if (auto* leaver = std::get_if<UnregisterBrokerRequest>(&request)) return PlanUnregister(*leaver);
  if (auto* alter = std::get_if<AlterConfigsRequest>(&request)) return PlanAlter(*alter);
  if (auto* more = std::get_if<CreatePartitionsRequest>(&request)) return PlanPartitions(*more);
  if (auto* ids = std::get_if<AllocateProducerIdsRequest>(&request)) return PlanIds(*ids);
  if (auto* quotas = std::get_if<AlterQuotasRequest>(&request)) return PlanQuotas(*quotas);
  if (auto* features = std::get_if<UpdateFeaturesRequest>(&request)) return PlanFeatures(*features);
  if (std::holds_alternative<DescribeQuorumRequest>(request)) return TellQuorum();
  return PlanRegister(std::get<RegisterBrokerRequest>(request));
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanCreate(const CreateTopicsRequest& request) {
  CreateTopicsPlan plan = PlanCreateTopics(planned_, options_.live(), options_.defaults,
                                           request.topics, request.validate_only, shard_.random());
  CreateTopicsReply reply;
  std::vector<std::string> commands;
  for (absl::StatusOr<PlannedTopic>& topic : plan.topics) {
    if (!topic.ok()) {
      reply.topics.push_back(topic.status());
      continue;
    }
    if (!topic->warning.empty()) LogWarn("{}", topic->warning);
    if (!topic->command.empty()) commands.push_back(std::move(topic->command));
    reply.topics.push_back(std::move(topic->topic));
  }
  RETURN_IF_ERROR(Propose(std::move(commands)));
  reply.index = replica_.core().last_index();
  return reply;
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanDelete(const DeleteTopicsRequest& request) {
  DeleteTopicsReply reply;
  std::vector<std::string> commands;
  for (absl::StatusOr<std::string>& command :
       PlanDeleteTopics(*planned_, options_.defaults, request.topics)) {
    reply.statuses.push_back(command.status());
    if (command.ok()) commands.push_back(*std::move(command));
  }
  RETURN_IF_ERROR(Propose(std::move(commands)));
  reply.index = replica_.core().last_index();
  return reply;
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanRegister(const RegisterBrokerRequest& request) {
  std::set<NodeId> live = options_.live();
  // It is the one that asks, or may be.
  const Incarnation seen = options_.incarnation(request.broker.node);
  if (seen == Incarnation(0) || seen == request.broker.incarnation) live.erase(request.broker.node);
  ASSIGN_OR_RETURN(std::string command,
                   PlanRegisterBroker(*planned_, live, request.cluster_id, request.broker));
  if (!command.empty()) RETURN_IF_ERROR(Propose({std::move(command)}));
  return RegisterBrokerReply{replica_.core().last_index()};
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanMoves(const MoveReplicasRequest& request) {
  MoveReplicasReply reply;
  for (const MoveSpec& move : request.moves) {
    absl::StatusOr<std::string> command = PlanMove(*planned_, move);
    reply.statuses.push_back(command.status());
    // One at a time: each sees what the ones before it have changed.
    if (command.ok() && !command->empty()) RETURN_IF_ERROR(Propose({*std::move(command)}));
  }
  reply.index = replica_.core().last_index();
  return reply;
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanReached(const MembersReachedRequest& request) {
  std::string command = PlanMembersReached(*planned_, request.group, request.wish);
  if (!command.empty()) RETURN_IF_ERROR(Propose({std::move(command)}));
  return MembersReachedReply{replica_.core().last_index()};
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanUnregister(
    const UnregisterBrokerRequest& request) {
  ASSIGN_OR_RETURN(std::string command,
                   PlanUnregisterBroker(*planned_, options_.live(), request.node));
  RETURN_IF_ERROR(Propose({std::move(command)}));
  return UnregisterBrokerReply{replica_.core().last_index()};
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanAlter(const AlterConfigsRequest& request) {
  AlterConfigsReply reply;
  for (const ConfigChange& change : request.changes) {
    absl::StatusOr<std::string> command = PlanConfigChange(*planned_, options_.defaults, change);
    reply.statuses.push_back(command.status());
    if (!command.ok() || command->empty() || request.validate_only) continue;
    RETURN_IF_ERROR(Propose({*std::move(command)}));
  }
  reply.index = replica_.core().last_index();
  return reply;
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanPartitions(
    const CreatePartitionsRequest& request) {
  CreatePartitionsReply reply;
  for (const MorePartitionsSpec& spec : request.topics) {
    absl::StatusOr<std::string> command =
        PlanMorePartitions(*planned_, options_.live(), options_.defaults, spec, shard_.random());
    reply.statuses.push_back(command.status());
    if (!command.ok() || request.validate_only) continue;
    RETURN_IF_ERROR(Propose({*std::move(command)}));
  }
  reply.index = replica_.core().last_index();
  return reply;
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanIds(const AllocateProducerIdsRequest& request) {
  const int64_t first = planned_->next_producer_id();
  ASSIGN_OR_RETURN(std::string command, PlanProducerIds(request.count));
  RETURN_IF_ERROR(Propose({std::move(command)}));
  return AllocateProducerIdsReply{replica_.core().last_index(), first};
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanQuotas(const AlterQuotasRequest& request) {
  AlterQuotasReply reply;
  for (const QuotaChange& change : request.changes) {
    absl::StatusOr<std::string> command = PlanQuotaChange(*planned_, change);
    reply.statuses.push_back(command.status());
    if (!command.ok() || command->empty() || request.validate_only) continue;
    RETURN_IF_ERROR(Propose({*std::move(command)}));
  }
  reply.index = replica_.core().last_index();
  return reply;
}

absl::StatusOr<ControllerReply> MetadataGroup::PlanFeatures(const UpdateFeaturesRequest& request) {
  ASSIGN_OR_RETURN(std::string command, PlanFeatureUpdates(*planned_, request.updates));
  if (!command.empty() && !request.validate_only) RETURN_IF_ERROR(Propose({std::move(command)}));
  return UpdateFeaturesReply{replica_.core().last_index()};
}

ControllerReply MetadataGroup::TellQuorum() {
  const raft::Core& core = replica_.core();
  DescribeQuorumReply reply{.index = core.last_index()};
  reply.quorum = {core.leader(), core.term(), core.commit_index(), LookAtMembers()};
  return reply;
}

std::vector<QuorumMember> MetadataGroup::LookAtMembers() {
  const raft::Core& core = replica_.core();
  const raft::Configuration& members = core.configuration();
  std::vector<QuorumMember> seen;
  for (const bool votes : {true, false}) {
    for (const raft::Member& member : votes ? members.voters : members.learners) {
      const bool self = member.node == core.self();
      seen.push_back({member.node, member.incarnation, votes,
                      self ? core.last_index() : core.MatchOf(member.node)});
    }
  }
  quorum_watch_.Look(seen, core.commit_index(), options_.live(), shard_.clock().WallMs());
  return seen;
}

absl::Status MetadataGroup::Propose(std::vector<std::string> commands) {
  for (std::string& command : commands) {
    Bytes bytes = Bytes::Take(std::move(command));
    std::vector<LogEntry> entries;
    const storage::Log& log = replica_.log();
    if (storage::EndsBefore(log.last_segment(), log.options(), kMetadataGroup,
                            {bytes.size(), -1, shard_.clock().WallMs()})) {
      entries.push_back({LogIndex(0), Term(0), EntryKind::kRoll, Bytes()});
    }
    entries.push_back({LogIndex(0), Term(0), EntryKind::kCommand, bytes});
    absl::StatusOr<LogIndex> index = replica_.Propose(replica_.core().term(), std::move(entries));
    if (!index.ok()) return MovedAway();
    // The command is the last of what was proposed.
    absl::StatusOr<MetadataImage::Applied> applied =
        planned_->ApplyBytes(replica_.core().last_index(), bytes.view());
    if (!applied.ok()) return applied.status();
    planned_ = applied->image;
  }
  return absl::OkStatus();
}

}  // namespace garam
