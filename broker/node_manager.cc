#include "broker/node_manager.h"

#include <fmt/format.h>

#include <utility>

#include "common/logging.h"
#include "common/mutation.h"
#include "common/status.h"

namespace garam {
namespace {

// A push on its way makes the digests differ for a moment: only a difference that lasts is a loss.
constexpr int kMismatchesMax = 2;

// Long enough for the answer to clients that have just lost their connection to it; gone in the
// next, which librdkafka asks for after 100 ms.
constexpr Duration kStaysListed = Millis(80);

// How often a silent address is asked before another one is taken.
constexpr int kAsksMax = 3;

// How the streams of a pair are numbered for the liveness machine.
constexpr uint64_t kControlStreamId = 0;
constexpr uint64_t kFirstEntryStreamId = 1;

}  // namespace

NodeManager::NodeManager(Options options)
    : options_(std::move(options)), liveness_(options_.timing), live_{options_.self.node} {}

NodeManager::~NodeManager() = default;

void NodeManager::Start(PeerControl& control, PeerStreams& streams) {
  control_ = &control;
  streams_ = &streams;
  Beat();
  Digest();
}

void NodeManager::Stop() {
  stopped_ = true;
  options_.executor.Cancel(std::exchange(beat_timer_, kNoTimer));
  options_.executor.Cancel(std::exchange(liveness_timer_, kNoTimer));
  alive_.reset();
}

void NodeManager::SetPeer(const PeerAddress& address) {
  if (address.node == options_.self.node || stopped_) return;
  auto [found, added] = peers_.try_emplace(address.node);
  PeerAddress& known = found->second.address;
  uint16_t stream_port = address.stream_port != 0 ? address.stream_port : known.stream_port;
  bool moved = added || known.host != address.host || known.control_port != address.control_port;
  if (!moved && stream_port == known.stream_port) return;
  if (moved && !added && !found->second.asked) {
    found->second.next = address;
    return;
  }
  known = address;
  known.stream_port = stream_port;
  control_->SetPeer(known);
  if (stream_port != 0) streams_->SetPeer(known);
  if (added) {
    // Nothing is known of it yet: until it is heard of, it counts for nothing.
    options_.on_event(address.node, NodeEvent::kSuspect);
    liveness_.Add(address.node, options_.clock.Mono());
    Digest();
  }
}

void NodeManager::RemovePeer(NodeId node) {
  if (peers_.erase(node) > 0) {
    LogInfo("node {} is no longer a peer", node.value());
    control_->RemovePeer(node);
    streams_->RemovePeer(node);
    liveness_.Remove(node);
    rejected_by_.erase(node);
    SetLive(node, false);
    SetInDoubt(node, false);
    ForgetReached(node);
    Digest();
  }
  options_.on_event(node, NodeEvent::kDown);
}

std::set<NodeId> NodeManager::peers() const {
  std::set<NodeId> nodes;
  for (const auto& [node, peer] : peers_) nodes.insert(node);
  return nodes;
}

std::set<NodeId> NodeManager::live() const {
  std::lock_guard lock(mutex_);
  return live_;
}

std::set<NodeId> NodeManager::listed() const {
  const MonoTime now = options_.clock.Mono();
  std::lock_guard lock(mutex_);
  std::set<NodeId> listed = live_;
  for (const auto& [node, left_at] : left_at_) {
    if (now - left_at < kStaysListed) listed.insert(node);
  }
  return listed;
}

Incarnation NodeManager::IncarnationOf(NodeId node) const {
  std::lock_guard lock(mutex_);
  const auto found = reached_.find(node);
  return found == reached_.end() ? Incarnation(0) : found->second.incarnation;
}

void NodeManager::SetReached(NodeId node, Incarnation incarnation) {
  std::lock_guard lock(mutex_);
  Reached& reached = reached_[node];
  if (reached.incarnation == incarnation) {
    reached.still_there = true;
  } else {
    reached = {.incarnation = incarnation};
  }
}

void NodeManager::ForgetReached(NodeId node) {
  std::lock_guard lock(mutex_);
  reached_.erase(node);
}

// Two processes call themselves `node`, and the one that it was before has yet to answer.
bool NodeManager::Questioned(NodeId node) const {
  std::lock_guard lock(mutex_);
  const auto found = reached_.find(node);
  return found != reached_.end() && found->second.stranger != Incarnation(0) &&
         !found->second.still_there;
}

absl::Status NodeManager::Admit(const NodeIdentity& peer) {
  std::lock_guard lock(mutex_);
  const auto found = reached_.find(peer.node);
  if (found == reached_.end() || found->second.incarnation == peer.incarnation) {
    return absl::OkStatus();
  }
  Reached& reached = found->second;
  if (reached.stranger != peer.incarnation) {
    // The node may have lost its disk, and its last process a moment ago: the next beat asks.
    reached.stranger = peer.incarnation;
    reached.still_there = false;
  }
  if (reached.still_there) {
    return MakeError(Errc::kInvalidRequest,
                     fmt::format("another broker with node.id {} is running: give this one a "
                                 "node.id of its own",
                                 peer.node.value()));
  }
  return MakeError(
      Errc::kTimedOut,
      fmt::format("finding out whether another broker with node.id {} runs", peer.node.value()));
}

bool NodeManager::InDoubt(NodeId node) const {
  std::lock_guard lock(mutex_);
  return in_doubt_.contains(node);
}

void NodeManager::SetInDoubt(NodeId node, bool in_doubt) {
  std::lock_guard lock(mutex_);
  if (in_doubt) {
    in_doubt_.insert(node);
  } else {
    in_doubt_.erase(node);
  }
}

void NodeManager::SetLive(NodeId node, bool live) {
  std::lock_guard lock(mutex_);
  if (live) {
    live_.insert(node);
    left_at_.erase(node);
  } else if (live_.erase(node) > 0) {
    left_at_[node] = options_.clock.Mono();
  }
}

void NodeManager::Beat() {
  if (stopped_) return;
  HeartbeatDigests digests = options_.leaders.DigestsOf(options_.self.node);
  for (const auto& [node, peer] : peers_) {
    control_->SendHeartbeat(node, {digests, liveness_.Beat(node)});
    // It reached us first, or is another process by now: its stream port is to be asked for.
    if ((!peer.port_known && liveness_.StateOf(node) == raft::NodeState::kUp) || Questioned(node)) {
      Probe(node);
    }
  }
  Digest();
  beat_timer_ = options_.executor.PostAt(options_.clock.Mono() + options_.timing.heartbeat,
                                         [this, weak = std::weak_ptr<bool>(alive_)] {
                                           if (!weak.expired()) Beat();
                                         });
}

void NodeManager::Digest() {
  for (const raft::LivenessEvent& event : liveness_.TakeEvents()) Tell(event);
  for (NodeId node : liveness_.TakeProbes()) Probe(node);
  for (NodeId node : liveness_.TakeRedials()) {
    if (Mutated(Mutation::kNoRedial)) continue;
    LogWarn("node {} does not hear us: dialling it anew", node.value());
    control_->Redial(node);
  }
  options_.executor.Cancel(std::exchange(liveness_timer_, kNoTimer));
  std::optional<MonoTime> next = liveness_.NextDeadline();
  if (!next || stopped_) return;
  liveness_timer_ = options_.executor.PostAt(*next, [this, weak = std::weak_ptr<bool>(alive_)] {
    if (weak.expired()) return;
    liveness_timer_ = kNoTimer;
    liveness_.Tick(options_.clock.Mono());
    Digest();
  });
}

void NodeManager::Tell(const raft::LivenessEvent& event) {
  switch (event.kind) {
    case raft::LivenessEvent::Kind::kUp:
      LogInfo("node {} is up", event.node.value());
      SetLive(event.node, true);
      options_.on_event(event.node, NodeEvent::kUp);
      if (!peers_[event.node].port_known) Probe(event.node);
      FetchFull(event.node);
      break;
    case raft::LivenessEvent::Kind::kSuspect:
      LogWarn("node {} is silent", event.node.value());
      SetLive(event.node, false);
      options_.on_event(event.node, NodeEvent::kSuspect);
      break;
    case raft::LivenessEvent::Kind::kDown:
      LogWarn("node {} is down", event.node.value());
      SetLive(event.node, false);
      ForgetReached(event.node);
      options_.on_event(event.node, NodeEvent::kDown);
      break;
    case raft::LivenessEvent::Kind::kRestarted:
      LogInfo("node {} has restarted", event.node.value());
      options_.on_event(event.node, NodeEvent::kRestarted);
      SetLive(event.node, true);
      peers_[event.node].port_known = false;
      ForgetReached(event.node);
      Probe(event.node);
      FetchFull(event.node);
      break;
  }
}

void NodeManager::Probe(NodeId node) {
  auto found = peers_.find(node);
  if (found == peers_.end() || found->second.handshaking || stopped_) return;
  found->second.handshaking = true;
  const MonoTime asked_at = options_.clock.Mono();
  control_->Handshake(
      node, options_.timing.handshake_wait,
      [this, weak = std::weak_ptr<bool>(alive_), node, asked_at](HandshakeResult result) {
        if (!weak.expired()) OnProbed(node, asked_at, std::move(result));
      });
}

void NodeManager::OnProbed(NodeId node, MonoTime asked_at, HandshakeResult result) {
  auto found = peers_.find(node);
  if (found == peers_.end()) return;
  found->second.handshaking = false;
  MonoTime now = options_.clock.Mono();
  OnAsked(node, result.outcome);
  switch (result.outcome) {
    case HandshakeOutcome::kDone:
      SetInDoubt(node, false);
      rejected_by_.erase(node);
      SetReached(node, result.peer.incarnation);
      if (result.stream_port != 0) {
        found->second.port_known = true;
        PeerAddress address = found->second.address;
        address.stream_port = result.stream_port;
        SetPeer(address);
      }
      liveness_.HandshakeDone(node, result.peer.start_id, asked_at, now);
      break;
    case HandshakeOutcome::kRefused:
      liveness_.HandshakeRefused(node, now);
      break;
    case HandshakeOutcome::kTimedOut:
      liveness_.HandshakeTimedOut(node, now);
      break;
    case HandshakeOutcome::kRejected:
      OnRejected(node, result.reason);
      liveness_.HandshakeTimedOut(node, now);
      break;
  }
  Digest();
}

void NodeManager::OnAsked(NodeId node, HandshakeOutcome outcome) {
  Peer& peer = peers_.at(node);
  const bool silent = outcome == HandshakeOutcome::kTimedOut;
  peer.asked = peer.asked || !silent || ++peer.unanswered >= kAsksMax;
  if (!peer.asked || !peer.next) return;
  options_.executor.Post(
      [this, weak = std::weak_ptr<bool>(alive_), next = *std::exchange(peer.next, std::nullopt)] {
        if (!weak.expired()) SetPeer(next);
      });
}

void NodeManager::OnRejected(NodeId node, const std::string& reason) {
  LogWarn("node {} does not take us: {}", node.value(), reason);
  rejected_by_.insert(node);
  if (2 * rejected_by_.size() > peers_.size()) options_.on_rejected(reason);
}

void NodeManager::Push(LeaderState state) {
  pushes_.push_back(std::move(state));
  if (std::exchange(push_scheduled_, true)) return;
  options_.executor.Post([this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired()) FlushPushes();
  });
}

