// Consumer groups (KIP-848) in the coordinator's own terms: what is kept of one, what a member
// asks, and what it is told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/uuid.h"
#include "coordinator/groups/assignor.h"
#include "coordinator/groups/group_types.h"

namespace garam {

// Epochs with which a heartbeat says something else than which epoch its member is in.
inline constexpr int32_t kJoinEpoch = 0;
inline constexpr int32_t kLeaveEpoch = -1;
inline constexpr int32_t kPauseEpoch = -2;  // A static member that means to come back.

// Kafka's numbers, as they are stored. Others may come from a newer broker.
enum class MemberState : int8_t {
  kStable = 0,                // Has what the assignment of its epoch gives it.
  kUnrevokedPartitions = 1,   // Is to give partitions up, and has not said yet that it has.
  kUnreleasedPartitions = 2,  // Waits for partitions that others have not given up.
};

// By topic and partition, the epoch in which the partition came to the member. No topic without
// any.
using HeldPartitions = std::map<TopicId, std::map<int32_t, int32_t>>;

// Of a member that uses the classic protocol, in a group that has members of both.
struct ClassicFacts {
  int32_t session_timeout_ms = 0;
  std::vector<ClassicProtocol> protocols{};  // As the member prefers them; at least one.
  friend bool operator==(const ClassicFacts& a, const ClassicFacts& b) {
    return a.session_timeout_ms == b.session_timeout_ms &&
           std::equal(a.protocols.begin(), a.protocols.end(), b.protocols.begin(),
                      b.protocols.end(), [](const ClassicProtocol& x, const ClassicProtocol& y) {
                        return x.name == y.name && x.metadata.view() == y.metadata.view();
                      });
  }
};

// What a member says of itself.
struct ConsumerFacts {
  std::optional<std::string> instance_id{};
  std::optional<std::string> rack{};
  std::string client_id{};
  std::string client_host{};
  std::vector<std::string> topics{};  // Ascending, each once.
  std::string topic_regex{};          // Empty: none.
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::string> assignor{};
  std::optional<ClassicFacts> classic{};  // Nothing: it uses the consumer protocol.
  friend bool operator==(const ConsumerFacts&, const ConsumerFacts&) = default;
};

struct ConsumerMember {
  ConsumerFacts facts{};
  int32_t epoch = 0;           // kPauseEpoch while a static member is away.
  int32_t previous_epoch = 0;  // A member that missed an answer still comes with this one.
  MemberState state = MemberState::kStable;
  HeldPartitions assigned{};
  HeldPartitions revoking{};  // It has them until it says that it has not.
  friend bool operator==(const ConsumerMember&, const ConsumerMember&) = default;
};

struct ResolvedRegex {
  std::vector<std::string> topics{};  // Ascending.
  int64_t version = 0;                // Of the topics that it was resolved against.
  int64_t timestamp_ms = 0;
};

// What is stored of a group.
struct ConsumerGroupState {
  int32_t epoch = 0;  // One more whenever a new assignment is due.
  int64_t topics_hash = 0;
  int32_t assignment_epoch = 0;  // The group's epoch when `target` was made.
  int64_t assigned_at_ms = 0;    // 0: never.
  std::map<std::string, ConsumerMember> members{};
  GroupAssignment target{};
  std::map<std::string, ResolvedRegex> regexes{};  // By expression.
};

// A ConsumerGroupHeartbeat. Nothing: as it was.
struct ConsumerHeartbeat {
  std::string member_id{};
  int32_t epoch = kJoinEpoch;
  std::optional<std::string> instance_id{};
  std::optional<std::string> rack{};
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> topics{};
  std::optional<std::string> topic_regex{};
  std::optional<std::string> assignor{};
  std::optional<TopicPartitions> owned{};
  std::string client_id{};
  std::string client_host{};
  std::optional<ClassicFacts> classic{};  // It is a JoinGroup, in these words.
};

struct ConsumerHeartbeatAnswer {
  std::string member_id{};
  int32_t epoch = 0;
  int32_t heartbeat_interval_ms = 0;
  std::optional<TopicPartitions> assignment{};  // Nothing: as it was told.
};

// As ConsumerGroupDescribe shows a group.
struct ConsumerGroupDescription {
  struct Topic {
    TopicId id{};
    std::string name{};
    std::vector<int32_t> partitions{};
  };
  struct Member {
    std::string id{};
    ConsumerFacts facts{};
    int32_t epoch = 0;
    std::vector<Topic> assigned{};
    std::vector<Topic> target{};
  };
  std::string state{};
  int32_t epoch = 0;
  int32_t assignment_epoch = 0;
  std::string assignor{};
  std::vector<Member> members{};
};

}  // namespace garam
