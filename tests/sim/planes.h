// The two planes between brokers over the simulated network.
//
// Threads: the world's one. Ownership: they die with their process; what they send refers to
// neither.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/peers.h"
#include "tests/sim/network.h"

namespace garam::sim {

struct PlaneEnv {
  Network& network;
  NodeId self;
  size_t shards;
  // Of a node that runs.
  std::function<PeerEvents*(NodeId)> events;
  std::function<NodeIdentity()> identity;
  std::function<uint64_t(NodeId)> life_of;
  std::function<void(NodeId from, const GroupMessage&)> on_send;
};

class SimControl final : public PeerControl {
 public:
  explicit SimControl(PlaneEnv env) : env_(std::move(env)) {}

  void SetPeer(PeerAddress) override {}
  void RemovePeer(NodeId) override {}
  void Handshake(NodeId node, Duration timeout,
                 absl::AnyInvocable<void(HandshakeResult) &&> done) override;
  void Redial(NodeId node) override;
  void SendHeartbeat(NodeId node, const Heartbeat& heartbeat) override;
  void SendRaft(NodeId node, std::vector<GroupMessage> messages) override;
  void PushLeaderStates(NodeId node, std::vector<LeaderState> states) override;
  void FetchFullState(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) override;
  void CallController(NodeId node, std::string request, Duration timeout,
                      absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) override;
  void FetchFormation(NodeId node,
                      absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&> done) override;
  void OfferFormation(NodeId node, FormationProposal proposal,
                      absl::AnyInvocable<void(absl::Status) &&> done) override;
  void CopyLog(NodeId node, CopyRequest request, CopyDone done) override;

 private:
  template <class Result>
  using Reply = std::function<void(Result)>;
  // Calls `ask` on the peer with a reply that comes back here; `done` is called once, with
  // `lost(refused)` when nothing comes back.
  template <class Result>
  void Ask(NodeId node, Duration timeout, std::function<void(PeerEvents&, Reply<Result>)> ask,
           absl::AnyInvocable<void(Result) &&> done, std::function<Result(bool refused)> lost);
  void Tell(NodeId node, std::function<void(PeerEvents&)> tell);

  PlaneEnv env_;
};

class SimStreams final : public PeerStreams {
 public:
  explicit SimStreams(PlaneEnv env) : env_(std::move(env)) {}

  void SetPeer(PeerAddress) override {}
  void RemovePeer(NodeId) override {}
  bool Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) override;

 private:
  PlaneEnv env_;
};

}  // namespace garam::sim
