// What the main thread waits for: signals, the broker's readiness, and the end of what can go on.
//
// Threads: Ready and Fatal from any; Wait from the main thread. Block the signals (by constructing
// this) before any other thread is started.
#pragma once

#include <mutex>
#include <string>

#include "absl/status/status.h"

namespace garam {

class ProcessEvents {
 public:
  enum class Event { kStop, kReady, kFatal };

  ProcessEvents();
  ~ProcessEvents();
  ProcessEvents(const ProcessEvents&) = delete;
  ProcessEvents& operator=(const ProcessEvents&) = delete;

  void Ready();
  void Fatal(const absl::Status& reason);

  // SIGTERM and SIGINT are kStop. Fatal comes before anything else that waits.
  Event Wait();
  // Of kFatal: the first one.
  absl::Status reason() const;

 private:
  void Wake();

  int signal_fd_;
  int wake_fd_;
  mutable std::mutex mutex_;
  bool ready_ = false;  // Guarded by mutex_, as is the next.
  absl::Status reason_;
};

}  // namespace garam
