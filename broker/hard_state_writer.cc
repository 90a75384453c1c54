#include "broker/hard_state_writer.h"

namespace garam {

HardStateWriter::HardStateWriter(Executor& home, BlockingPool& pool, Store store,
                                 std::function<void(absl::Status)> on_failed)
    : home_(home), pool_(pool), store_(std::move(store)), on_failed_(std::move(on_failed)) {}

void HardStateWriter::Save(GroupId group, HardState state, Task durable) {
  if (failed_) return;
  waiting_.records.states.emplace_back(group, state);
  Schedule(std::move(durable));
}

void HardStateWriter::SaveUnflushed(GroupId group, Task durable) {
  if (failed_) return;
  waiting_.records.unflushed.push_back(group);
  Schedule(std::move(durable));
}

void HardStateWriter::Schedule(Task durable) {
  waiting_.completions.push_back(std::move(durable));
  if (busy_ || scheduled_) return;
  // At the end of the turn, so that the other groups of this turn come along.
  scheduled_ = true;
  home_.Post([this] {
    scheduled_ = false;
    if (!busy_ && !waiting_.completions.empty()) Submit();
  });
}

void HardStateWriter::Submit() {
  busy_ = true;
  pool_.Submit([this, batch = std::exchange(waiting_, Waiting())]() mutable {
    absl::Status status = store_(batch.records);
    home_.Post([this, status, completions = std::move(batch.completions)]() mutable {
      Finish(status, std::move(completions));
    });
  });
}

void HardStateWriter::Finish(absl::Status status, std::vector<Task> completions) {
  busy_ = false;
  if (!status.ok()) {
    failed_ = true;
    on_failed_(std::move(status));
    return;
  }
  if (!waiting_.completions.empty()) Submit();
  for (Task& completion : completions) std::move(completion)();
}

}  // namespace garam
