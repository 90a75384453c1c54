#include "bench/poller.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace garam::bench {

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Poller::Poller() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {}

Poller::~Poller() { close(epoll_fd_); }

void Poller::Add(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{.events = events, .data = {.ptr = handler}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
}

void Poller::Modify(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{.events = events, .data = {.ptr = handler}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
}

void Poller::Remove(int fd) { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

void Poller::Retire(std::unique_ptr<EventHandler> handler) {
  retired_.push_back(std::move(handler));
}

void Poller::RunOnce(int64_t deadline_ns) {
  retired_.clear();
  std::array<epoll_event, 64> events;
  const int64_t wait_ns = std::max<int64_t>(0, deadline_ns - NowNs());
  const timespec wait{.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
  const int ready = epoll_pwait2(epoll_fd_, events.data(), events.size(), &wait, nullptr);
  for (int i = 0; i < ready; ++i) {
    static_cast<EventHandler*>(events[i].data.ptr)->OnEvents(events[i].events);
  }
}

}  // namespace garam::bench
