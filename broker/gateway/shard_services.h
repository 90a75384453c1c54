// What the connections of one shard share.
//
// Threads:   one shard, but for the budgets (any) and the broker (as it says).
// Ownership: held by the gateway and by every request that is under way.
#pragma once

#include <cstddef>
#include <memory>

#include "broker/broker.h"
#include "broker/fetch_sessions.h"
#include "broker/gateway/request_counts.h"
#include "broker/quota_manager.h"
#include "common/memory_budget.h"
#include "common/random.h"

namespace garam {

// The gateway's shares of the broker's memory (D10).
struct GatewayMemory {
  GatewayMemory(size_t requests_bytes_max, size_t answers_bytes_max)
      : requests(requests_bytes_max), answers(answers_bytes_max) {}

  MemoryBudget requests;  // Full: sockets are not read.
  MemoryBudget answers;   // Full: fetches answer as little as they may.
};

struct ShardServices {
  static constexpr size_t kScratchBytes = 128 * 1024;

  ShardServices(Broker& core, size_t shard_number, std::shared_ptr<GatewayMemory> budgets,
                size_t fetch_session_slots)
      : broker(core),
        quotas(core.quotas()),
        shard(shard_number),
        memory(std::move(budgets)),
        sessions(fetch_session_slots, shard_number, core.shard_count(), random),
        scratch(new char[kScratchBytes]) {}

  Executor& executor() { return broker.executor(shard); }

  Broker& broker;
  QuotaManager& quotas;
  const size_t shard;
  const std::shared_ptr<GatewayMemory> memory;
  SystemRandom random;
  FetchSessions sessions;
  RequestCounts counts;
  const std::unique_ptr<char[]> scratch;  // For one recv at a time.
};

}  // namespace garam
