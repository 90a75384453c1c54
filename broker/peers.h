// The seam between the core and the two planes that join brokers: gRPC control (broker/control) and
// the TCP entry streams (broker/replication). The core sends through PeerControl and PeerStreams
// and is told through PeerEvents; the simulator implements all three over a simulated network.
//
// Delivery: none is promised. Messages to one node over one plane arrive in order or not at all; a
// broken connection loses what was on its way, and PeerEvents says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/uuid.h"
#include "coordinator/formation_types.h"
#include "raft/messages.h"

namespace garam {

// Where a broker can be reached; `stream_port` 0 until a handshake told it.
struct PeerAddress {
  NodeId node;
  std::string host;
  uint16_t control_port = 0;
  uint16_t stream_port = 0;
};

struct GroupMessage {
  GroupId group;
  raft::Message message;
};

// What a leader says of its partition. Newer = larger (term, isr_version).
struct LeaderState {
  GroupId group;
  Term term;
  NodeId leader = kNoNode;
  uint64_t isr_version = 0;
  std::vector<NodeId> isr;

  friend bool operator==(const LeaderState&, const LeaderState&) = default;
};

// Rides on every heartbeat (D16): order-independent digests of what the sender leads, and of its
// replicas that cannot append. A receiver whose own record differs asks for the full list.
struct HeartbeatDigests {
  uint64_t led_count = 0;
  uint64_t led_hash = 0;
  uint64_t failed_count = 0;
  uint64_t failed_hash = 0;

  friend bool operator==(const HeartbeatDigests&, const HeartbeatDigests&) = default;
};

struct Heartbeat {
  HeartbeatDigests digests{};
  // How many of these the sender has sent since it last received one from the receiver: the stream
  // the other way may be stuck while this one works.
  uint32_t unheard = 0;

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct FullState {
  std::vector<LeaderState> led;
  std::vector<GroupId> failed;
  // Whom the sender takes for the controller, when it is somebody else: a broker that was told of
  // the founders only may not know where that one is.
  std::optional<PeerAddress> controller{};
};

// D15: what a member asks its leader for when it lacks entries that the leader's log no longer has.
struct CopyRequest {
  // Bytes of a sealed segment.
  struct Piece {
    LogIndex base_index;
    int64_t position = 0;
    uint32_t bytes_max = 0;

    friend bool operator==(const Piece&, const Piece&) = default;
  };

  GroupId group;
  std::optional<Piece> piece;  // Nothing: the manifest.

  friend bool operator==(const CopyRequest&, const CopyRequest&) = default;
};

struct CopyReply {
  std::string bytes;     // The piece, or the manifest (storage/manifest.h).
  std::string snapshot;  // Beside a manifest: as ReplicaEvents::SnapshotForCopy has it.
};

using CopyDone = absl::AnyInvocable<void(absl::StatusOr<CopyReply>) &&>;

// How a handshake ended. `kRefused`: the address answered that nobody listens.
enum class HandshakeOutcome { kDone, kRefused, kTimedOut, kRejected };

struct HandshakeResult {
  HandshakeOutcome outcome = HandshakeOutcome::kTimedOut;
  NodeIdentity peer;         // kDone only.
  uint16_t stream_port = 0;  // kDone only.
  std::string reason;        // kRejected: one line for the log.
};

// The gRPC plane, as the core uses it. Threads: any. Completions run on executor 0 (the cluster's).
class PeerControl {
 public:
  virtual ~PeerControl() = default;
  // Adds or moves a peer; the channel connects by itself with a back-off of 50-500 ms.
  virtual void SetPeer(PeerAddress address) = 0;
  virtual void RemovePeer(NodeId node) = 0;

