// The members of one group of the consumer protocol (KIP-848) of the simulation: each says what it
// has, and takes what it is told; sometimes one is gone without a word, or leaves. No partition may
// be given to one while another one has it that the coordinator counts on.
//
// Threads: the world's one. Ownership: what it is given outlives it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/groups/group_coordinator.h"
#include "tests/sim/group_clients.h"
#include "tests/sim/world.h"

namespace garam::sim {

class ConsumerMembers {
 public:
  using Work = GroupClients::Work;
  using Reach = GroupClients::Reach;

  // What brokers are to have for groups of the consumer protocol.
  static constexpr Duration kSession = Millis(2000);

  struct Options {
    std::string group{};
    std::string topic{};
    int partitions = 0;  // The topic's.
    int members = 0;
    Duration every = Millis(50);
    // Whether processes may stop and go on: they may answer as coordinators that they are no more.
    bool pauses = false;
    Reach reach{};
  };

  ConsumerMembers(World& world, Options options);

  void Start();
  // From here on nobody goes any more.
  void Stop() { stopped_ = true; }
  // Whether all are in one epoch, and have all partitions between them.
  bool settled() const;
  std::string ToString() const;

 private:
  using Held = std::set<std::pair<TopicId, int32_t>>;

  struct Member {
    std::string id{};
    int32_t epoch = kJoinEpoch;
    Held holds{};
    uint64_t request = 0;  // The one under way, while `waits`.
    bool waits = false;
    Term heard_in{};      // The coordinator that it was heard by last,
    MonoTime heard_at{};  // and when.
  };
  struct Answer {
    absl::StatusOr<ConsumerHeartbeatAnswer> result;
    Term term;
    MonoTime at;  // When the coordinator heard the question.
  };

  void Keep(size_t number);
  void Next(size_t number);
  void BeginAnew(size_t number);
  void Leave(size_t number);
  void Heartbeat(size_t number);
  void Take(size_t number, uint64_t request, const Answer& answer);
  void TakeAssignment(size_t number, const TopicPartitions& assignment);
  void CheckFree(size_t number, const std::pair<TopicId, int32_t>& partition);
  static TopicPartitions ToAssignment(const Held& held);

  World& world_;
  const Options options_;
  std::vector<Member> members_;
  uint64_t lives_ = 0;
  bool stopped_ = false;
};

}  // namespace garam::sim
