// The table of the APIs that this broker handles: adding one is adding its handler and its row.
#pragma once

#include <cstdint>
#include <span>

#include "broker/gateway/request.h"
#include "proto/kafka/api_key.h"

namespace garam {

using Handler = void (*)(RequestPtr request);

struct ApiRow {
  kafka::ApiKey key;
  Handler handler;
  // The connection's next request starts as soon as the handler has returned, not when the answer
  // is known: the order of what it does is fixed by then.
  bool overlaps = false;
};

// In the order of their keys; what ApiVersions shows.
std::span<const ApiRow> HandledApis();

// Null for what is not handled.
const ApiRow* FindHandled(int16_t key);

}  // namespace garam
