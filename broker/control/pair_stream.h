// Our stream to one peer: opens once, carries envelopes, ends once. What gathers while a write is
// on its way leaves in the next one; of heartbeats only the last.
//
// Threads:   any; the callbacks run on gRPC's threads.
// Ownership: keeps itself alive from Start until it has ended.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "broker/control/client_calls.h"
#include "broker/peers.h"
#include "proto/control.grpc.pb.h"

namespace garam {

class PairStream final : public grpc::ClientBidiReactor<control::Envelope, control::Welcome>,
                         public std::enable_shared_from_this<PairStream> {
 public:
  struct Callbacks {
    // The peer answered: ok to take it for whom it says it is.
    absl::AnyInvocable<absl::Status(const control::Welcome&)> check;
    // The check was passed and the stream can be sent on.
    absl::AnyInvocable<void(const control::Welcome&)> on_open;
    // Once, after the last of the others; `reason` says why.
    absl::AnyInvocable<void(const absl::Status& reason)> on_ended;
  };

  // What waits for a write may take this much; more is dropped, which Raft and the digests mend.
  static constexpr size_t kPendingBytesMax = size_t{16} << 20;

  PairStream(std::shared_ptr<control::Control::Stub> stub, std::shared_ptr<ClientCalls> calls,
             Callbacks callbacks);

  // Calls and waits for the channel to connect. False when no calls are made any more.
  bool Start(const control::Hello& hello);
  void Cancel() { context_.TryCancel(); }

  // Dropped unless the peer has answered.
  void SendHeartbeat(const Heartbeat& heartbeat);
  void SendRaft(const std::vector<GroupMessage>& messages);
  void SendLeaderStates(const std::vector<LeaderState>& states);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  bool HasRoom() const;
  void WriteSoon();

  const std::shared_ptr<control::Control::Stub> stub_;
  const std::shared_ptr<ClientCalls> calls_;
  Callbacks callbacks_;
  grpc::ClientContext context_;
  std::shared_ptr<PairStream> self_;
  control::Welcome welcome_;
  bool greeted_ = false;  // Of the reads, as is refused_: why we ended it ourselves.
  absl::Status refused_;

  std::mutex mutex_;
  control::Envelope writing_;  // In gRPC's hands while write_under_way_.
  control::Envelope pending_;
  bool write_under_way_ = false;
  bool has_pending_ = false;
  bool open_ = false;
};

}  // namespace garam
