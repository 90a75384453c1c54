#include "coordinator/groups/consumer_group.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "coordinator/groups/consumer_records.h"
#include "coordinator/groups/group_errors.h"
#include "coordinator/groups/member_reconciler.h"
#include "coordinator/groups/topic_regex.h"

namespace garam {
namespace {

// What goes to the log together has to fit in a batch: some 130 bytes for each.
constexpr size_t kGoneAtOnce = 500;

absl::Status Invalid(std::string_view why) {
  return MakeError(Errc::kInvalidRequest, std::string(why));
}

bool IsBlank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), absl::ascii_isspace);
}
bool IsGivenBlank(const std::optional<std::string>& text) { return text && IsBlank(*text); }

absl::Status CheckJoin(const ConsumerHeartbeat& request) {
  if (request.rebalance_timeout_ms == -1) {
    return Invalid("RebalanceTimeoutMs must be provided in first request.");
  }
  if (!request.owned || !request.owned->empty()) {
    return Invalid("TopicPartitions must be empty when (re-)joining.");
  }
  if (!request.topics && !request.topic_regex) {
    return Invalid(
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
  }
  return absl::OkStatus();
}

// Whether everything in `owned` is held.
bool IsWithin(const std::optional<TopicPartitions>& owned, const HeldPartitions& held) {
  if (!owned) return false;
  return std::all_of(owned->begin(), owned->end(), [&](const auto& topic) {
    const auto found = held.find(topic.first);
    return found != held.end() &&
           std::all_of(topic.second.begin(), topic.second.end(),
                       [&](int32_t partition) { return found->second.contains(partition); });
  });
}

// A request that has all that a member can say is answered with all that it has.
bool SaysEverything(const ConsumerHeartbeat& request) {
  return request.rebalance_timeout_ms != -1 && (request.topics || request.topic_regex) &&
         request.owned;
}

}  // namespace

absl::Status CheckHeartbeat(std::string_view group, const ConsumerHeartbeat& request,
                            bool names_itself, const ConsumerGroupLimits& limits) {
  if ((names_itself || request.epoch > kJoinEpoch || request.epoch == kLeaveEpoch) &&
      IsBlank(request.member_id)) {
    return Invalid("MemberId can't be empty.");
  }
  if (IsBlank(group)) return Invalid("GroupId can't be empty.");
  if (IsGivenBlank(request.instance_id)) return Invalid("InstanceId can't be empty.");
  if (IsGivenBlank(request.rack)) return Invalid("RackId can't be empty.");
  if (request.epoch == kJoinEpoch) RETURN_IF_ERROR(CheckJoin(request));
  if (request.epoch == kPauseEpoch && !request.instance_id) {
    return Invalid("InstanceId can't be null.");
  }
  if (request.epoch < kPauseEpoch) return Invalid("MemberEpoch is invalid.");
  const auto& offered = limits.assignors;
  if (request.assignor &&
      std::find(offered.begin(), offered.end(), *request.assignor) == offered.end()) {
    return MakeError(Errc::kUnsupportedAssignor,
                     absl::StrCat("ServerAssignor ", *request.assignor,
                                  " is not supported. Supported assignors: ",
                                  absl::StrJoin(offered, ", "), "."));
  }
  return absl::OkStatus();
}

ConsumerGroup::ConsumerGroup(Env env) : env_(std::move(env)) {}

ConsumerGroup::ConsumerGroup(Env env, ConsumerGroupState stored, Moment now)
    : env_(std::move(env)), state_(std::move(stored)) {
  for (const auto& [id, member] : state_.members) {
    if (member.facts.instance_id) static_ids_[*member.facts.instance_id] = id;
    Hold(member, +1);
    Hear(id, now);
    if (member.state != MemberState::kUnrevokedPartitions || member.epoch == kPauseEpoch) continue;
    if (member.facts.classic) continue;
    Timer& timer = timers_[id];
    timer.revoked_until = now.mono + Millis(member.facts.rebalance_timeout_ms);
    Watch(*timer.revoked_until);
  }
}

