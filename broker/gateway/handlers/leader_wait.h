// Answers that wait for leaders. A client that is told "no leader" waits for long before it asks
// again, so who creates a topic is answered when its leaders stand.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "broker/gateway/request.h"
#include "common/executor.h"

namespace garam {

// Runs `then` on the request's shard once `holds()`, looking every few milliseconds: at once when
// it does already, at `deadline` at the latest, and when the request is finished meanwhile.
void WhenHolds(RequestPtr request, MonoTime deadline, absl::AnyInvocable<bool()> holds, Task then);

// The same, once every partition of `topics` has a leader, as far as this
// broker's image knows the topics; at the latest after half a second.
void WhenLeadersStand(RequestPtr request, std::vector<std::string> topics, Task then);

}  // namespace garam
