// One epoll instance and its handlers: the load generator's single thread turns on it.
//
// Threads:   one.
// Ownership: handlers are borrowed; Retire() takes those that end while their events are handled.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace garam::bench {

// Nanoseconds of the monotonic clock.
int64_t NowNs();

class EventHandler {
 public:
  virtual ~EventHandler() = default;
  // `events` as epoll gives them.
  virtual void OnEvents(uint32_t events) = 0;
};

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void Add(int fd, uint32_t events, EventHandler* handler);
  void Modify(int fd, uint32_t events, EventHandler* handler);
  void Remove(int fd);

  // Keeps `handler` alive until the events of this turn are all dealt out.
  void Retire(std::unique_ptr<EventHandler> handler);

  // Handles what is ready; waits for it at most until `deadline_ns`.
  void RunOnce(int64_t deadline_ns);

 private:
  int epoll_fd_;
  std::vector<std::unique_ptr<EventHandler>> retired_;
};

}  // namespace garam::bench
