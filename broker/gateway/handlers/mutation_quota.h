// How many partitions a client may make and remove a second (controller_mutation_rate, KIP-599),
// for the handlers of the requests that do so. What is too much is refused to clients that know the
// error, which ask again later; older ones get it, and are left alone for a while.
//
// Threads:   the request's shard.
// Ownership: lives no longer than the handler's call; the request outlives it.
#pragma once

#include <cstdint>
#include <string>

#include "broker/gateway/request.h"
#include "broker/quota_manager.h"
#include "proto/kafka/error_code.h"

namespace garam {

class MutationQuota {
 public:
  // `strict_from`: the first version of the API whose clients know the error.
  MutationQuota(Request& request, int16_t strict_from)
      : request_(request), strict_(request.version() >= strict_from) {}

  // Counts one change of the request; false: it is to be refused, and is not counted.
  bool Take(int64_t partitions) {
    const Duration wait =
        request_.services().quotas.Mutate(request_.quota_client(), static_cast<double>(partitions),
                                          strict_, request_.broker().clock().Mono());
    request_.Throttle(wait);
    return !strict_ || wait == Duration::zero();
  }

  template <class Result>
  static void Refuse(Result& result) {
    result.error_code = kafka::ErrorCode::kThrottlingQuotaExceeded;
    result.error_message = std::string("The throttling quota has been exceeded.");
  }

 private:
  Request& request_;
  const bool strict_;
};

}  // namespace garam
