// When a gRPC call is to give up, by the monotonic clock: a step of the wall clock neither ends
// calls nor keeps them.
#pragma once

#include <grpc/support/time.h>

#include <chrono>

#include "common/clock.h"

namespace garam {

inline gpr_timespec GrpcDeadline(Duration timeout) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
}

}  // namespace garam
