// The moment between a topic's creation and its leaders: a client that is told "no leader" waits
// for long before it asks again, so who creates a topic is answered when its leaders stand.
#pragma once

#include <string>
#include <vector>

#include "broker/gateway/request.h"
#include "common/executor.h"

namespace garam {

// Runs `then` on the request's shard once every partition of `topics` has a leader, as far as this
// broker's image knows the topics; at the latest after half a second. At once when all do already.
void WhenLeadersStand(RequestPtr request, std::vector<std::string> topics, Task then);

}  // namespace garam