absl::StatusOr<ConsumerHeartbeatAnswer> ConsumerGroup::Heartbeat(const ConsumerHeartbeat& request,
                                                                 Moment now, Records& records) {
  if (request.epoch < kJoinEpoch) return Leave(request, records);
  const std::shared_ptr<const GroupTopics> topics = env_.topics();
  ASSIGN_OR_RETURN(Sender sender, Check(request, *topics, now));
  const bool changed = Take(request, std::move(sender), *topics, now, records);
  const std::string& id = request.member_id;
  const ConsumerMember& member = state_.members.at(id);
  ConsumerHeartbeatAnswer answer;
  answer.member_id = id;
  answer.epoch = member.epoch;
  answer.heartbeat_interval_ms =
      static_cast<int32_t>(std::chrono::duration_cast<Millis>(Times().heartbeat_interval).count());
  if (changed || request.epoch == kJoinEpoch || SaysEverything(request)) {
    answer.assignment = WithoutEpochs(member.assigned);
  }
  return answer;
}

bool ConsumerGroup::Take(const ConsumerHeartbeat& request, Sender sender, const GroupTopics& topics,
                         Moment now, Records& records) {
  const std::string& id = request.member_id;
  if (sender.replaced) Replace(*sender.replaced, id, records);
  const bool subscribed_anew = Update(request, std::move(sender.resolved), records);
  RefreshTopics(topics, subscribed_anew || state_.epoch == 0, now, records);
  MaybeAssign(topics, now, records);
  const bool changed =
      Advance(id, topics, subscribed_anew, request.owned ? &*request.owned : nullptr, now, records);
  Hear(id, now);
  if (!request.classic) {
    timers_[id].join_until.reset();
    timers_[id].sync_until.reset();
  }
  return changed;
}

ConsumerTimes ConsumerGroup::Times() const {
  if (env_.times) return env_.times();
  return env_.limits.consumers;
}

void ConsumerGroup::Hear(const std::string& id, Moment now) {
  const std::optional<ClassicFacts>& classic = state_.members.at(id).facts.classic;
  const Duration session =
      classic ? Duration(Millis(classic->session_timeout_ms)) : Times().session_timeout;
  Timer& timer = timers_[id];
  timer.session_until = now.mono + session;
  Watch(timer.session_until);
}

absl::StatusOr<ConsumerGroup::Sender> ConsumerGroup::Check(const ConsumerHeartbeat& request,
                                                           const GroupTopics& topics,
                                                           Moment now) const {
  Sender sender;
  ASSIGN_OR_RETURN(sender.replaced, CheckMember(request));
  const std::string& expression = request.topic_regex.value_or("");
  if (expression.empty() || state_.regexes.contains(expression)) return sender;
  ASSIGN_OR_RETURN(const TopicRegex regex, TopicRegex::Compile(expression));
  sender.resolved = ResolvedRegex{regex.Matching(topics), topics.version(), now.wall_ms};
  return sender;
}

// The static member that the sender takes the place of, if it does.
absl::StatusOr<std::optional<std::string>> ConsumerGroup::CheckMember(
    const ConsumerHeartbeat& request) const {
  const bool joins = request.epoch == kJoinEpoch;
  const auto known = state_.members.find(request.member_id);
  if (request.instance_id && !joins) {
    RETURN_IF_ERROR(CheckStatic(request.member_id, *request.instance_id));
  } else if (request.instance_id) {
    const auto holder = static_ids_.find(*request.instance_id);
    // A classic member joins again and again.
    const bool again =
        request.classic && holder != static_ids_.end() && holder->second == request.member_id;
    if (holder != static_ids_.end() && !again) {
      const ConsumerMember& holds = state_.members.at(holder->second);
      // Of the classic protocol a second one is the newer one, and has the place.
      const bool is_free = holds.epoch == kPauseEpoch || request.classic.has_value() ||
                           holds.facts.classic.has_value();
      // Nor can a member that has a place of its own take another one.
      const bool has_place = known != state_.members.end() && known->first != holder->second;
      if (!is_free || has_place) return InstanceUnreleased();
      return std::optional(holder->second);
    }
  }
  if (known != state_.members.end()) {
    RETURN_IF_ERROR(CheckEpoch(known->second, request));
    return std::nullopt;
  }
  if (!joins) return UnknownMember();
  const size_t most = env_.limits.consumers.group_size_max;
  if (state_.members.size() >= most) {
    return MakeError(
        Errc::kGroupFull,
        absl::StrCat("The consumer group has reached its maximum capacity of ", most, " members."));
  }
  return std::nullopt;
}

