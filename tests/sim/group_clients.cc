#include "tests/sim/group_clients.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::sim {
namespace {

// As the clients of one node would have them, in a world of twenty seconds.
constexpr Duration kSession = Millis(2000);
constexpr Duration kRebalance = Millis(2000);
constexpr Duration kGiveUp = Millis(4000);
constexpr double kForgetsEverything = 0.004;

// The member is none of this generation: nothing was kept, and it joins again.
bool SendsBack(const absl::Status& status) {
  if (status.ok()) return false;
  const Errc error = ErrcOf(status);
  return error == Errc::kUnknownMemberId || error == Errc::kIllegalGeneration ||
         error == Errc::kRebalanceInProgress;
}

}  // namespace

GroupClients::GroupClients(World& world, Options options)
    : world_(world),
      options_(std::move(options)),
      clients_(static_cast<size_t>(std::max(options_.members, 1))) {}

void GroupClients::Start() {
  for (size_t i = 0; i < clients_.size(); ++i) Keep(i);
}

void GroupClients::Stop() { stopped_ = true; }

bool GroupClients::settled() const {
  for (const Client& client : clients_) {
    if (!client.done) return false;
    if (options_.members == 0) continue;
    if (!client.synced || client.generation != clients_.front().generation) return false;
  }
  return true;
}

std::string GroupClients::WrongIn(const GroupStore::Offsets& offsets, Term term) const {
  for (size_t i = 0; i < clients_.size(); ++i) {
    const Client& client = clients_[i];
    const auto found = offsets.find(PartitionOf(i));
    const int64_t offset = found == offsets.end() ? -1 : found->second.offset.value();
    if (offset == client.acked || client.unsure.contains(offset)) continue;
    // Who led before cannot know what the next one has acknowledged.
    if (term < client.acked_in) continue;
    return absl::StrCat(options_.group, " has committed ", client.acked, " of partition ", i,
                        " in term ", client.acked_in.value(), ", and ", offset, " is kept");
  }
  return "";
}

TopicPartition GroupClients::PartitionOf(size_t number) {
  return {"t0", static_cast<int32_t>(number)};
}

void GroupClients::Keep(size_t number) {
  world_.After(world_.Around(options_.every) + Micros(100), [this, number] {
    Keep(number);
    Next(number);
  });
}

void GroupClients::Next(size_t number) {
  Client& client = clients_[number];
  if (client.waits) return;
  if (options_.members == 0) return client.done ? void() : Commit(number);
  if (!stopped_ && world_.Chance(kForgetsEverything)) {
    client.id.clear();
    client.generation = -1;
  }
  if (client.generation < 0) return Join(number);
  if (!client.synced) return Sync(number);
  if (client.done || world_.Chance(0.5)) return Heartbeat(number);
  Commit(number);
}

template <class Answer>
std::function<void(Answer)> GroupClients::Ask(size_t number,
                                              std::function<void(Client&, const Answer&)> take) {
  Client& client = clients_[number];
  const uint64_t request = ++client.request;
  client.waits = true;
  const auto mine = [this, number, request]() -> Client* {
    Client& waiting = clients_[number];
    if (!waiting.waits || waiting.request != request) return nullptr;
    waiting.waits = false;
    return &waiting;
  };
  world_.After(kGiveUp, [mine] { (void)mine(); });
  // The answer has its way to go, and nobody is called from within the coordinator.
  return [this, mine, take = std::move(take)](Answer answer) {
    world_.After(Micros(10), [mine, take, answer = std::move(answer)] {
      if (Client* waiting = mine()) take(*waiting, answer);
    });
  };
}

void GroupClients::Join(size_t number) {
  Client& client = clients_[number];
  client.synced = false;
  JoinRequest join;
  join.member.id = client.id;
  join.client_id = absl::StrCat("client", number);
  join.session_timeout = kSession;
  join.rebalance_timeout = kRebalance;
  join.protocol_type = "consumer";
  join.protocols.push_back({"range", {}});
  join.needs_known_id = true;
  auto done = Ask<JoinAnswer>(
      number, [this](Client& joined, const JoinAnswer& answer) { TakeJoin(joined, answer); });
  options_.reach([group = options_.group, join, done](GroupCoordinator& groups, Term) {
    groups.Join(group, join, done);
  });
}

void GroupClients::TakeJoin(Client& client, const JoinAnswer& answer) {
  if (ErrcOf(answer.status) == Errc::kMemberIdRequired) {
    client.id = answer.member_id;
    return;
  }
  if (!answer.status.ok()) return Follow(client, answer.status);
  client.id = answer.member_id;
  client.generation = answer.generation;
  client.assignments.clear();
  if (answer.leader != client.id) return;
  const std::string share = absl::StrCat(++last_share_);
  for (const JoinedMember& member : answer.members) {
    client.assignments.emplace(member.id, Bytes::Copy(share));
  }
}

void GroupClients::Sync(size_t number) {
  const Client& client = clients_[number];
  SyncRequest sync;
  sync.member.id = client.id;
  sync.generation = client.generation;
  sync.assignments = client.assignments;
  auto done = Ask<SyncAnswer>(
      number, [this](Client& synced, const SyncAnswer& answer) { TakeSync(synced, answer); });
  options_.reach([group = options_.group, sync, done](GroupCoordinator& groups, Term) {
    groups.Sync(group, sync, done);
  });
}

// Whoever is told of a generation is told of the same one.
void GroupClients::TakeSync(Client& client, const SyncAnswer& answer) {
  if (!answer.status.ok()) return Follow(client, answer.status);
  client.synced = true;
  const std::string share(answer.assignment.view());
  const std::string& first = shares_.emplace(client.generation, share).first->second;
  if (share == first) return;
  world_.Fail(absl::StrCat(options_.group, ": generation ", client.generation,
                           " was shared out twice, as ", first, " and as ", share));
}

void GroupClients::Heartbeat(size_t number) {
  const Client& client = clients_[number];
  auto done = Ask<absl::Status>(
      number, [](Client& heard, const absl::Status& status) { Follow(heard, status); });
  options_.reach([group = options_.group, id = client.id, generation = client.generation, done](
                     GroupCoordinator& groups, Term) {
    done(groups.Heartbeat(group, {id, std::nullopt}, generation));
  });
}

void GroupClients::Commit(size_t number) {
  Client& client = clients_[number];
  const int64_t offset = ++last_offset_;
  client.unsure.insert(offset);
  GroupCoordinator::OffsetCommit commit;
  commit.member.id = client.id;
  commit.generation = client.generation;
  CommittedOffset committed;
  committed.offset = Offset(offset);
  commit.offsets.emplace_back(PartitionOf(number), committed);
  struct Answer {
    absl::Status status;
    Term term;
  };
  auto done =
      Ask<Answer>(number, [this, offset, last = stopped_](Client& heard, const Answer& answer) {
        if (answer.status.ok()) {
          heard.acked = offset;
          heard.acked_in = answer.term;
          heard.done = last;
        }
        // Anything else may still be in the log some day.
        if (answer.status.ok() || SendsBack(answer.status)) heard.unsure.erase(offset);
        Follow(heard, answer.status);
      });
  options_.reach([group = options_.group, commit, done](GroupCoordinator& groups, Term term) {
    groups.CommitOffsets(group, commit, [done, term](absl::Status status) {
      done({std::move(status), term});
    });
  });
}

void GroupClients::Follow(Client& client, const absl::Status& status) {
  if (!SendsBack(status)) return;
  if (ErrcOf(status) == Errc::kUnknownMemberId) client.id.clear();
  client.generation = -1;
  client.synced = false;
}

}  // namespace garam::sim
