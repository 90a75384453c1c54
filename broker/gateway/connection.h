// One client's connection: frames in, answers out in the order of the requests.
//
// A request starts when the one before it is finished, or, after a Produce, as soon as that one
// has its place in the logs. Answers that are ready together leave in one system call.
// The connection stops reading while it has requests that it cannot start, while the client does
// not take its answers, while the budget of requests is full, and while it is muted: for as long as
// the answer said that the client was throttled (KIP-219).
//
// Threads:   one shard.
// Ownership: kept by the gateway's list until closed; `socket` belongs to the shard's loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/gateway/frame_assembler.h"
#include "broker/gateway/request.h"
#include "broker/gateway/shard_services.h"

namespace garam {

class Connection final : public AnswerSink, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ShardServices> services, boost::asio::ip::tcp::socket socket,
             std::string listener, std::string peer);
  ~Connection() override;

  // `closed` runs once, when the connection has closed itself.
  void Start(std::function<void()> closed);
  // Quietly; drops what is under way. Does not call `closed`.
  void Stop();

  void OnFinished(Request& request) override;
  void CloseBecause(std::string_view reason) override;

 private:
  struct Piece {
    Bytes bytes;
    MemoryBudget::Charge charge;  // On the last piece of an answer: the whole of it.
  };

  bool open() const { return socket_.has_value(); }
  bool MayStart() const;
  // Starts what may be started, sends what is ready, and reads on.
  void Pump();
  void StartPending();
  void StartRequest(Frame frame);
  void SchedulePump();

  void WaitReadable();
  void WaitForMemory(size_t bytes);
  void OnReadable();
  // One recv; how many bytes it brought. 0: nothing more now, or the connection is closed.
  size_t ReadOnce(bool& drained);

  void Mute(Duration wait);
  void GatherAnswers();
  void Send();
  void WaitWritable();
  void DropSent(size_t bytes);

  void WatchIdle();
  // `reason` empty: without a line in the log.
  void Close(std::string_view reason);
  void Release();

  const std::shared_ptr<ShardServices> services_;
  std::optional<boost::asio::ip::tcp::socket> socket_;  // Empty once closed.
  const std::string listener_;
  const std::string peer_;  // Address and port.
  const std::string client_host_;
  std::function<void()> closed_;

  FrameAssembler assembler_;
  std::deque<Frame> pending_;          // Framed, not started.
  std::deque<RequestPtr> in_flight_;   // Started, in order, answer not yet in output_.
  const Request* blocking_ = nullptr;  // Must finish before another may start.
  std::deque<Piece> output_;
  size_t output_bytes_ = 0;
  bool reading_ = false;  // A wait for readability is under way.
  bool writing_ = false;  // A wait for writability is.
  bool waiting_for_memory_ = false;
  bool pumping_ = false;
  bool pump_scheduled_ = false;
  MonoTime muted_until_;
  TimerId mute_timer_ = kNoTimer;  // While muted.
  TimerId idle_timer_ = kNoTimer;
  MonoTime last_activity_;
};

}  // namespace garam
