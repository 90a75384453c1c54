// The gRPC calls that a node has under way as a client, so that its end can cancel them and wait.
//
// Threads: any.
#pragma once

#include <grpcpp/client_context.h>

#include <condition_variable>
#include <mutex>
#include <set>

namespace garam {

class ClientCalls {
 public:
  // False once CancelAll was called: the call must not be started. Otherwise Remove must follow, as
  // the last thing that the call does.
  bool Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);
  // Cancels every call and returns when all have been removed.
  void CancelAll();

 private:
  std::mutex mutex_;
  std::condition_variable empty_;
  bool closed_ = false;
  std::set<grpc::ClientContext*> running_;
};

}  // namespace garam
