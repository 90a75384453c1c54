// What goes into and comes out of the coordinator of groups, in its own terms.
//
// Errors are Errc in Status, as the doors tell them to clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/uuid.h"

namespace garam {

// Both clocks at once: time-outs go by the first, what is stored by the second.
struct Moment {
  MonoTime mono;
  int64_t wall_ms = 0;
};

// Of groups of the consumer protocol (KIP-848): there the broker decides, not the client.
struct ConsumerTimes {
  Duration session_timeout = Millis(45'000);
  Duration heartbeat_interval = Millis(5000);   // What members are told.
  Duration assignment_interval = Millis(1000);  // At least, between two assignments of a group.
};

// The times are those of groups that have none of their own.
struct ConsumerGroupLimits : ConsumerTimes {
  size_t group_size_max = SIZE_MAX;  // Members.
  // That members may ask for, "uniform" and "range" at most; the first is taken where none asks.
  std::vector<std::string> assignors{"uniform", "range"};
  // Whether a group with members may come to have members of both protocols, and go on as one of
  // the other protocol: group.consumer.migration.policy.
  bool upgrades = true;    // From the classic protocol.
  bool downgrades = true;  // To it.
};

// What a client may make the coordinator keep, and for how long.
struct GroupLimits {
  Duration session_timeout_min = Millis(6000);
  Duration session_timeout_max = Millis(1800000);
  Duration initial_rebalance_delay = Millis(3000);
  size_t group_size_max = SIZE_MAX;  // Members.
  size_t groups_max = SIZE_MAX;      // Of one partition of __consumer_offsets, empty ones included.
  size_t offset_metadata_bytes_max = 4096;
  Duration offsets_retention = std::chrono::hours(24 * 7);
  ConsumerGroupLimits consumers{};
};

// A partition, as offsets name it.
using TopicPartition = std::pair<std::string, int32_t>;

struct CommittedOffset {
  Offset offset{-1};
  int32_t leader_epoch = -1;
  std::string metadata{};
  int64_t commit_timestamp_ms = 0;
  int64_t expire_timestamp_ms = -1;  // -1: the broker's retention decides.
  TopicId topic_id{};                // Zero where the client named none.
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

struct ClassicProtocol {
  std::string name{};
  Bytes metadata{};
};

// Who a request says that it comes from.
struct MemberName {
  std::string id{};
  std::optional<std::string> instance_id{};  // Of a static member (KIP-345).
};

struct JoinRequest {
  MemberName member{};
  std::string fresh_member_id{};  // Taken when the member has none.
  std::string client_id{};
  std::string client_host{};
  Duration session_timeout = Duration(0);
  Duration rebalance_timeout = Duration(0);
  std::string protocol_type{};
  std::vector<ClassicProtocol> protocols{};  // As the member prefers them.
  bool needs_known_id = false;               // KIP-394: a new member first learns its id.
  bool may_skip_assignment = false;          // KIP-814.
};

struct JoinedMember {
  std::string id{};
  std::optional<std::string> instance_id{};
  Bytes metadata{};
};

struct JoinAnswer {
  absl::Status status{};
  std::string member_id{};
  int32_t generation = -1;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol{};
  std::string leader{};
  bool skip_assignment = false;
  std::vector<JoinedMember> members{};  // For the leader.
};
using JoinDone = absl::AnyInvocable<void(JoinAnswer) &&>;

struct SyncRequest {
  MemberName member{};
  int32_t generation = -1;
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol{};
  std::map<std::string, Bytes> assignments{};  // By member; from the leader.
};

struct SyncAnswer {
  absl::Status status{};
  std::optional<std::string> protocol_type{};
  std::optional<std::string> protocol{};
  Bytes assignment{};
};
using SyncDone = absl::AnyInvocable<void(SyncAnswer) &&>;

// As DescribeGroups shows a group.
struct GroupDescription {
  struct Member {
    std::string id{};
    std::optional<std::string> instance_id{};
    std::string client_id{};
    std::string client_host{};
    Bytes metadata{};
    Bytes assignment{};
  };
  std::string state{};
  std::string protocol_type{};
  std::string protocol{};
  std::vector<Member> members{};
};

struct GroupListing {
  std::string group{};
  std::string protocol_type{};
  std::string state{};
  std::string type{};  // "classic" or "consumer".
};

}  // namespace garam
