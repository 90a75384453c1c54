// What must hold whatever happens, checked after every turn of every node and at every message: the
// safety of Raft (one leader a term, log matching, leader completeness, state machine safety,
// durability on a quorum, promises kept over restarts) and of Kafka's view of it (dense offsets,
// records that never change, acknowledgements that are kept).
//
// It sees all nodes at once, which no node can. It believes what a node's core says of its log, and
// holds the node to it at the next start.
//
// Threads: the world's one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/peers.h"
#include "broker/replica.h"
#include "common/ids.h"
#include "raft/core.h"
#include "storage/kv_store.h"
#include "tests/sim/world.h"

namespace garam::sim {

// What one record says of its key.
struct KeyChange {
  std::string key;
  Offset offset;
  bool gone = false;

  void ApplyTo(std::map<std::string, Offset>& live) const {
    if (gone) {
      live.erase(key);
    } else {
      live.insert_or_assign(key, offset);
    }
  }
};
// Of a batch that is not compressed; those without a key are left out.
std::vector<KeyChange> KeyChangesIn(std::string_view batch);

class Oracle {
 public:
  struct Options {
    int nodes = 3;
    bool unflushed = false;     // Partitions are in mode P.
    int64_t retention_ms = -1;  // Below 0: records never go by themselves, as by the next.
    int64_t retention_bytes = -1;
    bool compacted = false;  // Logs keep the last record of each key, and what is young.
  };

  Oracle(World& world, Options options) : world_(world), options_(options) {}

  // After a turn of `node`, for each of its open replicas.
  void Check(NodeId node, const Replica& replica);
  // A message of `node` leaves; `kv` is its store.
  void OnSend(NodeId node, const GroupMessage& message, storage::KvStore& kv);
  // The process of `node` has ended; `power`: and so has its machine.
  void OnEnded(NodeId node, bool power);

  // The disk of `node` is gone: whatever comes back there is another member.
  void OnWiped(NodeId node);

  // A bit of the node's log has flipped: its replica may begin anew, in doubt, once.
  void OnRotten(NodeId node, GroupId group) { rotten_.insert({node, group}); }

  // The node has dropped its replica, which the group does not count on any more.
  void OnLeft(NodeId node, GroupId group);
  // The group is deleted.
  void Forget(GroupId group) { deleted_.insert(group); }

  // A produce was acknowledged: its record has this offset for ever.
  void OnAcked(GroupId group, Offset offset, uint64_t value, int min_isr);
  // A record that was served.
  void OnRead(GroupId group, Offset offset, uint64_t value, Offset high_watermark);

  // What the node's log says of each key: the offset of its last record. The log is at its end.
  void CheckLive(NodeId node, GroupId group, const std::map<std::string, Offset>& live);

  // Somebody asked for the log to begin at `start`; and it was said that it does.
  void OnTrim(GroupId group, Offset start) { Raise(truth_[group].may_start, start); }
  void OnTrimmed(GroupId group, Offset start) { Raise(truth_[group].starts, start); }
  // A leader's log begins there.
  void CheckStart(GroupId group, Offset start);

  // The committed log of a group, as far as any node has said so.
  LogIndex frontier(GroupId group) const;
  Offset end_offset(GroupId group) const;
  // By offset, and whether each was acknowledged.
  const std::map<Offset, uint64_t>& acked(GroupId group) { return truth_[group].acked; }
  size_t committed_entries() const { return committed_entries_; }

  // Every open replica of `group` has all that is committed and nothing else.
  bool Settled(NodeId node, GroupId group) const;
  // More machines have lost power than mode P promises to survive: what was acknowledged may go.
  bool may_lose(GroupId group) const;