void NodeManager::FlushPushes() {
  push_scheduled_ = false;
  std::vector<LeaderState> states = std::exchange(pushes_, {});
  for (const auto& [node, peer] : peers_) control_->PushLeaderStates(node, states);
}

void NodeManager::CompareDigests(NodeId from, const HeartbeatDigests& digests) {
  auto found = peers_.find(from);
  if (found == peers_.end()) return;
  if (options_.leaders.DigestsOf(from) == digests || Mutated(Mutation::kDigestsIgnored)) {
    found->second.digest_mismatches = 0;
  } else if (++found->second.digest_mismatches >= kMismatchesMax) {
    FetchFull(from);
  }
}

void NodeManager::FetchFull(NodeId node) {
  auto found = peers_.find(node);
  if (found == peers_.end() || found->second.fetching || stopped_) return;
  found->second.fetching = true;
  control_->FetchFullState(
      node, [this, weak = std::weak_ptr<bool>(alive_), node](absl::StatusOr<FullState> state) {
        if (weak.expired()) return;
        auto peer = peers_.find(node);
        if (peer == peers_.end()) return;
        peer->second.fetching = false;
        peer->second.digest_mismatches = 0;
        if (!state.ok()) return;
        TakeFullState(node, *state);
      });
}

void NodeManager::AskAround() {
  for (const auto& [node, peer] : peers_) {
    Probe(node);
    FetchFull(node);
  }
}

