// A core that remembers what the planes between brokers told it, for tests of those planes.
//
// Threads: any; fields are set inside Set and looked at inside WaitUntil or Look. What orders a
// test
//          and the planes' threads otherwise may be libraries that TSan does not see into.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/peers.h"
#include "broker/wire/peer_check.h"
#include "common/status.h"

namespace garam {

// Longer than anything takes on a busy machine; a test that needs it all has failed.
inline constexpr std::chrono::seconds kTestDeadline(20);

class FakePeerEvents final : public PeerEvents {
 public:
  explicit FakePeerEvents(NodeIdentity self) : self_(std::move(self)) {}

  NodeIdentity self() const { return self_; }

  absl::Status Admit(const NodeIdentity& /*peer*/) override {
    return Note<absl::Status>([&] {
      if (refuse_peer.empty()) return absl::OkStatus();
      ++peers_refused;
      return MakeError(Errc::kInvalidRequest, refuse_peer);
    });
  }
  absl::StatusOr<NodeIdentity> OnHandshake(const NodeIdentity& peer) override {
    return Note<absl::StatusOr<NodeIdentity>>([&]() -> absl::StatusOr<NodeIdentity> {
      handshakes.push_back(peer.node);
      if (!refuse_handshake.empty()) return MakeError(Errc::kInvalidRequest, refuse_handshake);
      return self_;
    });
  }
  void OnHeartbeat(NodeId from, StartId start_id, const Heartbeat& heartbeat) override {
    Note<void>([&] {
      ++heartbeats[from];
      last_start_id = start_id;
      last_heartbeat = heartbeat;
    });
  }
  void OnControlStream(NodeId peer, bool open) override {
    Note<void>([&] { control_open[peer].push_back(open); });
  }
  void OnEntryStream(NodeId peer, size_t shard, bool open) override {
    Note<void>([&] { stream_open[{peer, shard}].push_back(open); });
  }
  void OnRaft(NodeId /*from*/, std::vector<GroupMessage> messages) override {
    Note<void>([&] { Append(raft, std::move(messages)); });
  }
  void OnLeaderStates(NodeId /*from*/, std::vector<LeaderState> states) override {
    Note<void>([&] { Append(leader_states, std::move(states)); });
  }
  FullState OnFullStateAsked() override { return Get(full_state); }
  void OnControllerCall(std::string request,
                        absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) override {
    if (auto answer = Get(on_controller_call)) return answer(std::move(request), std::move(done));
    Note<void>([&] { kept_calls.push_back(std::move(done)); });
  }
  FormationStatus OnFormationAsked() override { return Get(formation); }
  void OnFormationOffered(FormationProposal proposal,
                          absl::AnyInvocable<void(absl::Status) &&> done) override {
    Note<void>([&] { offered = std::move(proposal); });
    std::move(done)(Get(offer_answer));
  }
  void OnCopyAsked(CopyRequest request, CopyDone done) override {
    Note<void>([&] { copies_asked.push_back(request); });
    std::move(done)(Get(copy_answer));
  }
  void OnStreamMessages(NodeId from, size_t shard, std::vector<GroupMessage> messages) override {
    if (auto notice = Get(on_stream_messages)) notice(from, shard, messages);
    Note<void>([&] { Append(stream_messages, std::move(messages)); });
  }

  // Waits until `condition`, which may look at the fields below, holds.
  ::testing::AssertionResult WaitUntil(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kTestDeadline, condition)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "it did not happen";
  }
  // Runs `look` while nothing changes.
  template <class T>
  T Look(const std::function<T()>& look) {
    std::lock_guard lock(mutex_);
    return look();
  }
  // Runs `set`, which may change the fields below, while nothing looks at them.
  template <class Fn>
  void Set(Fn set) {
    std::lock_guard lock(mutex_);
    set();
  }

  // What is answered.
  std::string refuse_handshake;
  std::string refuse_peer;
  FullState full_state;
  FormationStatus formation;
  absl::StatusOr<CopyReply> copy_answer = CopyReply();
  absl::Status offer_answer;
  std::function<void(std::string, absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>)>
      on_controller_call;
  std::function<void(NodeId, size_t, const std::vector<GroupMessage>&)> on_stream_messages;

  // What was told.
  int peers_refused = 0;
  std::vector<CopyRequest> copies_asked;
  std::vector<NodeId> handshakes;
  std::map<NodeId, int> heartbeats;
  StartId last_start_id;
  Heartbeat last_heartbeat;
  std::map<NodeId, std::vector<bool>> control_open;
  std::map<std::pair<NodeId, size_t>, std::vector<bool>> stream_open;
  std::vector<GroupMessage> raft;
  std::vector<GroupMessage> stream_messages;
  std::vector<LeaderState> leader_states;
  FormationProposal offered;
  std::vector<absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>> kept_calls;

 private:
  template <class T>
  T Get(const T& field) {
    std::lock_guard lock(mutex_);
    return field;
  }
  template <class Result, class Fn>
  Result Note(Fn fn) {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
    return fn();
  }
  template <class T>
  static void Append(std::vector<T>& to, std::vector<T> from) {
    for (T& each : from) to.push_back(std::move(each));
  }

  const NodeIdentity self_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace garam
