// The values that name addresses: listeners, voters, host:port.
//
// Threads: any. Errors: kInvalidConfig with the entry that is wrong, without the key.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker_config.h"

namespace garam {

// "host:port", "[v6]:port" or ":port".
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// "NAME://host:port" items; names in upper case, each once, each address once.
absl::StatusOr<std::vector<Listener>> ParseListeners(const std::vector<std::string>& items);

// "NAME:PROTOCOL" items.
absl::StatusOr<std::map<std::string, std::string>> ParseProtocolMap(
    const std::vector<std::string>& items);

// "id@host:port" items, by id, each id and each address once.
absl::StatusOr<std::vector<VoterAddress>> ParseVoters(const std::vector<std::string>& items);

}  // namespace garam