  // One handshake attempt now, `timeout` at most; resets the channel's back-off.
  virtual void Handshake(NodeId node, Duration timeout,
                         absl::AnyInvocable<void(HandshakeResult) &&> done) = 0;
  // Our stream to `node` goes nowhere, though it looks open: opens another one in its place, over a
  // connection of its own. PeerEvents says that the stream closed, if it was open.
  virtual void Redial(NodeId node) = 0;
  // One heartbeat on the pair's stream.
  virtual void SendHeartbeat(NodeId node, const Heartbeat& heartbeat) = 0;
  // Votes, their answers and TimeoutNow, of many groups in one message.
  virtual void SendRaft(NodeId node, std::vector<GroupMessage> messages) = 0;
  // Leader and ISR changes of partitions this broker leads.
  virtual void PushLeaderStates(NodeId node, std::vector<LeaderState> states) = 0;
  virtual void FetchFullState(NodeId node,
                              absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) = 0;
  // A controller request, serialized (proto/controller.proto), to the node that leads group 0.
  virtual void CallController(NodeId node, std::string request, Duration timeout,
                              absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) = 0;
  virtual void FetchFormation(
      NodeId node, absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&> done) = 0;
  // Offers a proposal to a blank node; ok once that node has it on stable storage.
  virtual void OfferFormation(NodeId node, FormationProposal proposal,
                              absl::AnyInvocable<void(absl::Status) &&> done) = 0;
  // On a connection of its own, so that nothing else waits for it.
  virtual void CopyLog(NodeId node, CopyRequest request, CopyDone done) = 0;
};

// The TCP plane. Each shard has its own connection to each peer; answers to what came in on a
// connection go back on it. Threads: `Send` on shard `shard`'s executor only.
class PeerStreams {
 public:
  virtual ~PeerStreams() = default;
  virtual void SetPeer(PeerAddress address) = 0;
  virtual void RemovePeer(NodeId node) = 0;
  // Queues Append and AppendReply messages; what one turn of the loop queues leaves together.
  // Returns false, dropping them, when the peer's queue is full or not connected.
  virtual bool Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) = 0;
};

// What the planes tell the core. Called on executor 0 but for Admit and OnStreamMessages.
class PeerEvents {
 public:
  virtual ~PeerEvents() = default;
  // Whether who calls itself `peer` may be that node, before anything else that it says is
  // believed: not while a process with another data folder answers at the node's address.
  // kInvalidRequest, in one line for that process's person; kTimedOut while it is being found out.
  // Any thread.
  virtual absl::Status Admit(const NodeIdentity& peer) = 0;
  // A peer shook hands with us; the reply carries our own identity. Refused with a reason when the
  // cluster ids differ, the format is newer than ours, or it is not admitted.
  virtual absl::StatusOr<NodeIdentity> OnHandshake(const NodeIdentity& peer) = 0;
  virtual void OnHeartbeat(NodeId from, StartId start_id, const Heartbeat& heartbeat) = 0;
  // The pair's control stream (ours to them) or any entry stream opened or closed.
  virtual void OnControlStream(NodeId peer, bool open) = 0;
  virtual void OnEntryStream(NodeId peer, size_t shard, bool open) = 0;
  virtual void OnRaft(NodeId from, std::vector<GroupMessage> messages) = 0;
  virtual void OnLeaderStates(NodeId from, std::vector<LeaderState> states) = 0;
  virtual FullState OnFullStateAsked() = 0;
  virtual void OnControllerCall(std::string request,
                                absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) = 0;
  virtual FormationStatus OnFormationAsked() = 0;
  // `done` once the proposal is on stable storage, or with the reason why it is not taken.
  virtual void OnFormationOffered(FormationProposal proposal,
                                  absl::AnyInvocable<void(absl::Status) &&> done) = 0;
  virtual void OnCopyAsked(CopyRequest request, CopyDone done) = 0;
  // Called on the executor of the shard whose loop read the messages; the core hands them on to
  // the groups' own shards.
  virtual void OnStreamMessages(NodeId from, size_t shard, std::vector<GroupMessage> messages) = 0;
};

}  // namespace garam