 private:
  struct Entry {
    Term term;
    uint32_t hash = 0;
    EntryKind kind = EntryKind::kNoop;
    Offset base_offset;
    Offset next_offset;
    uint64_t value = 0;
    int64_t producer_id = -1;
    int32_t base_sequence = -1;
    int32_t record_count = 0;
    std::vector<KeyChange> changes;  // Where logs are compacted.
    int64_t max_timestamp_ms = -1;
    int64_t bytes = 0;  // On the disk, with what surrounds a segment where one ends.
    Offset start;       // That a kSetLogStart asks for.
    LogIndex before;    // Of kExpireProducers.
    Term committed_in;  // The term of the first node that said so.
  };
  // What a leader knew of a follower.
  struct Match {
    Term term;
    uint32_t session = 0;
    LogIndex written;
    LogIndex durable;
  };
  // What one node has of one group, also while it is down.
  struct View {
    std::vector<Term> terms;  // By index, from 1.
    LogIndex durable;
    LogIndex written;
    LogIndex commit;
    Term term;
    raft::Role role = raft::Role::kFollower;
    raft::Configuration configuration;
    Incarnation member_id{0};  // 0: not seen yet.
    bool fresh = true;         // Not seen since its process started.
    bool after_power = false;
    std::map<NodeId, Match> matches;  // While it leads.
    Term term_promised;               // The highest that left in a message.
    LogIndex last() const { return LogIndex(static_cast<int64_t>(terms.size())); }
  };
  // An idempotent producer, as the committed entries have it.
  struct Sender {
    int32_t next = 0;   // Its sequence.
    LogIndex last;      // Its last batch.
    bool known = true;  // Not expired.
  };
  struct Truth {
    std::vector<Entry> committed;  // By index, from 1.
    std::map<Term, NodeId> leaders;
    std::map<std::tuple<NodeId, uint64_t, Term>, NodeId> votes;  // By voter, its disk, and term.
    std::unordered_map<uint64_t, Entry> seen;                    // By index and term.
    std::map<Offset, uint64_t> acked;
    std::map<Offset, size_t> index_of;  // Into `committed`, by base offset.
    std::map<int64_t, Sender> senders;  // By producer.
    Offset end_offset;
    LogIndex compact_before;  // The highest that a leader has given out (D14).
    Offset may_start;         // The log begins here at most,
    Offset starts;            // and at least.
    Offset asked;             // The largest that is committed.
  };

  static void Raise(Offset& to, Offset start) { to = std::max(to, start); }
  static uint64_t Key(LogIndex index, Term term) {
    return (static_cast<uint64_t>(index.value()) << 32) | static_cast<uint32_t>(term.value());
  }
  Entry Describe(const LogEntry& entry) const;
  static Term TermOf(const raft::Core& core, const Truth& truth, const View& view, LogIndex index);
  static bool IsAsSeen(const raft::Core& core, const View& view);

  void CheckCompaction(NodeId node, const Replica& replica, const View& view);
  void CheckRestart(NodeId node, GroupId group, const raft::Core& core, View& view);
  void CheckLog(NodeId node, GroupId group, const raft::Core& core, View& view);
  void CheckConfiguration(NodeId node, GroupId group, const raft::Core& core, LogIndex index);
  void CheckMatches(NodeId node, GroupId group, const raft::Core& core, View& view);
  void CheckInForce(NodeId node, GroupId group, const raft::Core& core);
  void CheckCommit(NodeId node, GroupId group, const raft::Core& core, View& view);
  void CheckRole(NodeId node, GroupId group, const raft::Core& core, View& view);
  void Commit(NodeId node, GroupId group, const raft::Core& core, LogIndex index);
  void CheckAsked(NodeId node, GroupId group, const raft::Core& core, LogIndex index);
  bool MayGo(GroupId group, const raft::Core& core, LogIndex index, Offset start);
  void CheckSequence(NodeId node, GroupId group, LogIndex index, const Entry& entry);
  bool Has(NodeId node, GroupId group, LogIndex index, Term term) const;
  bool Has(const View& view, GroupId group, LogIndex index, Term term) const;
  void CheckQuorum(NodeId node, GroupId group, const raft::Core& core, LogIndex index, Term term);
  void OnVote(NodeId voter, uint64_t disk, GroupId group, Term term, NodeId candidate);
  void Fail(NodeId node, GroupId group, const std::string& what);
  bool durable_counts(GroupId group) const {
    return group == kMetadataGroup || !options_.unflushed;
  }

  World& world_;
  const Options options_;
  std::map<GroupId, Truth> truth_;
  std::map<std::pair<NodeId, GroupId>, View> views_;
  std::map<std::pair<NodeId, GroupId>, Term> stored_;  // Terms that are known to be durable.
  std::map<NodeId, uint64_t> disks_;                   // How many each has lost.
  // What nodes had on the disks that they lost: it was there when it was acknowledged.
  std::map<std::pair<NodeId, GroupId>, View> lost_;
  // What was there when a node left a group last.
  std::map<std::pair<NodeId, GroupId>, View> left_;
  std::set<std::pair<NodeId, GroupId>> rotten_;
  std::set<NodeId> lost_power_;
  std::set<GroupId> deleted_;
  size_t committed_entries_ = 0;
  std::vector<LogIndex> asked_;  // Log starts that the replica at hand was first seen with.
};

// The number that a producer put into its record; nothing in a batch of somebody else.
uint64_t ValueIn(std::string_view batch);

}  // namespace garam::sim
