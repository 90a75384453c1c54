// One TCP connection to a broker: frames out, answers in, in order.
//
// Threads:   the poller's.
// Ownership: owns its socket; the poller and the listener must outlive it. A listener that drops a
//            connection from within a call of it hands it to Poller::Retire.
// Errors:    never from Send: a broken connection says so once through OnClosed, from the poller.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "bench/poller.h"
#include "bench/requests.h"
#include "common/status.h"

namespace garam::bench {

class Connection final : public EventHandler {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // `cookie` is the one given to the send that `body` answers; `body` is gone after the call.
    virtual void OnAnswer(Connection& connection, int64_t cookie, std::string_view body) = 0;
    // The last call.
    virtual void OnClosed(Connection& connection) = 0;
  };

  // Connects at once: brokers are on the loopback interface, where that takes microseconds.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(Poller& poller, const Endpoint& endpoint,
                                                          Listener* listener);
  ~Connection() override;

  // Sends `frame` (see requests.h). SendShared borrows it until it has left: the caller keeps it
  // alive and unchanged as long as the connection lives.
  void SendOwned(std::string frame, int64_t cookie);
  void SendShared(std::string_view frame, int64_t cookie);
  // A request that is not answered (acks=0).
  void SendUnanswered(std::string_view frame);

  // Nothing is delivered any more, OnClosed included: for a connection that is given up.
  void Abandon() { closed_ = true; }

  size_t in_flight() const { return in_flight_.size(); }
  size_t unsent_bytes() const { return unsent_bytes_; }
  int32_t node() const { return node_; }

  void OnEvents(uint32_t events) override;

 private:
  struct Outgoing {
    std::array<char, kFramePrefixBytes> prefix;  // With the correlation id of this send.
    std::string owned;
    std::string_view rest;  // The frame after the prefix: of `owned`, or borrowed.
    size_t sent = 0;        // Of prefix and rest together.
  };
  struct Waiting {
    int32_t correlation;
    int64_t cookie;
  };

  Connection(Poller& poller, int fd, int32_t node, Listener* listener);

  int32_t Enqueue(std::string_view frame, std::string owned);
  void Flush();
  void Sent(size_t bytes);
  void Receive();
  // Answers every whole frame in the buffer. False after a frame that cannot be.
  bool Deliver();
  void Close();

  Poller& poller_;
  const int fd_;
  const int32_t node_;
  Listener* const listener_;
  int32_t next_correlation_ = 1;
  std::deque<Outgoing> outgoing_;
  std::deque<Waiting> in_flight_;
  size_t unsent_bytes_ = 0;
  bool wants_write_ = false;
  bool closed_ = false;
  std::string received_;
  size_t received_bytes_ = 0;
};

}  // namespace garam::bench
