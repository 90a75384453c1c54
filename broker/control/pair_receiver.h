// Our end of the stream that a peer opened: checks its hello, welcomes it, and hands every envelope
// to the core.
//
// Threads:   gRPC's, one callback at a time for reads.
// Ownership: deletes itself when the stream has ended.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "broker/control/control_service.h"
#include "broker/peers.h"
#include "proto/control.pb.h"

namespace garam {

class PairReceiver final : public grpc::ServerBidiReactor<control::Envelope, control::Welcome> {
 public:
  explicit PairReceiver(std::shared_ptr<const ControlService::Context> context);

 private:
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }
  absl::Status OnHello();
  absl::Status Deliver();

  const std::shared_ptr<const ControlService::Context> context_;
  control::Envelope envelope_;
  control::Welcome welcome_;
  NodeIdentity peer_;
  bool greeted_ = false;
};

}  // namespace garam