// Whether the static member is the one that it says.
absl::Status ConsumerGroup::CheckStatic(const std::string& member,
                                        const std::string& instance) const {
  const auto holder = static_ids_.find(instance);
  if (holder == static_ids_.end()) return UnknownMember();
  return holder->second == member ? absl::OkStatus() : InstanceFenced();
}

// A member that did not hear of its new epoch comes with the one before, and with no more than it
// has.
absl::Status ConsumerGroup::CheckEpoch(const ConsumerMember& member,
                                       const ConsumerHeartbeat& request) const {
  if (request.epoch == kJoinEpoch || request.epoch == member.epoch) return absl::OkStatus();
  if (request.epoch < member.epoch && request.epoch == member.previous_epoch &&
      IsWithin(request.owned, member.assigned)) {
    return absl::OkStatus();
  }
  return EpochFenced();
}

absl::StatusOr<ConsumerHeartbeatAnswer> ConsumerGroup::Leave(const ConsumerHeartbeat& request,
                                                             Records& records) {
  std::string id = request.member_id;
  if (request.instance_id) RETURN_IF_ERROR(CheckStatic(id, *request.instance_id));
  const auto found = state_.members.find(id);
  if (found == state_.members.end()) return UnknownMember();
  ConsumerHeartbeatAnswer answer;
  answer.member_id = id;
  answer.epoch = request.epoch;
  if (request.epoch == kLeaveEpoch) {
    Fence({id}, records);
    return answer;
  }
  // It keeps its place, and all that it has, for what is left of its session.
  ConsumerMember& member = found->second;
  Hold(member.revoking, -1);
  member.revoking.clear();
  member.epoch = kPauseEpoch;
  timers_[id].revoked_until.reset();
  records.push_back(ConsumerAssignmentRecord(env_.name, id, member));
  return answer;
}

// A static member that has come back, under whatever id, has what it had.
void ConsumerGroup::Replace(const std::string& old_id, const std::string& id, Records& records) {
  auto place = state_.members.extract(old_id);
  ConsumerMember& member = place.mapped();
  member.epoch = member.previous_epoch = 0;
  auto target = state_.target.extract(old_id);
  timers_.erase(old_id);
  static_ids_[*member.facts.instance_id] = id;
  if (old_id != id) AddMemberTombstones(env_.name, old_id, records);
  records.push_back(ConsumerFactsRecord(env_.name, id, member.facts));
  if (!target.empty()) {
    records.push_back(ConsumerTargetRecord(env_.name, id, target.mapped()));
    target.key() = id;
    state_.target.insert(std::move(target));
  }
  records.push_back(ConsumerAssignmentRecord(env_.name, id, member));
  place.key() = id;
  state_.members.insert(std::move(place));
}

bool ConsumerGroup::Update(const ConsumerHeartbeat& request, std::optional<ResolvedRegex> resolved,
                           Records& records) {
  const std::string& id = request.member_id;
  const auto [place, is_new] = state_.members.try_emplace(id);
  ConsumerMember& member = place->second;
  ConsumerFacts facts = member.facts;
  if (request.instance_id) facts.instance_id = request.instance_id;
  if (request.rack) facts.rack = request.rack;
  if (request.rebalance_timeout_ms != -1) facts.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.assignor) facts.assignor = request.assignor;
  if (request.topic_regex) facts.topic_regex = *request.topic_regex;
  if (request.topics) {
    const std::set<std::string> sorted(request.topics->begin(), request.topics->end());
    facts.topics.assign(sorted.begin(), sorted.end());
  }
  facts.client_id = request.client_id;
  facts.client_host = request.client_host;
  facts.classic = request.classic;
  if (!is_new && facts == member.facts) return false;

  const bool regex_changed = facts.topic_regex != member.facts.topic_regex;
  const bool subscribed_anew = regex_changed || facts.topics != member.facts.topics;
  if (facts.instance_id != member.facts.instance_id) {
    if (member.facts.instance_id) static_ids_.erase(*member.facts.instance_id);
    static_ids_[*facts.instance_id] = id;
  }
  member.facts = std::move(facts);
  records.push_back(ConsumerFactsRecord(env_.name, id, member.facts));
  if (regex_changed) DropUnusedRegexes(records);
  if (resolved) {
    records.push_back(ConsumerRegexRecord(env_.name, member.facts.topic_regex, *resolved));
    state_.regexes[member.facts.topic_regex] = *std::move(resolved);
  }
  return subscribed_anew;
}