void NodeManager::TakeFullState(NodeId node, const FullState& state) {
  if (state.controller && !peers_.contains(state.controller->node)) SetPeer(*state.controller);
  std::vector<GroupId> changed = options_.leaders.Replace(node, state);
  std::vector<LeaderState> orphaned;
  for (GroupId group : changed) {
    LeaderState record = options_.leaders.Get(group);
    if (record.leader == kNoNode) orphaned.push_back(std::move(record));
  }
  if (!orphaned.empty()) options_.on_not_leading(node, orphaned);
  options_.on_failed_list(node);
}

absl::StatusOr<NodeIdentity> NodeManager::OnHandshake(const NodeIdentity& peer) {
  const NodeIdentity& self = options_.self;
  if (!peer.cluster_id.empty() && !self.cluster_id.empty() && peer.cluster_id != self.cluster_id) {
    return MakeError(Errc::kInconsistentClusterId,
                     fmt::format("broker {} belongs to cluster {}, this one to {}; check "
                                 "controller.quorum.voters",
                                 peer.node.value(), peer.cluster_id, self.cluster_id));
  }
  RETURN_IF_ERROR(Admit(peer));
  if (peers_.contains(peer.node)) {
    // It reached us, so it is there; whether we reach it, our own handshake will say.
    liveness_.HandshakeReceived(peer.node, peer.start_id, options_.clock.Mono());
    Digest();
  }
  return self;
}

