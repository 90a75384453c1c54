#include "tests/sim/consumer_members.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::sim {
namespace {

constexpr Duration kGiveUp = Millis(1000);
constexpr double kGoes = 0.004;
// Longer than a session: who is silent is given up, and nobody for being slow.
constexpr int32_t kRebalanceMs = 60'000;

}  // namespace

ConsumerMembers::ConsumerMembers(World& world, Options options)
    : world_(world),
      options_(std::move(options)),
      members_(static_cast<size_t>(options_.members)) {}

void ConsumerMembers::Start() {
  for (size_t i = 0; i < members_.size(); ++i) {
    BeginAnew(i);
    Keep(i);
  }
}

bool ConsumerMembers::settled() const {
  Held all;
  size_t held = 0;
  for (const Member& member : members_) {
    if (member.epoch <= kJoinEpoch || member.epoch != members_.front().epoch) return false;
    all.insert(member.holds.begin(), member.holds.end());
    held += member.holds.size();
  }
  return held == all.size() && held == static_cast<size_t>(options_.partitions);
}

std::string ConsumerMembers::ToString() const {
  std::string text;
  for (const Member& member : members_) {
    absl::StrAppend(&text, " ", member.id, " in epoch ", member.epoch, " with ",
                    member.holds.size(), " of ", options_.partitions);
  }
  return text;
}

void ConsumerMembers::Keep(size_t number) {
  world_.After(world_.Around(options_.every) + Micros(100), [this, number] {
    Keep(number);
    Next(number);
  });
}

void ConsumerMembers::Next(size_t number) {
  Member& member = members_[number];
  if (!stopped_ && world_.Chance(kGoes)) return BeginAnew(number);
  if (!stopped_ && member.epoch > kJoinEpoch && world_.Chance(kGoes)) return Leave(number);
  if (!member.waits) Heartbeat(number);
}

// Another one in its place: what it had is the coordinator's to find out.
void ConsumerMembers::BeginAnew(size_t number) {
  Member fresh;
  fresh.id = absl::StrCat(options_.group, "-member-", ++lives_);
  fresh.request = members_[number].request + 1;
  members_[number] = std::move(fresh);
}

void ConsumerMembers::Leave(size_t number) {
  ConsumerHeartbeat request;
  request.member_id = members_[number].id;
  request.epoch = kLeaveEpoch;
  BeginAnew(number);
  options_.reach([group = options_.group, request](GroupCoordinator& groups, Term) {
    groups.Heartbeat(group, request, [](const auto&) {});
  });
}

void ConsumerMembers::Heartbeat(size_t number) {
  Member& member = members_[number];
  ConsumerHeartbeat request;
  request.member_id = member.id;
  request.epoch = member.epoch;
  request.client_id = absl::StrCat("client", number);
  request.rebalance_timeout_ms = kRebalanceMs;
  request.topics.emplace({options_.topic});
  request.owned = ToAssignment(member.holds);
  const uint64_t asked = ++member.request;
  member.waits = true;
  world_.After(kGiveUp, [this, number, asked] {
    if (members_[number].request == asked) members_[number].waits = false;
  });
  options_.reach([this, number, asked, request](GroupCoordinator& groups, Term term) {
    groups.Heartbeat(options_.group, request,
                     [this, number, asked, term,
                      at = world_.now()](absl::StatusOr<ConsumerHeartbeatAnswer> result) {
                       // The answer has its way to go, and nobody is called from within the
                       // coordinator.
                       world_.After(Micros(10), [this, number, asked,
                                                 answer = Answer{std::move(result), term, at}] {
                         Take(number, asked, answer);
                       });
                     });
  });
}

void ConsumerMembers::Take(size_t number, uint64_t request, const Answer& answer) {
  Member& member = members_[number];
  if (member.request != request || !member.waits) return;
  member.waits = false;
  if (!answer.result.ok()) {
    const Errc error = ErrcOf(answer.result.status());
    const bool gone = error == Errc::kUnknownMemberId || error == Errc::kFencedMemberEpoch;
    if (gone) {
      member.holds.clear();
      member.epoch = kJoinEpoch;
    }
    return;
  }
  if (answer.result->epoch < member.epoch) {
    world_.Fail(absl::StrCat(options_.group, ": a member of epoch ", member.epoch,
                             " is told epoch ", answer.result->epoch));
  }
  member.epoch = answer.result->epoch;
  member.heard_in = answer.term;
  member.heard_at = answer.at;
  if (answer.result->assignment) TakeAssignment(number, *answer.result->assignment);
}

void ConsumerMembers::TakeAssignment(size_t number, const TopicPartitions& assignment) {
  Held told;
  for (const auto& [topic, partitions] : assignment) {
    for (const int32_t partition : partitions) told.emplace(topic, partition);
  }
  for (const auto& partition : told) {
    if (!members_[number].holds.contains(partition)) CheckFree(number, partition);
  }
  members_[number].holds = std::move(told);
}

// Whoever has it besides has not been heard for a session, as far as one coordinator can know; the
// next one counts a session from its own beginning on.
void ConsumerMembers::CheckFree(size_t number, const std::pair<TopicId, int32_t>& partition) {
  const Member& taker = members_[number];
  for (const Member& other : members_) {
    if (&other == &taker || !other.holds.contains(partition)) continue;
    if (other.heard_at > taker.heard_at) continue;  // The answer was long under way.
    if (other.heard_in != taker.heard_in && options_.pauses) continue;
    const Duration silent = taker.heard_at - other.heard_at;
    // Nodes' clocks may run a little faster than the world's.
    const Duration least = other.heard_in == taker.heard_in ? kSession * 9 / 10 : kSession / 2;
    if (silent >= least) continue;
    world_.Fail(absl::StrCat(options_.group, ": partition ", partition.second, " is given to ",
                             taker.id, " in term ", taker.heard_in.value(), ", and ", other.id,
                             " has it, heard ", std::chrono::duration_cast<Millis>(silent).count(),
                             " ms before in term ", other.heard_in.value()));
  }
}

TopicPartitions ConsumerMembers::ToAssignment(const Held& held) {
  TopicPartitions assignment;
  for (const auto& [topic, partition] : held) assignment[topic].push_back(partition);
  return assignment;
}

}  // namespace garam::sim