void ConsumerGroup::DropUnusedRegexes(Records& records) {
  std::set<std::string> used;
  for (const auto& [id, member] : state_.members) used.insert(member.facts.topic_regex);
  std::erase_if(state_.regexes, [&](const auto& regex) {
    if (used.contains(regex.first)) return false;
    records.push_back(ConsumerRegexTombstone(env_.name, regex.first));
    return true;
  });
}

void ConsumerGroup::Fence(const std::set<std::string>& members, Records& records) {
  for (const std::string& id : members) {
    const auto found = state_.members.find(id);
    Hold(found->second, -1);
    if (found->second.facts.instance_id) static_ids_.erase(*found->second.facts.instance_id);
    state_.members.erase(found);
    state_.target.erase(id);
    timers_.erase(id);
    AddMemberTombstones(env_.name, id, records);
  }
  DropUnusedRegexes(records);
  BeginEpoch(HashOf(*env_.topics()), records);
}

// A new epoch begins when members are subscribed to something else, or when what they are
// subscribed to has changed.
void ConsumerGroup::RefreshTopics(const GroupTopics& topics, bool changed, Moment now,
                                  Records& records) {
  if (topics.version() != topics_version_) RefreshRegexes(topics, now, records);
  if (!changed && topics.version() == topics_version_) return;
  topics_version_ = topics.version();
  const int64_t hash = HashOf(topics);
  if (changed || hash != state_.topics_hash) BeginEpoch(hash, records);
}

void ConsumerGroup::BeginEpoch(int64_t topics_hash, Records& records) {
  state_.topics_hash = topics_hash;
  ++state_.epoch;
  records.push_back(ConsumerEpochRecord(env_.name, state_.epoch, topics_hash));
}

int64_t ConsumerGroup::HashOf(const GroupTopics& topics) const {
  std::vector<AssignorTopic> subscribed;
  for (auto& [name, topic] : TopicsOf(topics)) subscribed.push_back(std::move(topic));
  return HashTopics(subscribed);
}

void ConsumerGroup::RefreshRegexes(const GroupTopics& topics, Moment now, Records& records) {
  for (auto& [expression, resolved] : state_.regexes) {
    if (resolved.version == topics.version()) continue;
    const absl::StatusOr<TopicRegex> regex = TopicRegex::Compile(expression);
    // It was one when it was stored; should this build not take it, it stays as it is.
    if (!regex.ok()) continue;
    std::vector<std::string> names = regex->Matching(topics);
    if (names == resolved.topics) continue;
    resolved = {std::move(names), topics.version(), now.wall_ms};
    records.push_back(ConsumerRegexRecord(env_.name, expression, resolved));
  }
}

std::set<std::string> ConsumerGroup::NamesOf(const ConsumerFacts& facts) const {
  std::set<std::string> names(facts.topics.begin(), facts.topics.end());
  const auto regex = state_.regexes.find(facts.topic_regex);
  if (regex != state_.regexes.end()) {
    names.insert(regex->second.topics.begin(), regex->second.topics.end());
  }
  return names;
}

std::map<std::string, AssignorTopic> ConsumerGroup::TopicsOf(const GroupTopics& topics) const {
  std::map<std::string, AssignorTopic> found;
  std::set<std::string> missing;
  const auto add = [&](const std::string& name) {
    if (found.contains(name) || missing.contains(name)) return;
    if (std::optional<AssignorTopic> topic = topics.Find(name)) {
      found.emplace(name, *std::move(topic));
    } else {
      missing.insert(name);
    }
  };
  for (const auto& [id, member] : state_.members) {
    for (const std::string& name : member.facts.topics) add(name);
  }
  for (const auto& [expression, resolved] : state_.regexes) {
    for (const std::string& name : resolved.topics) add(name);
  }
  return found;
}

// The one that most members ask for.
std::string ConsumerGroup::Assignor() const {
  std::map<std::string, size_t> votes;
  for (const auto& [id, member] : state_.members) {
    if (member.facts.assignor) ++votes[*member.facts.assignor];
  }
  const std::vector<std::string>& offered = env_.limits.consumers.assignors;
  const auto most =
      std::max_element(offered.begin(), offered.end(),
                       [&](const auto& a, const auto& b) { return votes[a] < votes[b]; });
  return *most;
}