void NodeManager::OnHeartbeat(NodeId from, StartId start_id, const Heartbeat& heartbeat) {
  if (!peers_.contains(from)) return;
  liveness_.HeartbeatReceived(from, start_id, heartbeat.unheard, options_.clock.Mono());
  SetInDoubt(from, false);
  Digest();
  CompareDigests(from, heartbeat.digests);
}

void NodeManager::OnControlStream(NodeId peer, bool open) {
  if (!peers_.contains(peer)) return;
  OnStream(peer, kControlStreamId, open);
}

void NodeManager::OnEntryStream(NodeId peer, size_t shard, bool open) {
  if (!peers_.contains(peer)) return;
  OnStream(peer, kFirstEntryStreamId + shard, open);
  // What was on its way is lost: whoever sends to this peer probes anew.
  options_.on_event(peer, NodeEvent::kReset);
}

void NodeManager::OnStream(NodeId peer, uint64_t stream, bool open) {
  MonoTime now = options_.clock.Mono();
  if (open) {
    liveness_.StreamOpened(peer, stream, now);
  } else {
    // Clients of a dead leader ask within a millisecond: an answer that still names it sends them
    // there again, "no leader" makes them ask once more.
    SetInDoubt(peer, true);
    liveness_.StreamClosed(peer, stream, now);
  }
  Digest();
}

void NodeManager::OnRaft(NodeId from, std::vector<GroupMessage> messages) {
  options_.deliver(from, 0, std::move(messages));
}

void NodeManager::OnStreamMessages(NodeId from, size_t shard, std::vector<GroupMessage> messages) {
  options_.deliver(from, shard, std::move(messages));
}

void NodeManager::OnLeaderStates(NodeId from, std::vector<LeaderState> states) {
  for (const LeaderState& state : states) {
    if (state.leader == from) options_.leaders.Merge(state);
  }
}

FullState NodeManager::OnFullStateAsked() {
  NodeId self = options_.self.node;
  std::set<GroupId> failed = options_.leaders.FailedOf(self);
  FullState state{options_.leaders.LedBy(self), {failed.begin(), failed.end()}};
  auto controller = peers_.find(options_.leaders.Get(kMetadataGroup).leader);
  if (controller != peers_.end()) state.controller = controller->second.address;
  return state;
}

void NodeManager::OnControllerCall(std::string request,
                                   absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  options_.on_controller_call(std::move(request), std::move(done));
}

FormationStatus NodeManager::OnFormationAsked() { return options_.on_formation_asked(); }

void NodeManager::OnFormationOffered(FormationProposal proposal,
                                     absl::AnyInvocable<void(absl::Status) &&> done) {
  options_.on_formation_offered(std::move(proposal), std::move(done));
}

void NodeManager::OnCopyAsked(CopyRequest request, CopyDone done) {
  options_.on_copy_asked(std::move(request), std::move(done));
}

}  // namespace garam
