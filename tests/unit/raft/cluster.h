// A group of cores over a network, disks and a clock that the test owns. Without further orders,
// messages arrive and writes are durable at once, in order; a test cuts, holds, drops, crashes and
// lets time pass. The oracle watches every step.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "raft/core.h"
#include "tests/unit/raft/oracle.h"

namespace garam::raft {

struct Envelope {
  NodeId from;
  NodeId to;
  Message message;
};

struct ClusterOptions {
  int nodes = 3;
  Stage stage = Stage::kDurable;
  uint64_t seed = 1;
  std::function<void(CoreOptions&)> adjust;  // Of every core.
  std::optional<Configuration> configuration;
};

class Cluster {
 public:
  explicit Cluster(ClusterOptions options);

  // --- What happens ---

  // Everything that is due now, until nothing is.
  void Run();
  void RunFor(Duration time);
  void At(Duration delay, std::function<void()> action);

  void Step(NodeId to, NodeId from, Message message);
  // Step, after `delay`.
  void Deliver(Envelope envelope, Duration delay);
  // Campaigns and runs until `node` leads with its no-op committed.
  void Elect(NodeId node);
  absl::StatusOr<LogIndex> Propose(NodeId node, const std::string& payload);
  // The log of `node` now begins at `first`, or where its commit lets it.
  void DropPrefix(NodeId node, LogIndex first);
  // What a core asks for by Ready::copy_from: up to some committed entry, as far as that is news.
  void CopyLog(NodeId to, NodeId from);
  // After any direct call on a core.
  void Drain(NodeId node);
  template <class Action>
  void Do(NodeId node, Action action) {
    if (alive(node)) {
      action(core(node));
      Drain(node);
    }
  }

  void Cut(NodeId a, NodeId b) { cut_.insert(std::minmax(a, b)); }
  void Mend(NodeId a, NodeId b) { cut_.erase(std::minmax(a, b)); }
  void Isolate(NodeId node);
  void Rejoin(NodeId node);

  // kPower also loses what was written and not durable; where written counts, the node is in doubt
  // from then on until its core says otherwise.
  enum class Loss { kProcess, kPower };
  void Crash(NodeId node, Loss loss);
  void Restart(NodeId node);
  // Its log turns out to be damaged: it begins anew with nothing, in the same process.
  void LoseLog(NodeId node);
  // Tells every other node so.
  void AnnounceDown(NodeId node);
  void AnnounceSuspect(NodeId node);
  void AnnounceUp(NodeId node);
  void AnnounceRestarted(NodeId node);

  // While held, the writes of `node` stay undone; `Finish…` does those queued so far.
  void HoldDisk(NodeId node, bool hold);
  void FinishHardState(NodeId node);
  void FinishWritten(NodeId node);
  void FinishDurable(NodeId node);

  // --- The world, to be changed by the test ---

  // Returns false to lose the message. Sees every message that leaves.
  std::function<bool(const Envelope&)> filter;
  std::function<Duration(const Envelope&)> message_delay;
  std::function<Duration(NodeId)> disk_delay;
  std::function<Duration(NodeId)> copy_delay;  // Without it nothing is copied by itself.

  // --- What is ---

  MonoTime now() const { return now_; }
  bool alive(NodeId node) const { return nodes_.at(node).core != nullptr; }
  Core& core(NodeId node) { return *nodes_.at(node).core; }
  const NodeImage& image(NodeId node) const { return images_.at(node); }
  bool in_doubt(NodeId node) const { return images_.at(node).in_doubt; }
  HardState disk_hard_state(NodeId node) const { return nodes_.at(node).hard_state; }
  std::vector<NodeId> ids() const;
  // The leader of the highest term; kNoNode when nobody leads.
  NodeId Leader();
  std::vector<std::string> Payloads(NodeId node) const;
  Oracle& oracle() { return oracle_; }
  const std::vector<RoleChange>& role_changes(NodeId node) const {
    return nodes_.at(node).role_changes;
  }
  // Everything that left, lost or not, since the last ClearSent.
  const std::vector<Envelope>& sent() const { return sent_; }
  void ClearSent() { sent_.clear(); }
  void KeepSent(bool keep) { keep_sent_ = keep; }

 private:
  struct LogWrite {
    uint64_t seq;
    std::optional<LogIndex> truncate_from;
    std::vector<LogEntry> entries;
    bool written = false;
  };
  struct Node {
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<Core> core;
    uint64_t life = 0;
    uint64_t process = 0;
    uint32_t log_life = 0;
    HardState hard_state;
    std::deque<std::pair<uint64_t, HardState>> hard_states;  // On their way to the disk.
    std::deque<LogWrite> writes;
    bool hold = false;
    MonoTime disk_free_at;
    LogIndex first_index{1};
    std::vector<RoleChange> role_changes;
  };

  void Start(NodeId id);
  InitialState StateOf(NodeId id) const;
  void Post(NodeId from, Outgoing outgoing);
  void Check(NodeId id, const Outgoing& outgoing);
  static void Apply(const LogWrite& write, std::vector<LogEntry>& log);
  void Schedule(NodeId id);
  bool RunNext(MonoTime until);

  ClusterOptions options_;
  MonoTime now_{};
  SeededRandom random_;
  std::map<NodeId, Node> nodes_;
  std::map<NodeId, NodeImage> images_;
  std::map<std::pair<MonoTime, uint64_t>, std::function<void()>> events_;
  uint64_t next_event_ = 0;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::vector<Envelope> sent_;
  bool keep_sent_ = true;
  Oracle oracle_;
};

Configuration Voters(int count);

}  // namespace garam::raft