void ConsumerGroup::MaybeAssign(const GroupTopics& topics, Moment now, Records& records) {
  if (state_.assignment_epoch >= state_.epoch) return;
  const int64_t since_ms = now.wall_ms - state_.assigned_at_ms;
  const bool too_soon =
      state_.assigned_at_ms != 0 && since_ms >= 0 && Millis(since_ms) < Times().assignment_interval;
  if (too_soon) return;
  const std::map<std::string, AssignorTopic> existing = TopicsOf(topics);
  std::vector<AssignorTopic> offered;
  for (const auto& [name, topic] : existing) offered.push_back(topic);
  std::vector<AssignorMember> members;
  for (const auto& [id, member] : state_.members) {
    AssignorMember& row = members.emplace_back();
    row.member_id = id;
    row.instance_id = member.facts.instance_id;
    row.rack = member.facts.rack;
    for (const std::string& name : NamesOf(member.facts)) {
      const auto topic = existing.find(name);
      if (topic != existing.end()) row.topics.push_back(topic->second.id);
    }
    std::sort(row.topics.begin(), row.topics.end());
    const auto had = state_.target.find(id);
    if (had != state_.target.end()) row.current = had->second;
  }
  absl::StatusOr<GroupAssignment> assigned =
      Assignor() == "range" ? AssignRange(members, offered) : AssignUniform(members, offered);
  assert(assigned.ok());  // Nobody is subscribed to what is not there.
  for (auto& [id, partitions] : *assigned) {
    const auto had = state_.target.find(id);
    if (had != state_.target.end() && had->second == partitions) continue;
    records.push_back(ConsumerTargetRecord(env_.name, id, partitions));
  }
  state_.target = *std::move(assigned);
  state_.assignment_epoch = state_.epoch;
  state_.assigned_at_ms = now.wall_ms;
  records.push_back(ConsumerTargetEpochRecord(env_.name, state_.epoch, now.wall_ms));
}

bool ConsumerGroup::Advance(const std::string& id, const GroupTopics& topics,
                            bool subscription_changed, const TopicPartitions* owned, Moment now,
                            Records& records) {
  ConsumerMember& member = state_.members.at(id);
  const bool settled =
      member.state == MemberState::kStable && member.epoch == state_.assignment_epoch;
  if (settled && !subscription_changed) return false;
  std::set<TopicId> subscribed;
  for (const std::string& name : NamesOf(member.facts)) {
    if (const auto topic = topics.Find(name)) subscribed.insert(topic->id);
  }
  const auto target = state_.target.find(id);
  const TopicPartitions nothing;
  const std::optional<ConsumerMember> next = Reconcile(
      member,
      {state_.assignment_epoch, target == state_.target.end() ? nothing : target->second,
       subscribed, subscription_changed, owned, [this](const TopicId& topic, int32_t partition) {
         return !holders_.contains({topic, partition});
       }});
  if (!next) return false;
  const bool changed = next->assigned != member.assigned;
  Hold(member, -1);
  member = *next;
  Hold(member, +1);
  records.push_back(ConsumerAssignmentRecord(env_.name, id, member));
  Timer& timer = timers_[id];
  timer.revoked_until.reset();
  if (member.state == MemberState::kUnrevokedPartitions && !member.facts.classic) {
    timer.revoked_until = now.mono + Millis(member.facts.rebalance_timeout_ms);
    Watch(*timer.revoked_until);
  }
  return changed;
}

void ConsumerGroup::Hold(const HeldPartitions& partitions, int32_t by) {
  for (const auto& [topic, held] : partitions) {
    for (const auto& [partition, epoch] : held) {
      const auto [place, added] = holders_.try_emplace({topic, partition}, 0);
      place->second += by;
      if (place->second == 0) holders_.erase(place);
    }
  }
}

void ConsumerGroup::Hold(const ConsumerMember& member, int32_t by) {
  Hold(member.assigned, by);
  Hold(member.revoking, by);
}

