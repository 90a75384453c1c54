// The clients of one consumer group of the simulation: members that join, take their share and
// commit, each again until it is answered; or somebody who commits without being a member. What
// they are told has to be true.
//
// Threads: the world's one. Ownership: what it is given outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/groups/group_coordinator.h"
#include "tests/sim/world.h"

namespace garam::sim {

class GroupClients {
 public:
  // On whichever broker is believed to coordinate the group; `term` is what it leads in, 0 where it
  // does not. Nothing at all when the way there is lost.
  using Work = std::function<void(GroupCoordinator&, Term term)>;
  using Reach = std::function<void(Work work)>;

  struct Options {
    std::string group{};
    int members = 0;  // 0: commits come from somebody who is none.
    Duration every = Millis(50);
    Reach reach{};
  };

  GroupClients(World& world, Options options);

  void Start();
  // Each commits once more, and then only lives on.
  void Stop();
  // Whether all have done so, and are members of one generation.
  bool settled() const;
  const std::string& group() const { return options_.group; }

  // What is wrong with these offsets of the group, as somebody has them who leads in `term`, or has
  // applied all that is committed (kLatest); empty: nothing.
  static constexpr Term kLatest{INT32_MAX};
  std::string WrongIn(const GroupStore::Offsets& offsets, Term term) const;

 private:
  struct Client {
    std::string id{};
    int32_t generation = -1;
    bool synced = false;
    std::map<std::string, Bytes> assignments{};  // What it shares out, where it leads.
    uint64_t request = 0;                        // The one under way, while `waits`.
    bool waits = false;
    bool done = false;  // What it committed last, after Stop, is acknowledged.
    int64_t acked = -1;
    Term acked_in{};
    std::set<int64_t> unsure{};  // Neither acknowledged nor refused for certain.
  };

  void Keep(size_t number);
  void Next(size_t number);
  void Join(size_t number);
  void Sync(size_t number);
  void Heartbeat(size_t number);
  void Commit(size_t number);
  void TakeJoin(Client& client, const JoinAnswer& answer);
  void TakeSync(Client& client, const SyncAnswer& answer);
  static void Follow(Client& client, const absl::Status& status);
  // Sends, and hands the answer to `take` later, unless the client has given it up by then.
  template <class Answer>
  std::function<void(Answer)> Ask(size_t number, std::function<void(Client&, const Answer&)> take);
  static TopicPartition PartitionOf(size_t number);

  World& world_;
  const Options options_;
  std::vector<Client> clients_;
  std::map<int32_t, std::string> shares_;  // By generation: what was shared out in it.
  int64_t last_offset_ = 0;
  uint64_t last_share_ = 0;
  bool stopped_ = false;
};

}  // namespace garam::sim
