#include "broker/initial_state.h"

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace garam {

absl::StatusOr<raft::InitialState> StateOfLog(const storage::Log& log) {
  raft::InitialState state;
  // Where compaction has come by, entries are gone: to Raft they are behind a snapshot.
  state.first_index = log.whole_from();
  state.last_index = log.last_index();
  state.terms = log.terms();
  state.terms.DropBefore(state.first_index);
  for (const ConfigurationRow& row : log.configurations()) {
    ASSIGN_OR_RETURN(raft::Configuration configuration, raft::Configuration::Decode(row.payload));
    state.configurations.push_back({row.index, std::move(configuration)});
  }
  return state;
}

absl::StatusOr<raft::InitialState> InitialStateOf(const storage::Log& log,
                                                  const HardState& hard_state,
                                                  raft::Configuration founders, LogIndex commit) {
  ASSIGN_OR_RETURN(raft::InitialState state, StateOfLog(log));
  state.hard_state = hard_state;
  state.commit = std::clamp(commit, log.whole_from() - 1, log.last_index());
  state.configurations.insert(state.configurations.begin(), {LogIndex(0), std::move(founders)});
  return state;
}

}  // namespace garam
