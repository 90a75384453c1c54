// The answer to one unary call that we serve, given once, from any thread, however it ends: by
// Finish, by the caller hanging up, or by the destruction of whoever was to answer.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "broker/control/status_map.h"
#include "common/status.h"

namespace garam {

template <class Reply>
class UnaryAnswer {
 public:
  // The answer, and the reactor to return to gRPC. `reply` is gRPC's.
  static std::pair<UnaryAnswer, grpc::ServerUnaryReactor*> Make(Reply* reply) {
    auto slot = std::make_shared<Slot>();
    slot->reply = reply;
    slot->reactor = new Reactor(slot);
    return {UnaryAnswer(slot), slot->reactor};
  }

  UnaryAnswer(UnaryAnswer&&) = default;
  UnaryAnswer& operator=(UnaryAnswer&&) = delete;
  ~UnaryAnswer() {
    if (slot_ != nullptr) Finish(MakeError(Errc::kShuttingDown, "the broker is stopping"));
  }

  // `fill(Reply&)` runs only when somebody still waits for it.
  template <class Fill>
  void Finish(const absl::Status& status, Fill fill) {
    const std::shared_ptr<Slot> slot = std::move(slot_);
    if (slot == nullptr || slot->finished.exchange(true)) return;
    if (status.ok()) fill(*slot->reply);
    slot->reactor->Finish(ToGrpcStatus(status));
  }
  void Finish(const absl::Status& status) {
    Finish(status, [](Reply&) {});
  }

 private:
  class Reactor;
  struct Slot {
    std::atomic<bool> finished = false;
    Reply* reply = nullptr;
    Reactor* reactor = nullptr;  // Alive until finished.
  };
  class Reactor final : public grpc::ServerUnaryReactor {
   public:
    explicit Reactor(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}
    void OnCancel() override {
      if (!slot_->finished.exchange(true))
        grpc::ServerUnaryReactor::Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    const std::shared_ptr<Slot> slot_;
  };

  explicit UnaryAnswer(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}

  std::shared_ptr<Slot> slot_;
};

}  // namespace garam
