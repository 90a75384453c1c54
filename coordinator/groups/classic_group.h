// One group of the classic protocol: who belongs to it, and how it agrees on who reads what
// (Kafka's JoinGroup, SyncGroup, Heartbeat and LeaveGroup; KIP-62, 134, 345, 394, 814).
//
//   Empty ──join──► PreparingRebalance ──all have joined──► CompletingRebalance ──leader syncs──►
//   Stable ──somebody joins or leaves──► PreparingRebalance …
//
// Pure: time is passed in, what is to be stored goes out through `write`, and answers are put into
// `replies`, which the owner runs once it is out of the group.
//
// Threads:   its owner's.
// Ownership: what Env refers to outlives it. `write`'s completion may come after the group is gone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/executor.h"
#include "coordinator/groups/group_types.h"
#include "proto/kafka/group_records.h"

namespace garam {

// A member of a group that goes on as one of the consumer protocol.
struct ClassicSeat {
  std::string id{};
  std::optional<std::string> instance_id{};
  std::string client_id{};
  std::string client_host{};
  Duration session_timeout = Duration(0);
  Duration rebalance_timeout = Duration(0);
  std::vector<ClassicProtocol> protocols{};
  Bytes assignment{};
};

class ClassicGroup {
 public:
  enum class State { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable };

  struct Env {
    const GroupLimits& limits;
    // Stores the group as it is to be; `done` when that is committed, or will not be.
    std::function<void(kafka::GroupMetadataValue, absl::AnyInvocable<void(absl::Status) &&> done)>
        write;
    std::vector<Task>& replies;
    std::function<Moment()> now;  // For completions of `write`.
  };

  ClassicGroup(Env env, Moment now);
  // As it was stored; every member has a whole session to be heard of again.
  ClassicGroup(Env env, const kafka::GroupMetadataValue& stored, Moment now);
  ~ClassicGroup();

  void Join(JoinRequest request, Moment now, JoinDone done);
  void Sync(SyncRequest request, Moment now, SyncDone done);
  absl::Status Heartbeat(const MemberName& member, int32_t generation, Moment now);
  absl::Status Leave(const MemberName& member, Moment now);
  // Whether the member may commit offsets; it counts as heard of.
  absl::Status CheckCommit(const MemberName& member, int32_t generation, Moment now);
  // Everybody who waits is answered with `reason`; the group is of no more use.
  void Fail(const absl::Status& reason);
  // Everybody is to join again.
  void Rebalance(Moment now) { MaybePrepareRebalance(now); }
  std::vector<ClassicSeat> Seats() const;

  void Tick(Moment now);
  // Not later than anything is due.
  std::optional<MonoTime> NextDeadline() const;

  State state() const { return state_; }
  bool empty() const { return state_ == State::kEmpty; }
  int32_t generation() const { return generation_; }
  // Empty for a group that only keeps offsets.
  const std::string& protocol_type() const { return protocol_type_; }
  int64_t state_since_ms() const { return state_since_ms_; }
  size_t size() const { return members_.size(); }
  GroupDescription Describe() const;
  // Whether a member reads `topic`, as far as the members' metadata can be understood.
  bool SubscribesTo(const std::string& topic) const;

  static std::string_view NameOf(State state);

 private:
  struct Member {
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    Duration session_timeout = Duration(0);
    Duration rebalance_timeout = Duration(0);
    std::vector<ClassicProtocol> protocols;
    Bytes assignment;
    bool is_new = false;     // Has not been in a generation yet.
    bool has_synced = true;  // In this generation.
    MonoTime expires_at;     // Where nothing of it is waiting here.
    JoinDone join;           // Waiting for the others.
    SyncDone sync;           // Waiting for the leader.
  };
  using Members = std::map<std::string, Member>;

  // Joining: classic_join.cc.
  absl::Status CheckMayJoin(const JoinRequest& request) const;
  bool SupportsProtocols(const JoinRequest& request) const;
  void JoinNew(JoinRequest request, Moment now, JoinDone done);
  void JoinStatic(JoinRequest request, Moment now, JoinDone done);
  void ReplaceStatic(const std::string& old_id, JoinRequest request, Moment now, JoinDone done);
  void FinishReplacing(const std::string& old_id, const std::string& id, bool may_skip, Moment now);
  void Rejoin(JoinRequest request, Moment now, JoinDone done);
  void AddMember(const std::string& id, JoinRequest request, Moment now, JoinDone done);
  void UpdateMember(Member& member, JoinRequest request, JoinDone done);
  void PrepareRebalance(Moment now);
  void MaybePrepareRebalance(Moment now);
  void TryCompleteJoin(Moment now);
  void CompleteJoin(Moment now);
  bool ElectJoinedLeader();
  std::string SelectProtocol() const;
  JoinAnswer AnswerFor(const std::string& id) const;

  // Everything else: classic_group.cc.
  absl::Status CheckMember(const MemberName& member) const;
  void RemoveMember(Members::iterator member, Moment now);
  void Erase(Members::iterator member);
  void OnStored(int32_t generation, const std::map<std::string, Bytes>& assignments,
                const absl::Status& status);
  void FailSyncs(const absl::Status& reason);
  void Hear(Member& member, Moment now);
  void DropSilent(Moment now);
  void DropUnsynced(Moment now);
  void EndJoinTimer(Moment now);
  Duration RebalanceTimeout() const;
  void Transition(State state, Moment now);
  Bytes MetadataOf(const Member& member) const;
  // With these assignments; others keep what they have.
  kafka::GroupMetadataValue ToRecord(const std::map<std::string, Bytes>& assignments,
                                     Moment now) const;
  void Reply(JoinDone done, JoinAnswer answer);
  void Reply(SyncDone done, SyncAnswer answer);

  const Env env_;
  State state_ = State::kEmpty;
  int64_t state_since_ms_ = 0;
  int32_t generation_ = 0;
  std::string protocol_type_;
  std::optional<std::string> protocol_;
  std::string leader_;
  Members members_;
  std::map<std::string, std::string> static_ids_;  // Instance id to member id.
  std::map<std::string, MonoTime> pending_;  // Were told their id, and are awaited until then.

  std::optional<MonoTime> join_until_;  // PreparingRebalance.
  bool initial_delay_ = false;          // It is the delay of an empty group's first rebalance …
  bool joined_meanwhile_ = false;       // … in which somebody else came
  Duration delay_left_ = Duration(0);   // … and which may be drawn out by this.
  std::optional<MonoTime> sync_until_;  // CompletingRebalance.
  MonoTime next_check_ = MonoTime::max();  // No member expires before.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
