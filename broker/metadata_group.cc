#include "broker/metadata_group.h"

#include <algorithm>
#include <utility>

#include "broker/shard.h"
#include "common/logging.h"
#include "common/status.h"
#include "coordinator/reassignment.h"
#include "raft/membership_plan.h"

namespace garam {
namespace {

constexpr size_t kApplyBytesMax = size_t{1} << 20;

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
      image_(options_.snapshot.image) {}

void MetadataGroup::Attach(std::unique_ptr<raft::Core> core, std::unique_ptr<storage::Log> log) {
  open_ = true;
  replica_.Attach(std::move(core), std::move(log));
}

void MetadataGroup::Stop(Task closed) {
  FailWaiters();
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
    FailWaiters();
  }
  options_.on_leader(replica_.core().term(), replica_.core().leader());
}

void MetadataGroup::OnCommitted(LogIndex) { ApplyNext(); }

void MetadataGroup::OnStorageFailed(const absl::Status& reason) { options_.on_fatal(reason); }

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
                       [this](absl::StatusOr<std::vector<LogEntry>> entries) {
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
  AnswerWaiters();
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
  applied_ = entry.index;
  applied_term_ = entry.term;
  {
    std::lock_guard lock(mutex_);
    image_ = applied.image;
  }
  if (entry.kind == EntryKind::kCommand) {
    options_.on_applied(applied);
    options_.save_snapshot({applied.image, entry.term});
  }
  return true;
}

void MetadataGroup::AnswerWaiters() {
  while (!waiters_.empty() && waiters_.front().index <= applied_) {
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    std::move(waiter.done)(std::move(waiter.reply));
  }
}

void MetadataGroup::FailWaiters() {
  std::string lost =
      EncodeControllerReply(MakeError(Errc::kNoController, "the controller has moved; try again"));
  for (Waiter& waiter : std::exchange(waiters_, {})) std::move(waiter.done)(lost);
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
  if (raft::HasMembers(core.configuration(), wanted)) return;
  const bool committed = core.configuration_index() <= core.commit_index();
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

void MetadataGroup::Handle(std::string request,
                           absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  absl::StatusOr<ControllerRequest> decoded = DecodeControllerRequest(request);
  absl::StatusOr<ControllerReply> reply =
      decoded.ok() ? Plan(*decoded) : absl::StatusOr<ControllerReply>(decoded.status());
  if (!reply.ok()) {
    std::move(done)(EncodeControllerReply(reply));
    return;
  }
  waiters_.push_back({replica_.core().last_index(), EncodeControllerReply(reply), std::move(done)});
  AnswerWaiters();
}

absl::StatusOr<ControllerReply> MetadataGroup::Plan(const ControllerRequest& request) {
  if (planned_ == nullptr) return MakeError(Errc::kNoController, "no controller here; try again");
  if (auto* create = std::get_if<CreateTopicsRequest>(&request)) return PlanCreate(*create);
  if (auto* remove = std::get_if<DeleteTopicsRequest>(&request)) return PlanDelete(*remove);
  if (auto* moves = std::get_if<MoveReplicasRequest>(&request)) return PlanMoves(*moves);
  if (auto* reached = std::get_if<MembersReachedRequest>(&request)) return PlanReached(*reached);
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

absl::Status MetadataGroup::Propose(std::vector<std::string> commands) {
  for (std::string& command : commands) {
    Bytes bytes = Bytes::Take(std::move(command));
    absl::StatusOr<LogIndex> index = replica_.Propose(
        replica_.core().term(), {{LogIndex(0), Term(0), EntryKind::kCommand, bytes}});
    if (!index.ok()) return MakeError(Errc::kNoController, "the controller is moving; try again");
    absl::StatusOr<MetadataImage::Applied> applied = planned_->ApplyBytes(*index, bytes.view());
    if (!applied.ok()) return applied.status();
    planned_ = applied->image;
  }
  return absl::OkStatus();
}

}  // namespace garam
