// Sends controller requests to whoever leads group 0, and answers when this broker's own image has
// the result: a client that creates a topic here finds it here.
//
// Threads:   executor 0.
// Ownership: what Options refers to outlives it.
// Errors:    kTimedOut at the deadline, else what the controller answered. While there is no
//            controller it tries again, every few hundredths of a second.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/peers.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "coordinator/controller_messages.h"

namespace garam {

class ControllerClient {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<ControllerReply>) &&>;
  struct Options {
    Executor& executor;
    const Clock& clock;
    NodeId self;
    std::function<NodeId()> controller;
    std::function<LogIndex()> applied;
    // This broker is the controller itself.
    std::function<void(std::string, absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>)>
        handle_here;
  };

  explicit ControllerClient(Options options) : options_(std::move(options)) {}

  void Start(PeerControl& control) { control_ = &control; }
  // Every call still under way ends with kShuttingDown.
  void Stop();

  void Call(const ControllerRequest& request, MonoTime deadline, Done done);
  // The image moved on.
  void OnApplied();

 private:
  struct Pending {
    std::string request;
    MonoTime deadline;
    Done done;
    TimerId timer = kNoTimer;
    bool answered = false;
    LogIndex index;  // Once answered: what the image must have.
    ControllerReply reply;
  };

  void Try(uint64_t id);
  void OnAnswer(uint64_t id, absl::StatusOr<std::string> bytes);
  void Retry(uint64_t id);
  void Finish(uint64_t id, absl::StatusOr<ControllerReply> reply);

  Options options_;
  PeerControl* control_ = nullptr;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Pending> pending_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
