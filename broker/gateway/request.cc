#include "broker/gateway/request.h"

#include <utility>

namespace garam {

Duration Request::Charge(QuotaKind kind, size_t bytes) {
  return services_->quotas.Record(kind, quota_client(), static_cast<double>(bytes),
                                  broker().clock().Mono());
}

void Request::StartClock() { clock_started_ = broker().clock().Mono(); }

void Request::StopClock() {
  if (!clock_started_.has_value()) return;
  time_used_ += broker().clock().Mono() - *std::exchange(clock_started_, std::nullopt);
}

void Request::ChargeTime() {
  StopClock();
  constexpr double kPercent = 100;
  const double seconds = std::chrono::duration<double>(std::exchange(time_used_, {})).count();
  Throttle(services_->quotas.Record(QuotaKind::kRequest, quota_client(), kPercent * seconds,
                                    broker().clock().Mono()));
}

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
