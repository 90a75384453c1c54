// What members of the protocol type "consumer" put into their metadata (KIP-54's subscription):
// the coordinator looks at nothing of it but the topics.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"

namespace garam {

inline constexpr std::string_view kConsumerProtocolType = "consumer";

// The topics that the subscription names; nothing of what is no subscription.
std::vector<std::string> SubscribedTopics(const Bytes& metadata);

}  // namespace garam
