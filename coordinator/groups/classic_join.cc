// Joining a group of the classic protocol, and the rebalance that follows.
#include <algorithm>
#include <utility>

#include "common/status.h"
#include "coordinator/groups/classic_group.h"
#include "coordinator/groups/group_errors.h"

namespace garam {
namespace {

// A member that is new has this long from its first request to the end of the rebalance: it sends
// no heartbeats while it waits.
constexpr Duration kNewMemberPatience = std::chrono::minutes(5);

bool SameProtocols(const std::vector<ClassicProtocol>& a, const std::vector<ClassicProtocol>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ClassicProtocol& x, const ClassicProtocol& y) {
                      return x.name == y.name && x.metadata.view() == y.metadata.view();
                    });
}

}  // namespace

void ClassicGroup::Join(JoinRequest request, Moment now, JoinDone done) {
  if (absl::Status status = CheckMayJoin(request); !status.ok()) {
    return Reply(std::move(done), {std::move(status), request.member.id});
  }
  if (!request.member.id.empty()) return Rejoin(std::move(request), now, std::move(done));
  if (request.member.instance_id) return JoinStatic(std::move(request), now, std::move(done));
  JoinNew(std::move(request), now, std::move(done));
}

absl::Status ClassicGroup::CheckMayJoin(const JoinRequest& request) const {
  const auto member = members_.find(request.member.id);
  const bool known =
      member != members_.end() ||
      (request.member.instance_id && static_ids_.contains(*request.member.instance_id));
  // While they gather, those that have come back count.
  size_t taken = members_.size();
  if (state_ == State::kPreparingRebalance) {
    taken = static_cast<size_t>(std::count_if(
        members_.begin(), members_.end(), [](const auto& m) { return m.second.join != nullptr; }));
  }
  const bool has_place = known && (state_ != State::kPreparingRebalance ||
                                   (member != members_.end() && member->second.join != nullptr));
  if (!has_place && taken >= env_.limits.group_size_max) {
    return MakeError(Errc::kGroupFull, "the group has group.max.size members");
  }
  if (!SupportsProtocols(request)) {
    return MakeError(Errc::kInconsistentGroupProtocol,
                     "the members of a group need one protocol type and a protocol in common");
  }
  return absl::OkStatus();
}

// Whether there is a protocol that everybody else supports as well.
bool ClassicGroup::SupportsProtocols(const JoinRequest& request) const {
  if (request.protocol_type.empty() || request.protocols.empty()) return false;
  if (members_.empty()) return true;
  if (request.protocol_type != protocol_type_) return false;
  return std::any_of(request.protocols.begin(), request.protocols.end(),
                     [&](const ClassicProtocol& offered) {
                       return std::all_of(members_.begin(), members_.end(), [&](const auto& entry) {
                         const auto& theirs = entry.second.protocols;
                         return entry.first == request.member.id ||
                                std::any_of(theirs.begin(), theirs.end(),
                                            [&](const auto& p) { return p.name == offered.name; });
                       });
                     });
}

void ClassicGroup::JoinNew(JoinRequest request, Moment now, JoinDone done) {
  const std::string id = request.fresh_member_id;
  if (request.needs_known_id) {
    pending_[id] = now.mono + request.session_timeout;
    next_check_ = std::min(next_check_, pending_[id]);
    return Reply(std::move(done),
                 {MakeError(Errc::kMemberIdRequired, "join again with this member id"), id});
  }
  AddMember(id, std::move(request), now, std::move(done));
}

void ClassicGroup::JoinStatic(JoinRequest request, Moment now, JoinDone done) {
  const auto known = static_ids_.find(*request.member.instance_id);
  if (known != static_ids_.end()) {
    return ReplaceStatic(std::string(known->second), std::move(request), now, std::move(done));
  }
  const std::string id = request.fresh_member_id;
  AddMember(id, std::move(request), now, std::move(done));
}

