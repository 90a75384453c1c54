#include "broker/control/client_calls.h"

namespace garam {

bool ClientCalls::Add(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  running_.insert(context);
  return true;
}

void ClientCalls::Remove(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  running_.erase(context);
  // Under the lock: the waiter may destroy this object as soon as it can take it.
  if (running_.empty()) empty_.notify_all();
}

void ClientCalls::CancelAll() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : running_) context->TryCancel();
  empty_.wait(lock, [this] { return running_.empty(); });
}

}  // namespace garam
