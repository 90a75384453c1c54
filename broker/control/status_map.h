// Errors at the control door: our Errc and gRPC's status, both ways. The Errc itself rides by name
// in the status's details, so that it arrives as what it was.
//
// Threads: any.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace garam {

grpc::Status ToGrpcStatus(const absl::Status& status);

// kTimedOut and kShuttingDown are known from gRPC's own codes too; other failures of the transport
// carry no Errc (kUnknown).
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace garam
