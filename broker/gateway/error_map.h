// Our errors as Kafka's protocol names them.
#pragma once

#include "absl/status/status.h"
#include "common/status.h"
#include "proto/kafka/error_code.h"

namespace garam {

kafka::ErrorCode ToErrorCode(Errc errc);
// kNone for an ok status.
kafka::ErrorCode ToErrorCode(const absl::Status& status);

}  // namespace garam
