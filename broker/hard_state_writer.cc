#include "broker/hard_state_writer.h"

#include <iterator>
#include <string>

#include "common/logging.h"
#include "storage/file_system.h"

namespace garam {
namespace {

template <class T>
void MoveToEnd(std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

HardStateWriter::HardStateWriter(Executor& home, BlockingPool& pool, const Clock& clock,
                                 Store store, std::function<void(absl::Status)> on_failed)
    : home_(home),
      pool_(pool),
      clock_(clock),
      store_(std::move(store)),
      on_failed_(std::move(on_failed)) {}

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
    home_.Post([this, status, written = std::move(batch)]() mutable {
      Finish(status, std::move(written));
    });
  });
}

void HardStateWriter::Finish(absl::Status status, Waiting written) {
  if (storage::IsDiskFull(status)) {
    if (!std::exchange(disk_full_, true))
      LogError("terms and votes wait for space: {}", std::string(status.message()));
    return WaitForSpace(std::move(written));
  }
  busy_ = false;
  if (!status.ok()) {
    failed_ = true;
    on_failed_(std::move(status));
    return;
  }
  if (std::exchange(disk_full_, false)) LogInfo("terms and votes have been stored again");
  if (!waiting_.completions.empty()) Submit();
  for (Task& completion : written.completions) std::move(completion)();
}

// Together with what has come meanwhile, which is later.
void HardStateWriter::WaitForSpace(Waiting refused) {
  MoveToEnd(waiting_.records.states, refused.records.states);
  MoveToEnd(waiting_.records.unflushed, refused.records.unflushed);
  MoveToEnd(waiting_.completions, refused.completions);
  waiting_ = std::move(refused);
  home_.PostAt(clock_.Mono() + storage::kDiskFullRetry, [this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired()) Submit();
  });
}

}  // namespace garam