absl::Status ConsumerGroup::CheckCommit(const std::string& member, int32_t epoch,
                                        Offsets offsets) const {
  // Whoever assigns partitions to itself has no epoch; the group must have no members then.
  if (epoch < 0 && empty()) return absl::OkStatus();
  const auto found = state_.members.find(member);
  if (found == state_.members.end()) return UnknownMember();
  const ConsumerMember& known = found->second;
  const absl::Status stale = known.facts.classic ? GenerationIsOver() : EpochIsStale();
  if (epoch == known.epoch) return absl::OkStatus();
  if (epoch > known.epoch) return stale;
  const auto had_it = [&](const HeldPartitions& held, const TopicId& topic, int32_t partition) {
    const auto at = held.find(topic);
    if (at == held.end()) return false;
    const auto since = at->second.find(partition);
    return since != at->second.end() && since->second <= epoch;
  };
  for (const auto& [partition, offset] : offsets) {
    if (!had_it(known.assigned, offset.topic_id, partition.second) &&
        !had_it(known.revoking, offset.topic_id, partition.second)) {
      return stale;
    }
  }
  return absl::OkStatus();
}

absl::Status ConsumerGroup::CheckFetch(const std::string& member, int32_t epoch) const {
  const auto found = state_.members.find(member);
  if (found == state_.members.end()) return UnknownMember();
  if (found->second.epoch == epoch) return absl::OkStatus();
  return found->second.facts.classic ? GenerationIsOver() : EpochIsStale();
}

MonoTime ConsumerGroup::Timer::first() const {
  MonoTime first = session_until;
  for (const std::optional<MonoTime>& at : {revoked_until, join_until, sync_until}) {
    if (at) first = std::min(first, *at);
  }
  return first;
}

void ConsumerGroup::Tick(Moment now, Records& records) {
  if (now.mono < next_check_) return;
  next_check_ = MonoTime::max();
  std::set<std::string> gone;
  for (const auto& [id, timer] : timers_) {
    if (timer.first() <= now.mono && gone.size() < kGoneAtOnce) {
      gone.insert(id);
    } else {
      Watch(timer.first());
    }
  }
  if (!gone.empty()) Fence(gone, records);
}

std::optional<MonoTime> ConsumerGroup::NextDeadline() const {
  if (next_check_ == MonoTime::max()) return std::nullopt;
  return next_check_;
}

std::string_view ConsumerGroup::StateName() const {
  if (empty()) return "Empty";
  if (state_.epoch > state_.assignment_epoch) return "Assigning";
  const bool settled =
      std::all_of(state_.members.begin(), state_.members.end(), [&](const auto& entry) {
        return entry.second.state == MemberState::kStable &&
               entry.second.epoch == state_.assignment_epoch;
      });
  return settled ? "Stable" : "Reconciling";
}

ConsumerGroupDescription ConsumerGroup::Describe() const {
  const std::shared_ptr<const GroupTopics> topics = env_.topics();
  const auto named = [&](const TopicPartitions& partitions) {
    std::vector<ConsumerGroupDescription::Topic> shown;
    for (const auto& [id, numbers] : partitions) {
      if (const std::optional<std::string> name = topics->NameOf(id)) {
        shown.push_back({id, *name, numbers});
      }
    }
    return shown;
  };
  ConsumerGroupDescription description;
  description.state = StateName();
  description.epoch = state_.epoch;
  description.assignment_epoch = state_.assignment_epoch;
  description.assignor = Assignor();
  for (const auto& [id, member] : state_.members) {
    auto& shown = description.members.emplace_back();
    shown.id = id;
    shown.facts = member.facts;
    shown.epoch = member.epoch;
    shown.assigned = named(WithoutEpochs(member.assigned));
    const auto target = state_.target.find(id);
    if (target != state_.target.end()) shown.target = named(target->second);
  }
  return description;
}

bool ConsumerGroup::SubscribesTo(const std::string& topic) const {
  return std::any_of(state_.members.begin(), state_.members.end(), [&](const auto& entry) {
    const std::vector<std::string>& topics = entry.second.facts.topics;
    const auto regex = state_.regexes.find(entry.second.facts.topic_regex);
    return std::binary_search(topics.begin(), topics.end(), topic) ||
           (regex != state_.regexes.end() &&
            std::binary_search(regex->second.topics.begin(), regex->second.topics.end(), topic));
  });
}

}  // namespace garam
