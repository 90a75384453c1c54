#include "broker/app/process_events.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace garam {

ProcessEvents::ProcessEvents() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal_fd_ = signalfd(-1, &stops, SFD_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
}

ProcessEvents::~ProcessEvents() {
  close(signal_fd_);
  close(wake_fd_);
}

void ProcessEvents::Ready() {
  {
    std::lock_guard lock(mutex_);
    ready_ = true;
  }
  Wake();
}

void ProcessEvents::Fatal(const absl::Status& reason) {
  {
    std::lock_guard lock(mutex_);
    if (reason_.ok()) reason_ = reason;
  }
  Wake();
}

void ProcessEvents::Wake() {
  uint64_t one = 1;
  // An eventfd takes 2^64 - 2 wakes before it refuses one.
  [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof(one));
}

ProcessEvents::Event ProcessEvents::Wait() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (!reason_.ok()) return Event::kFatal;
      if (std::exchange(ready_, false)) return Event::kReady;
    }
    pollfd fds[] = {{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if ((fds[1].revents & POLLIN) != 0) {
      uint64_t count;
      [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof(count));
      continue;
    }
    if ((fds[0].revents & POLLIN) != 0) {
      signalfd_siginfo info;
      [[maybe_unused]] ssize_t got = read(signal_fd_, &info, sizeof(info));
      return Event::kStop;
    }
  }
}

absl::Status ProcessEvents::reason() const {
  std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace garam
