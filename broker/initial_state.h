// What a Raft core is told of the log that its replica has.
//
// Threads: those of the log. Errors: a configuration of a newer format.
#pragma once

#include "absl/status/statusor.h"
#include "common/hard_state.h"
#include "common/ids.h"
#include "raft/configuration.h"
#include "raft/types.h"
#include "storage/log.h"

namespace garam {

// Its ends, terms and configurations; for Core::Install.
absl::StatusOr<raft::InitialState> StateOfLog(const storage::Log& log);

// What a replica starts with, given its recovered log. `founders` is the configuration that it was
// made with, empty for one that a leader is to tell.
absl::StatusOr<raft::InitialState> InitialStateOf(const storage::Log& log,
                                                  const HardState& hard_state,
                                                  raft::Configuration founders, LogIndex commit);

}  // namespace garam
