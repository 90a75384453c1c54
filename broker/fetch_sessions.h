// Incremental fetch sessions (KIP-227) of one shard: what each client asked for, so that it needs
// to name only what changes, and is told only what is new.
//
// A session lives on the shard of the connection that made it; its id says which. A client that
// comes back through another shard is told that the session is not found, and starts a new one.
//
// Threads: one shard. No I/O, no clock: time is passed in.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/random.h"
#include "common/uuid.h"

namespace garam {

// Names a partition: by topic name, or from Fetch v13 on by topic id; the other one is empty.
struct FetchKey {
  std::string topic;
  TopicId topic_id;
  int32_t partition = 0;

  friend bool operator==(const FetchKey&, const FetchKey&) = default;
  template <class H>
  friend H AbslHashValue(H state, const FetchKey& key) {
    return H::combine(std::move(state), key.topic, key.topic_id, key.partition);
  }
};

// What a client wants of a partition.
struct FetchWish {
  FetchKey key;
  int64_t fetch_offset = 0;
  int32_t current_leader_epoch = -1;
  int32_t last_fetched_epoch = -1;
  int32_t bytes_max = 0;
};

struct FetchSessionRequest {
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  bool by_topic_id = false;
  std::vector<FetchWish> wishes;
  std::vector<FetchKey> forgotten;
};

class FetchSession;

class FetchSessions {
 public:
  static constexpr Duration kEvictableAfter = std::chrono::minutes(2);
  // All partitions of all sessions of one shard together: what clients can make us remember.
  static constexpr size_t kPartitionsMax = 1'000'000;

  // What one fetch is to do. `session` is null for a sessionless one.
  struct Context {
    std::shared_ptr<FetchSession> session;
    bool incremental = false;  // The answer holds only what is new.
    std::vector<FetchWish> wishes;
  };
  // What came out for one partition, as far as "is it news?" goes.
  struct Outcome {
    bool has_records = false;
    bool must_tell = false;  // An error, a diverging epoch, a preferred replica.
    bool error = false;
    int64_t high_watermark = -1;
    int64_t log_start_offset = -1;
  };

  // Ids are in [1, INT32_MAX] and equal `shard` modulo `shards`. `random` must outlive this.
  FetchSessions(size_t slots, size_t shard, size_t shards, Random& random);

  // Errors: kFetchSessionNotFound, kInvalidFetchSessionEpoch, kInconsistentTopicId when a session
  // changes between names and ids.
  absl::StatusOr<Context> Begin(FetchSessionRequest request, MonoTime now);

  // Which partitions the answer holds: true for those of `outcomes`, which follow the order of
  // context.wishes. Those that give records go to the back of the session's order.
  std::vector<bool> Select(const Context& context, const std::vector<Outcome>& outcomes);

  // What Begin made of a full fetch is answered without its partitions: its session never was.
  void Drop(const Context& context);

  // The session id that the answer names; 0: none.
  static int32_t IdOf(const Context& context);

  size_t size() const { return sessions_.size(); }
  size_t partitions() const { return partitions_; }

 private:
  using Sessions = std::list<std::shared_ptr<FetchSession>>;  // The least recently used first.

  absl::StatusOr<Context> BeginIncremental(FetchSessionRequest request, MonoTime now);
  Context BeginFull(FetchSessionRequest request, MonoTime now);
  // Makes room for a session of `size` partitions; false when none may go.
  bool MakeRoom(size_t size, MonoTime now);
  void Remove(int32_t id);
  int32_t NewId();

  const size_t slots_;
  const size_t shard_;
  const size_t shards_;
  Random& random_;
  Sessions sessions_;
  absl::flat_hash_map<int32_t, Sessions::iterator> by_id_;
  size_t partitions_ = 0;
};

// One session's memory; touched by FetchSessions only.
class FetchSession {
 public:
  FetchSession(int32_t id, bool by_topic_id, MonoTime now)
      : id_(id), by_topic_id_(by_topic_id), created_(now), last_used_(now) {}

  int32_t id() const { return id_; }
  size_t size() const { return order_.size(); }

 private:
  friend class FetchSessions;
  struct Entry {
    FetchWish wish;
    int64_t high_watermark = -1;  // As last told to the client.
    int64_t log_start_offset = -1;
  };
  using Order = std::list<Entry>;

  void Update(std::vector<FetchWish> wishes, const std::vector<FetchKey>& forgotten);
  std::vector<FetchWish> Wishes() const;

  const int32_t id_;
  const bool by_topic_id_;
  const MonoTime created_;
  MonoTime last_used_;
  int32_t next_epoch_ = 1;
  Order order_;
  absl::flat_hash_map<FetchKey, Order::iterator> by_key_;
};

}  // namespace garam
