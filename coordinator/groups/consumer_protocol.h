// What members of the protocol type "consumer" tell each other: their subscriptions, which go into
// their metadata, and what the leader assigns. The coordinator has to know of it for groups that
// change their protocol, and for what topics a group reads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"

namespace garam {

inline constexpr std::string_view kConsumerProtocolType = "consumer";

// The topics that the subscription names; nothing of what is no subscription.
std::vector<std::string> SubscribedTopics(const Bytes& metadata);

using PartitionsByName = std::map<std::string, std::vector<int32_t>>;

struct Subscription {
  int16_t version = 0;
  std::vector<std::string> topics{};
  PartitionsByName owned{};  // What it has kept; eager members keep nothing.
  std::optional<std::string> rack{};
};

// Nothing when it is none.
std::optional<Subscription> ParseSubscription(const Bytes& metadata);
// Nothing when it is none, or has user data: those are between clients and an assignor of theirs.
// No bytes at all are an assignment of nothing.
std::optional<PartitionsByName> ParseAssignment(const Bytes& assignment);
// `version` as of the member's subscription.
Bytes EncodeAssignment(int16_t version, const PartitionsByName& partitions);

}  // namespace garam