// KIP-345: a static member that has restarted takes its own place, under a new id. Nobody else has
// to know, unless what it can do has changed.
void ClassicGroup::ReplaceStatic(const std::string& old_id, JoinRequest request, Moment now,
                                 JoinDone done) {
  const std::string id = request.fresh_member_id;
  auto node = members_.extract(old_id);
  Member& member = node.mapped();
  const absl::Status fenced = InstanceFenced();
  if (member.join != nullptr) Reply(std::exchange(member.join, nullptr), {fenced, old_id});
  if (member.sync != nullptr) {
    Reply(std::exchange(member.sync, nullptr), {fenced});
  }
  node.key() = id;
  members_.insert(std::move(node));
  static_ids_[*request.member.instance_id] = id;
  if (leader_ == old_id) leader_ = id;

  const bool may_skip = request.may_skip_assignment;
  Member& replaced = members_.at(id);
  UpdateMember(replaced, std::move(request), std::move(done));
  Hear(replaced, now);
  if (state_ == State::kPreparingRebalance) return TryCompleteJoin(now);
  if (state_ != State::kStable || SelectProtocol() != protocol_) return PrepareRebalance(now);
  FinishReplacing(old_id, id, may_skip, now);
}

// The new id is stored before it is told, so that the next coordinator knows it.
void ClassicGroup::FinishReplacing(const std::string& old_id, const std::string& id, bool may_skip,
                                   Moment now) {
  env_.write(ToRecord({}, now), [this, weak = std::weak_ptr<bool>(alive_), old_id, id,
                                 may_skip](absl::Status status) {
    if (weak.expired()) return;
    const auto found = members_.find(id);
    // It has been taken up into a rebalance meanwhile, which answers it.
    if (found == members_.end() || found->second.join == nullptr || state_ != State::kStable)
      return;
    Member& member = found->second;
    JoinAnswer answer;
    if (status.ok()) {
      answer = AnswerFor(id);
      answer.skip_assignment = may_skip && leader_ == id;
      // One that cannot skip it would assign anew: it is not told that it leads.
      if (leader_ == id && !may_skip) {
        answer.leader = old_id;
        answer.members.clear();
      }
    } else {
      answer = {status, id};
    }
    Hear(member, env_.now());
    Reply(std::exchange(member.join, nullptr), std::move(answer));
  });
}

void ClassicGroup::Rejoin(JoinRequest request, Moment now, JoinDone done) {
  const std::string id = request.member.id;
  if (pending_.contains(id) && !request.member.instance_id) {
    pending_.erase(id);
    return AddMember(id, std::move(request), now, std::move(done));
  }
  if (absl::Status status = CheckMember(request.member); !status.ok()) {
    return Reply(std::move(done), {std::move(status), id});
  }
  Member& member = members_.at(id);
  const bool same = SameProtocols(member.protocols, request.protocols);
  // An answer that was lost is given again. The leader comes back to have a rebalance.
  const bool again = same && (state_ == State::kCompletingRebalance ||
                              (state_ == State::kStable && id != leader_));
  if (again) {
    Hear(member, now);
    return Reply(std::move(done), AnswerFor(id));
  }
  UpdateMember(member, std::move(request), std::move(done));
  if (state_ != State::kPreparingRebalance) PrepareRebalance(now);
  TryCompleteJoin(now);
}

void ClassicGroup::AddMember(const std::string& id, JoinRequest request, Moment now,
                             JoinDone done) {
  if (members_.empty()) protocol_type_ = request.protocol_type;
  if (leader_.empty()) leader_ = id;
  Member& member = members_[id];
  member.instance_id = request.member.instance_id;
  if (member.instance_id) static_ids_[*member.instance_id] = id;
  member.is_new = true;
  UpdateMember(member, std::move(request), std::move(done));
  member.expires_at = now.mono + kNewMemberPatience;
  next_check_ = std::min(next_check_, member.expires_at);
  joined_meanwhile_ = true;
  if (state_ != State::kPreparingRebalance) PrepareRebalance(now);
  TryCompleteJoin(now);
}

void ClassicGroup::UpdateMember(Member& member, JoinRequest request, JoinDone done) {
  // Asked twice: the first answer has nobody to go to.
  if (member.join != nullptr) {
    Reply(std::exchange(member.join, nullptr),
          {MakeError(Errc::kUnknownMemberId, "the member has joined again")});
  }
  member.client_id = std::move(request.client_id);
  member.client_host = std::move(request.client_host);
  member.session_timeout = request.session_timeout;
  member.rebalance_timeout = request.rebalance_timeout;
  member.protocols = std::move(request.protocols);
  member.join = std::move(done);
}

