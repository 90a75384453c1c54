// How much each client may do on this broker (KIP-13, KIP-124, KIP-599, KIP-612): bytes that it
// writes and reads, its share of a shard's time, partitions that it has made and removed, and
// connections from its address. Counts what was done, and says how long a client is to be left
// alone that did too much.
//
// The quota that counts is the closest: of the user and client id, of the user, of the client id,
// each by name or by default, in Kafka's order. One of a user is shared by all of the user's
// clients; one that a default sets is each client's own.
//
// Threads:   any. A mutex is taken only for kinds of which somebody has a quota.
// Memory:    about 250 bytes a client that did something within the window, kClientsMax of them;
//            further ones share one window.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "broker/rate_window.h"
#include "broker/token_bucket.h"
#include "common/clock.h"
#include "coordinator/metadata_image.h"

namespace garam {

enum class QuotaKind { kProduce, kFetch, kRequest, kMutation };

// Whose request it is.
struct QuotaClient {
  std::string_view user;
  std::string_view client_id;
};

class QuotaManager {
 public:
  static constexpr size_t kClientsMax = 50'000;

  explicit QuotaManager(RateWindow::Shape shape) : shape_(shape) {}

  // What is set, from the cluster's metadata.
  void SetQuotas(const QuotaTable& quotas);

  // Whether anybody has a quota, or one of this kind: one relaxed load.
  bool active() const { return kinds_.load(std::memory_order_relaxed) != 0; }
  bool active(QuotaKind kind) const {
    return (kinds_.load(std::memory_order_relaxed) & Bit(kind)) != 0;
  }

  // The client did so much: bytes, or percent of a second; not kMutation. How long it is to be left
  // alone for its rate to come down to the quota; of kRequest, one sample at most.
  Duration Record(QuotaKind kind, const QuotaClient& client, double amount, MonoTime now);
  // What was recorded did not happen after all.
  void TakeBack(QuotaKind kind, const QuotaClient& client, double amount, MonoTime now);
  // The most that a client may do at once and still be within its quota, over a whole window;
  // infinite where it has none.
  double MostAtOnce(QuotaKind kind, const QuotaClient& client);

  // The client makes or removes so many partitions: how long it is to be left alone, until it owes
  // nothing. With `strict`, who owes something already gets nothing: above zero is a refusal then,
  // and nothing is counted.
  Duration Mutate(const QuotaClient& client, double partitions, bool strict, MonoTime now);

  // A connection from `address`. Above zero: it is one too many, and not counted; to be held back
  // for so long, and closed.
  Duration Connect(const std::string& address, MonoTime now);

  // How many clients are being counted.
  size_t clients() const;

 private:
  static constexpr size_t kKinds = 4;
  struct Limit {
    double per_second = 0;
    uint64_t scope = 0;  // Whose window counts.
  };

  static constexpr uint32_t Bit(QuotaKind kind) { return 1U << static_cast<uint32_t>(kind); }
  void SetAddressQuota(const QuotaEntity& entity, const QuotaValues& values);
  std::optional<Limit> Find(QuotaKind kind, const QuotaClient& client) const;
  Duration WaitFor(RateWindow& window, double per_second, MonoTime now) const;
  TokenBucket& BucketOf(uint64_t scope, MonoTime now);
  RateWindow& WindowOf(uint64_t scope, MonoTime now);
  void ForgetIdle(MonoTime now);

  const RateWindow::Shape shape_;
  std::atomic<uint32_t> kinds_{0};

  mutable std::mutex mutex_;
  // All of the following guarded by mutex_.
  std::array<absl::flat_hash_map<std::string, double>, kKinds> limits_;  // By the entity's key.
  absl::flat_hash_map<std::string, double> address_limits_;              // Of connections a second.
  std::optional<double> any_address_limit_;
  absl::flat_hash_map<uint64_t, RateWindow> windows_;
  absl::flat_hash_map<uint64_t, TokenBucket> buckets_;  // Of kMutation.
  size_t forget_at_ = 1024;  // How many windows make it worth a look for idle ones,
  MonoTime forget_after_;    // and when: not for every client.
};

}  // namespace garam
