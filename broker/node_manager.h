// This broker's relations with the others: handshakes, heartbeats, who is alive (D17), and the
// digests that find lost pushes (D16).
//
// Threads:   executor 0 only, but for OnStreamMessages (any shard's) and what says "any thread".
// Ownership: what Options refers to outlives it. Stop it before the planes that call it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/leader_table.h"
#include "broker/peers.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "raft/liveness.h"

namespace garam {

enum class NodeEvent { kUp, kSuspect, kDown, kRestarted, kReset };

class NodeManager final : public PeerEvents {
 public:
  struct Options {
    Executor& executor;
    const Clock& clock;
    LeaderTable& leaders;
    NodeIdentity self;
    raft::Timing timing;
    // Fans an event out to every shard and to whoever keeps a picture of the cluster.
    std::function<void(NodeId, NodeEvent)> on_event;
    // Raft messages for the groups' own shards; `shard` is where they arrived.
    std::function<void(NodeId from, size_t shard, std::vector<GroupMessage>)> deliver;
    // `node` says that it leads none of these groups, which we believed it did.
    std::function<void(NodeId node, const std::vector<LeaderState>&)> on_not_leading;
    // The list of `node`'s replicas that cannot append was learnt anew.
    std::function<void(NodeId node)> on_failed_list;
    // Most peers do not take us: another cluster, or a newer format. One of them alone may be the
    // one that is wrong. One line for a person.
    std::function<void(const std::string& reason)> on_rejected;
    std::function<void(std::string request,
                       absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done)>
        on_controller_call;
    std::function<FormationStatus()> on_formation_asked;
    std::function<void(FormationProposal, absl::AnyInvocable<void(absl::Status) &&>)>
        on_formation_offered;
    std::function<void(CopyRequest, CopyDone)> on_copy_asked;
  };

  explicit NodeManager(Options options);
  ~NodeManager() override;

  // Begins heartbeats over these planes, which outlive Stop.
  void Start(PeerControl& control, PeerStreams& streams);
  void Stop();

  // Adds a peer, or learns its new address; after Start.
  void SetPeer(const PeerAddress& address);
  // The node is nobody's peer any more: it counts as down, and is not dialled. Also for one that
  // never was a peer.
  void RemovePeer(NodeId node);
  std::set<NodeId> peers() const;
  // The cluster id, once this node belongs to one.
  void SetClusterId(std::string cluster_id) { options_.self.cluster_id = std::move(cluster_id); }
  const NodeIdentity& self() const { return options_.self; }

  // Tells every live peer of changes in what this broker leads; leaves at the end of the turn.
  void Push(LeaderState state);

  // Asks every peer whether it is there and what it leads. Peers beat for, and tell, only those
  // that they know: who is not registered yet has to ask. Executor 0.
  void AskAround();

  // Brokers alive in this broker's view, itself included. Any thread.
  std::set<NodeId> live() const;
  // Whose data folder the process has that the peer's address reached last; 0: nobody has been
  // reached since the peer was last down, or restarted. Any thread.
  Incarnation IncarnationOf(NodeId node) const;

  // Those, and the nodes that were until a moment ago. librdkafka forgets a partition for up to a
  // second when one metadata answer takes it from its broker and no longer lists that broker; and
  // while the broker is listed, it goes on connecting to it with a back-off of up to ten seconds,
  // which a quick restart would wait for. So: in the first answer, and not in the second. Any
  // thread.
  std::set<NodeId> listed() const;

  // Whether a stream of this live node has just closed and it has not been heard of since: most
  // likely it is dead, which the handshake under way will tell. Any thread.
  bool InDoubt(NodeId node) const;

  // PeerEvents
  absl::Status Admit(const NodeIdentity& peer) override;  // Any thread.
  absl::StatusOr<NodeIdentity> OnHandshake(const NodeIdentity& peer) override;
  void OnHeartbeat(NodeId from, StartId start_id, const Heartbeat& heartbeat) override;
  void OnControlStream(NodeId peer, bool open) override;
  void OnEntryStream(NodeId peer, size_t shard, bool open) override;
  void OnRaft(NodeId from, std::vector<GroupMessage> messages) override;
  void OnLeaderStates(NodeId from, std::vector<LeaderState> states) override;
  FullState OnFullStateAsked() override;
  void OnControllerCall(std::string request,
                        absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) override;
  FormationStatus OnFormationAsked() override;
  void OnFormationOffered(FormationProposal proposal,
                          absl::AnyInvocable<void(absl::Status) &&> done) override;
  void OnCopyAsked(CopyRequest request, CopyDone done) override;
  void OnStreamMessages(NodeId from, size_t shard, std::vector<GroupMessage> messages) override;

 private:
  struct Peer {
    PeerAddress address;
    bool port_known = false;  // Of the process that answers now.
    bool handshaking = false;
    bool fetching = false;
    // The first address is the configuration's, and is asked before another one is taken: who is
    // there may say that this broker's data is of another cluster.
    bool asked = false;
    int unanswered = 0;
    std::optional<PeerAddress> next{};
    int digest_mismatches = 0;
  };

  // Who answers at a peer's address.
  struct Reached {
    Incarnation incarnation{0};
    // Who called itself that node too, and whether the other one has answered since.
    Incarnation stranger{0};
    bool still_there = false;
  };

  void Beat();
  void Digest();  // Carries out what the liveness machine decided.
  void Tell(const raft::LivenessEvent& event);
  void Probe(NodeId node);
  void OnProbed(NodeId node, MonoTime asked_at, HandshakeResult result);
  void OnRejected(NodeId node, const std::string& reason);
  void OnAsked(NodeId node, HandshakeOutcome outcome);
  void OnStream(NodeId peer, uint64_t stream, bool open);
  void CompareDigests(NodeId from, const HeartbeatDigests& digests);
  void FetchFull(NodeId node);
  void TakeFullState(NodeId node, const FullState& state);
  void FlushPushes();
  void SetLive(NodeId node, bool live);
  void SetInDoubt(NodeId node, bool in_doubt);
  void SetReached(NodeId node, Incarnation incarnation);
  void ForgetReached(NodeId node);
  bool Questioned(NodeId node) const;

  Options options_;
  PeerControl* control_ = nullptr;  // Set by Start.
  PeerStreams* streams_ = nullptr;
  raft::Liveness liveness_;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> rejected_by_;
  std::vector<LeaderState> pushes_;
  TimerId beat_timer_ = kNoTimer;
  TimerId liveness_timer_ = kNoTimer;
  bool push_scheduled_ = false;
  bool stopped_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  mutable std::mutex mutex_;
  std::set<NodeId> live_;               // Guarded by mutex_.
  std::map<NodeId, MonoTime> left_at_;  // Guarded by mutex_. Of nodes no longer live.
  std::set<NodeId> in_doubt_;           // Guarded by mutex_.
  std::map<NodeId, Reached> reached_;   // Guarded by mutex_.
};

}  // namespace garam
