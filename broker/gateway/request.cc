#include "broker/gateway/request.h"

#include <utility>

namespace garam {

void Request::Finish(std::vector<Bytes> frame) {
  if (finished_) return;
  finished_ = true;
  cancel_ = nullptr;
  frame_ = std::move(frame);
  // What the request brought is let go now; a partition that keeps a batch accounts for it itself.
  charge_ = MemoryBudget::Charge();
  if (const std::shared_ptr<AnswerSink> sink = sink_.lock()) sink->OnFinished(*this);
}

void Request::CloseConnection(absl::string_view reason) {
  if (finished_) return;
  finished_ = true;
  cancel_ = nullptr;
  if (const std::shared_ptr<AnswerSink> sink = sink_.lock())
    sink->CloseBecause({reason.data(), reason.size()});
}

void Request::Cancel() {
  if (std::exchange(finished_, true)) return;
  if (std::function<void()> cancel = std::exchange(cancel_, nullptr)) cancel();
}

}  // namespace garam
