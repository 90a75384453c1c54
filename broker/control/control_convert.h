// Between the messages of proto/control.proto and the structs of broker/peers.h.
//
// Threads: any.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/peers.h"
#include "broker/wire/peer_check.h"
#include "proto/control.pb.h"

namespace garam {

void ToProto(const NodeIdentity& from, control::Identity& to);
NodeIdentity FromProto(const control::Identity& from);

control::Hello MakeHello(const NodeIdentity& self, NodeId to);
control::Welcome MakeWelcome(const NodeIdentity& self, uint16_t stream_port);
ProtocolRange ProtocolOf(const control::Hello& hello);
ProtocolRange ProtocolOf(const control::Welcome& welcome);

// Who says this, where it is meant for `self` and the two can talk; else as CheckReached and
// CheckPeer say.
absl::StatusOr<NodeIdentity> Meet(const control::Hello& hello, const NodeIdentity& self);

// What an envelope brings once its sender has been met. kInvalidRequest: its Raft messages are
// none.
struct Delivery {
  std::optional<Heartbeat> heartbeat;
  std::vector<GroupMessage> messages;
  std::vector<LeaderState> states;
};
absl::StatusOr<Delivery> FromProto(const control::Envelope& from);

void ToProto(const Heartbeat& from, control::Heartbeat& to);
Heartbeat FromProto(const control::Heartbeat& from);

void ToProto(const LeaderState& from, control::LeaderState& to);
LeaderState FromProto(const control::LeaderState& from);

void ToProto(const FullState& from, control::FullStateReply& to);
FullState FromProto(const control::FullStateReply& from);

void ToProto(const FormationProposal& from, control::FormationProposal& to);
FormationProposal FromProto(const control::FormationProposal& from);

void ToProto(const CopyRequest& from, control::CopyRequest& to);
CopyRequest FromProto(const control::CopyRequest& from);

void ToProto(const FormationStatus& from, control::FormationReply& to);
FormationStatus FromProto(const control::FormationReply& from);

}  // namespace garam