void ClassicGroup::MaybePrepareRebalance(Moment now) {
  if (state_ == State::kStable || state_ == State::kCompletingRebalance) PrepareRebalance(now);
}

void ClassicGroup::PrepareRebalance(Moment now) {
  if (state_ == State::kCompletingRebalance) {
    for (auto& [id, member] : members_) member.assignment = Bytes();
    FailSyncs(Rebalancing());
  }
  sync_until_.reset();
  const bool first = state_ == State::kEmpty;
  Transition(State::kPreparingRebalance, now);
  initial_delay_ = first && env_.limits.initial_rebalance_delay > Duration(0);
  if (initial_delay_) {
    // Whoever starts together is to be in one generation.
    const Duration whole = RebalanceTimeout();
    const Duration delay = std::min(env_.limits.initial_rebalance_delay, whole);
    delay_left_ = whole - delay;
    joined_meanwhile_ = false;
    join_until_ = now.mono + delay;
  } else {
    join_until_ = now.mono + RebalanceTimeout();
  }
}

void ClassicGroup::EndJoinTimer(Moment now) {
  if (initial_delay_ && std::exchange(joined_meanwhile_, false) && delay_left_ > Duration(0)) {
    const Duration delay = std::min(env_.limits.initial_rebalance_delay, delay_left_);
    delay_left_ -= delay;
    join_until_ = now.mono + delay;
    return;
  }
  CompleteJoin(now);
}

void ClassicGroup::TryCompleteJoin(Moment now) {
  if (state_ != State::kPreparingRebalance || initial_delay_ || !pending_.empty()) return;
  for (const auto& [id, member] : members_) {
    if (member.join == nullptr) return;
  }
  CompleteJoin(now);
}

// Everybody is here, or will not be waited for any longer.
void ClassicGroup::CompleteJoin(Moment now) {
  initial_delay_ = false;
  for (auto it = members_.begin(); it != members_.end();) {
    const auto member = it++;
    // Static members keep their places while they are away, for their sessions' time.
    if (member->second.join == nullptr && !member->second.instance_id) Erase(member);
  }
  if (!members_.empty() && !ElectJoinedLeader()) {
    join_until_ = now.mono + RebalanceTimeout();
    return;
  }
  join_until_.reset();
  ++generation_;
  if (members_.empty()) {
    protocol_.reset();
    leader_.clear();
    Transition(State::kEmpty, now);
    env_.write(ToRecord({}, now), [](absl::Status) {});  // Lost, the next coordinator empties it.
    return;
  }
  protocol_ = SelectProtocol();
  Transition(State::kCompletingRebalance, now);
  sync_until_ = now.mono + RebalanceTimeout();
  for (auto& [id, member] : members_) {
    member.has_synced = false;
    member.is_new = false;
    Hear(member, now);
    if (member.join != nullptr) {
      Reply(std::exchange(member.join, nullptr), AnswerFor(id));
    }
  }
}

// The leader stays if it is here. False when nobody is.
bool ClassicGroup::ElectJoinedLeader() {
  const auto leader = members_.find(leader_);
  if (leader != members_.end() && leader->second.join != nullptr) return true;
  for (const auto& [id, member] : members_) {
    if (member.join == nullptr) continue;
    leader_ = id;
    return true;
  }
  return false;
}

// Of the protocols that all support, the one that most members prefer.
std::string ClassicGroup::SelectProtocol() const {
  std::map<std::string_view, size_t> supporters;
  for (const auto& [id, member] : members_) {
    for (const ClassicProtocol& protocol : member.protocols) ++supporters[protocol.name];
  }
  std::map<std::string_view, size_t> votes;
  for (const auto& [id, member] : members_) {
    const auto first = std::find_if(
        member.protocols.begin(), member.protocols.end(),
        [&](const ClassicProtocol& p) { return supporters[p.name] == members_.size(); });
    if (first != member.protocols.end()) ++votes[first->name];
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? std::string() : std::string(most->first);
}

JoinAnswer ClassicGroup::AnswerFor(const std::string& id) const {
  JoinAnswer answer;
  answer.member_id = id;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol = protocol_;
  answer.leader = leader_;
  if (id != leader_) return answer;
  for (const auto& [other, member] : members_) {
    answer.members.push_back({other, member.instance_id, MetadataOf(member)});
  }
  return answer;
}

}  // namespace garam
