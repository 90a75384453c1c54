#include "broker/control/pair_stream.h"

#include <utility>

#include "broker/control/control_convert.h"
#include "broker/control/status_map.h"
#include "broker/wire/stream_codec.h"

namespace garam {

PairStream::PairStream(std::shared_ptr<control::Control::Stub> stub,
                       std::shared_ptr<ClientCalls> calls, Callbacks callbacks)
    : stub_(std::move(stub)), calls_(std::move(calls)), callbacks_(std::move(callbacks)) {
  context_.set_wait_for_ready(true);
}

bool PairStream::Start(const control::Hello& hello) {
  if (!calls_->Add(&context_)) return false;
  self_ = shared_from_this();
  *writing_.mutable_hello() = hello;
  write_under_way_ = true;
  stub_->async()->Pair(&context_, this);
  StartRead(&welcome_);
  StartWrite(&writing_);
  StartCall();
  return true;
}

void PairStream::OnReadDone(bool ok) {
  const bool first = !std::exchange(greeted_, true);
  if (ok && first) {
    refused_ = callbacks_.check(welcome_);
    ok = refused_.ok();
    if (!ok) context_.TryCancel();
  }
  {
    // As long as a read is outstanding the stream cannot end, so writes may start; after the last
    // one none may.
    std::lock_guard lock(mutex_);
    open_ = ok;
  }
  // Only now: whoever hears of it may send at once.
  if (ok && first) callbacks_.on_open(welcome_);
  if (ok) StartRead(&welcome_);
}

void PairStream::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  write_under_way_ = false;
  if (ok) WriteSoon();
}

// Under mutex_.
void PairStream::WriteSoon() {
  if (write_under_way_ || !has_pending_ || !open_) return;
  writing_.Swap(&pending_);
  pending_.Clear();
  has_pending_ = false;
  write_under_way_ = true;
  StartWrite(&writing_);
}

// Under mutex_.
bool PairStream::HasRoom() const {
  return open_ && pending_.raft().size() < kPendingBytesMax &&
         static_cast<size_t>(pending_.leader_states_size()) * 64 < kPendingBytesMax;
}

void PairStream::SendHeartbeat(const Heartbeat& heartbeat) {
  std::lock_guard lock(mutex_);
  if (!open_) return;
  ToProto(heartbeat, *pending_.mutable_heartbeat());
  has_pending_ = true;
  WriteSoon();
}

void PairStream::SendRaft(const std::vector<GroupMessage>& messages) {
  std::lock_guard lock(mutex_);
  if (!HasRoom()) return;
  for (const GroupMessage& message : messages) EncodeMessage(message, *pending_.mutable_raft());
  has_pending_ = true;
  WriteSoon();
}

void PairStream::SendLeaderStates(const std::vector<LeaderState>& states) {
  std::lock_guard lock(mutex_);
  if (!HasRoom()) return;
  for (const LeaderState& state : states) ToProto(state, *pending_.add_leader_states());
  has_pending_ = true;
  WriteSoon();
}

void PairStream::OnDone(const grpc::Status& status) {
  const std::shared_ptr<PairStream> self = std::move(self_);
  absl::Status reason = refused_;
  if (reason.ok()) reason = FromGrpcStatus(status);
  if (reason.ok()) reason = absl::UnavailableError("the peer ended the stream");
  callbacks_.on_ended(reason);
  callbacks_ = Callbacks();  // They keep the peer, and the peer keeps us.
  calls_->Remove(&context_);
}

}  // namespace garam
