#include "broker/control/control_convert.h"

#include <algorithm>
#include <limits>

#include "broker/wire/stream_codec.h"
#include "common/status.h"

namespace garam {
namespace {

uint16_t Narrow(uint32_t value) {
  return static_cast<uint16_t>(std::min<uint32_t>(value, std::numeric_limits<uint16_t>::max()));
}

}  // namespace

void ToProto(const NodeIdentity& from, control::Identity& to) {
  to.set_node(from.node.value());
  to.set_incarnation(from.incarnation.value());
  to.set_start_id(from.start_id.value());
  to.set_cluster_id(from.cluster_id);
}

NodeIdentity FromProto(const control::Identity& from) {
  return {NodeId(from.node()), Incarnation(from.incarnation()), StartId(from.start_id()),
          from.cluster_id()};
}

control::Hello MakeHello(const NodeIdentity& self, NodeId to) {
  const ProtocolRange ours;
  control::Hello hello;
  ToProto(self, *hello.mutable_self());
  hello.set_to(to.value());
  hello.set_protocol_min(ours.min);
  hello.set_protocol_max(ours.max);
  return hello;
}

control::Welcome MakeWelcome(const NodeIdentity& self, uint16_t stream_port) {
  const ProtocolRange ours;
  control::Welcome welcome;
  ToProto(self, *welcome.mutable_self());
  welcome.set_stream_port(stream_port);
  welcome.set_protocol_min(ours.min);
  welcome.set_protocol_max(ours.max);
  return welcome;
}

ProtocolRange ProtocolOf(const control::Hello& hello) {
  return {Narrow(hello.protocol_min()), Narrow(hello.protocol_max())};
}

ProtocolRange ProtocolOf(const control::Welcome& welcome) {
  return {Narrow(welcome.protocol_min()), Narrow(welcome.protocol_max())};
}

absl::StatusOr<NodeIdentity> Meet(const control::Hello& hello, const NodeIdentity& self) {
  NodeIdentity peer = FromProto(hello.self());
  RETURN_IF_ERROR(CheckReached(NodeId(hello.to()), self.node));
  RETURN_IF_ERROR(CheckPeer(self, peer, ProtocolOf(hello)));
  return peer;
}

absl::StatusOr<Delivery> FromProto(const control::Envelope& from) {
  Delivery to;
  if (from.has_heartbeat()) to.heartbeat = FromProto(from.heartbeat());
  ASSIGN_OR_RETURN(to.messages, DecodeMessages(from.raft()));
  to.states.reserve(static_cast<size_t>(from.leader_states_size()));
  for (const auto& state : from.leader_states()) to.states.push_back(FromProto(state));
  return to;
}

void ToProto(const Heartbeat& from, control::Heartbeat& to) {
  to.set_led_count(from.digests.led_count);
  to.set_led_hash(from.digests.led_hash);
  to.set_failed_count(from.digests.failed_count);
  to.set_failed_hash(from.digests.failed_hash);
  to.set_unheard(from.unheard);
}

Heartbeat FromProto(const control::Heartbeat& from) {
  return {{from.led_count(), from.led_hash(), from.failed_count(), from.failed_hash()},
          from.unheard()};
}

void ToProto(const LeaderState& from, control::LeaderState& to) {
  to.set_group(from.group.value());
  to.set_term(from.term.value());
  to.set_leader(from.leader.value());
  to.set_isr_version(from.isr_version);
  to.clear_isr();
  for (NodeId node : from.isr) to.add_isr(node.value());
}

LeaderState FromProto(const control::LeaderState& from) {
  LeaderState to{
      GroupId(from.group()), Term(from.term()), NodeId(from.leader()), from.isr_version(), {}};
  to.isr.reserve(static_cast<size_t>(from.isr_size()));
  for (int32_t node : from.isr()) to.isr.push_back(NodeId(node));
  return to;
}

void ToProto(const FullState& from, control::FullStateReply& to) {
  for (const LeaderState& state : from.led) ToProto(state, *to.add_led());
  for (GroupId group : from.failed) to.add_failed(group.value());
  if (!from.controller) return;
  to.mutable_controller()->set_node(from.controller->node.value());
  to.mutable_controller()->set_host(from.controller->host);
  to.mutable_controller()->set_control_port(from.controller->control_port);
}

FullState FromProto(const control::FullStateReply& from) {
  FullState to;
  to.led.reserve(static_cast<size_t>(from.led_size()));
  for (const auto& state : from.led()) to.led.push_back(FromProto(state));
  for (uint64_t group : from.failed()) to.failed.push_back(GroupId(group));
  if (from.has_controller()) {
    to.controller = {NodeId(from.controller().node()), from.controller().host(),
                     static_cast<uint16_t>(from.controller().control_port()), 0};
  }
  return to;
}

void ToProto(const FormationProposal& from, control::FormationProposal& to) {
  to.set_cluster_id(from.cluster_id);
  for (const FormationVoter& voter : from.voters) {
    control::FormationVoter& added = *to.add_voters();
    added.set_node(voter.node.value());
    added.set_incarnation(voter.incarnation.value());
    added.set_control_address(voter.control_address);
  }
}

FormationProposal FromProto(const control::FormationProposal& from) {
  FormationProposal to;
  to.cluster_id = from.cluster_id();
  for (const auto& voter : from.voters()) {
    to.voters.push_back(
        {NodeId(voter.node()), Incarnation(voter.incarnation()), voter.control_address()});
  }
  return to;
}

void ToProto(const CopyRequest& from, control::CopyRequest& to) {
  to.set_group(from.group.value());
  if (!from.piece) return;
  to.mutable_piece()->set_base_index(from.piece->base_index.value());
  to.mutable_piece()->set_position(from.piece->position);
  to.mutable_piece()->set_bytes_max(from.piece->bytes_max);
}

CopyRequest FromProto(const control::CopyRequest& from) {
  CopyRequest request{GroupId(from.group()), std::nullopt};
  if (from.has_piece()) {
    request.piece = {LogIndex(from.piece().base_index()), from.piece().position(),
                     from.piece().bytes_max()};
  }
  return request;
}

void ToProto(const FormationStatus& from, control::FormationReply& to) {
  ToProto(from.self, *to.mutable_self());
  to.set_blank(from.blank);
  ToProto(from.proposal, *to.mutable_proposal());
}

FormationStatus FromProto(const control::FormationReply& from) {
  return {FromProto(from.self()), from.blank(), FromProto(from.proposal())};
}

}  // namespace garam
