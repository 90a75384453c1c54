// One peer as gRPC sees it: its channel, our stream to it, and handshakes.
//
// The stream opens by itself and, when it ends, opens again after a back-off. A handshake always
// dials anew, so that its outcome is of now and not of a cached failure; one that succeeds lends
// its connection to the pair when the pair has none, or has one to a process that is no more.
//
// Threads:   Send* and the calls from any; the rest on executor 0. Completions run there.
// Ownership: shared with its calls; `events` and the executor outlive those.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "broker/control/client_calls.h"
#include "broker/control/pair_stream.h"
#include "broker/peers.h"
#include "common/executor.h"
#include "proto/control.grpc.pb.h"

namespace garam {

class ControlPeer final : public std::enable_shared_from_this<ControlPeer> {
 public:
  struct Context {
    Executor& executor;  // 0.
    PeerEvents& events;
    std::function<NodeIdentity()> self;
    Duration backoff_min;
    Duration backoff_max;
    std::shared_ptr<ClientCalls> calls;
  };
  using Stub = control::Control::Stub;
  using HandshakeFn = absl::AnyInvocable<void(HandshakeResult) &&>;

  ControlPeer(PeerAddress address, const Context& context);

  // Opens the stream, and keeps it open until Close. Once.
  void Open();
  void Close();
  // The peer gave a sign of life under this start id: forgets the back-off, and a stream to an
  // earlier process.
  void Wake(StartId start_id);
  // Opens another stream in the place of this one, over a connection of its own.
  void Redial();
  void Handshake(Duration timeout, HandshakeFn done);

  const PeerAddress& address() const { return address_; }
  // The pair's stream; null while there is none.
  std::shared_ptr<PairStream> stream() const;
  std::shared_ptr<Stub> stub() const;
  // Over a connection of its own: what is large must not hold up what is urgent.
  std::shared_ptr<Stub> copy_stub() const { return copy_stub_; }

 private:
  struct Attempt;  // One handshake under way.

  void OpenStream();
  void MoveTo(std::shared_ptr<grpc::Channel> channel);
  void OnWelcome(uint64_t stream, StartId start_id);
  void OnEnded(uint64_t stream, const absl::Status& reason);
  void Dial(std::shared_ptr<Attempt> attempt);
  bool NeedsChannelTo(StartId start_id) const;
  void Finish(std::shared_ptr<Attempt> attempt, const grpc::Status& status);
  std::shared_ptr<grpc::Channel> NewChannel() const;

  const PeerAddress address_;
  const Context context_;
  std::shared_ptr<Stub> copy_stub_;  // Connects when it is first used.

  // Executor 0.
  std::shared_ptr<grpc::Channel> channel_;
  uint64_t stream_number_ = 0;  // What an earlier stream says is ignored.
  MonoTime stream_begun_;
  bool open_ = false;
  bool closed_ = false;
  StartId start_id_;  // Of the process at the other end of the open stream.
  Duration backoff_;
  TimerId timer_ = kNoTimer;
  std::string last_reason_;

  mutable std::mutex mutex_;  // Guards the two below, which executor 0 alone changes.
  std::shared_ptr<Stub> stub_;
  std::shared_ptr<PairStream> stream_;
};

}  // namespace garam
