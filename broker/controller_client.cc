#include "broker/controller_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status.h"

namespace garam {
namespace {

constexpr Duration kRetryAfter = Millis(30);

LogIndex IndexOf(const ControllerReply& reply) {
  return std::visit([](const auto& one) { return one.index; }, reply);
}

}  // namespace

void ControllerClient::Stop() {
  alive_.reset();
  for (auto& [id, pending] : std::exchange(pending_, {})) {
    options_.executor.Cancel(pending.timer);
    std::move(pending.done)(MakeError(Errc::kShuttingDown, "the broker is stopping"));
  }
}

void ControllerClient::Call(const ControllerRequest& request, MonoTime deadline, Done done) {
  if (alive_ == nullptr) {
    std::move(done)(MakeError(Errc::kShuttingDown, "the broker is stopping"));
    return;
  }
  uint64_t id = ++last_id_;
  Pending& pending = pending_[id];
  pending.request = EncodeControllerRequest(request);
  pending.deadline = deadline;
  pending.done = std::move(done);
  Try(id);
}

void ControllerClient::Try(uint64_t id) {
  Pending& pending = pending_.at(id);
  MonoTime now = options_.clock.Mono();
  if (now >= pending.deadline) {
    Finish(id, MakeError(Errc::kTimedOut, "the controller did not answer in time"));
    return;
  }
  NodeId controller = options_.controller();
  auto answer = [this, weak = std::weak_ptr<bool>(alive_), id](absl::StatusOr<std::string> bytes) {
    if (!weak.expired()) OnAnswer(id, std::move(bytes));
  };
  if (controller == options_.self) {
    options_.handle_here(pending.request, std::move(answer));
  } else if (controller == kNoNode) {
    Retry(id);
  } else {
    control_->CallController(controller, pending.request, pending.deadline - now,
                             std::move(answer));
  }
}

void ControllerClient::Retry(uint64_t id) {
  Pending& pending = pending_.at(id);
  MonoTime at = std::min(options_.clock.Mono() + kRetryAfter, pending.deadline);
  pending.timer = options_.executor.PostAt(at, [this, weak = std::weak_ptr<bool>(alive_), id] {
    if (!weak.expired() && pending_.contains(id)) Try(id);
  });
}

void ControllerClient::OnAnswer(uint64_t id, absl::StatusOr<std::string> bytes) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  absl::StatusOr<ControllerReply> reply =
      bytes.ok() ? DecodeControllerReply(*bytes) : absl::StatusOr<ControllerReply>(bytes.status());
  if (!reply.ok()) {
    // A broker that no longer leads, or is gone, says nothing about the request.
    bool moved = !bytes.ok() || ErrcOf(reply.status()) == Errc::kNoController;
    if (moved) {
      Retry(id);
    } else {
      Finish(id, reply.status());
    }
    return;
  }
  Pending& pending = found->second;
  pending.answered = true;
  pending.index = IndexOf(*reply);
  pending.reply = *std::move(reply);
  if (options_.applied() >= pending.index) {
    Finish(id, std::move(pending.reply));
    return;
  }
  pending.timer =
      options_.executor.PostAt(pending.deadline, [this, weak = std::weak_ptr<bool>(alive_), id] {
        if (weak.expired() || !pending_.contains(id)) return;
        Finish(id, MakeError(Errc::kTimedOut, "this broker's metadata is behind the controller's"));
      });
}

void ControllerClient::OnApplied() {
  LogIndex applied = options_.applied();
  std::vector<uint64_t> ready;
  for (const auto& [id, pending] : pending_) {
    if (pending.answered && pending.index <= applied) ready.push_back(id);
  }
  for (uint64_t id : ready) Finish(id, std::move(pending_.at(id).reply));
}

void ControllerClient::Finish(uint64_t id, absl::StatusOr<ControllerReply> reply) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  options_.executor.Cancel(pending.timer);
  std::move(pending.done)(std::move(reply));
}

}  // namespace garam
