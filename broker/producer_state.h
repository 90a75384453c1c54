// What one partition remembers of its idempotent producers (KIP-98; design decision D11): enough to
// know a batch that came before, and one that comes too early.
//
// A pure function of the log: replicas that have gone through the same entries hold the same state,
// and encode it as the same bytes. No clock, I/O or randomness; no client's timestamp decides
// anything. Every change bears the index of the entry that makes it, and can be taken back exactly
// until Committed says that it stays.
//
// Who calls what, in log order:
//   A leader about to propose a batch (not when it arrives: those before it may be waiting still):
//     Check; an original: its place and its index are the answer, nothing is proposed. Once it is
//     proposed: Apply with its index, so that the next batch of the same turn is held against it.
//   Any replica whose log was given entries: for each that it does not Have yet (whatever is no
//     batch is one without a producer), and each kExpireProducers: TruncateTo(its index), then
//     Apply or Expire. At last TruncateTo(the one after them). So what was proposed in this turn
//     stays, and goes when it is not what the log has: an entry that is proposed and replaced
//     within one turn is truncated without a word.
//   Entries are truncated: TruncateTo. A leadership ends: TruncateTo(the end of the log + 1).
//   The commit index moves: Committed.
//   Now and then: EncodeSnapshot, to be kept once its last entry is committed. At a start, and
//     beside a copied log (D15): DecodeSnapshot, then Apply and Expire for what is above it.
//
// Costs:     Check is one look into a hash table; Has is O(log n) in the changes that are not
//            committed; Apply and what takes it back are O(log n) in the producers; Expire adds
//            O(log n) for each that goes; snapshots and ForEach are O(n).
// Memory:    about 230 bytes a producer; a change that is not committed 96 bytes, and 176 more when
//            it replaces or forgets a producer. Both are bounded by ProducerLimits.
// Threads:   the partition's shard.
// Ownership: keeps nothing that it is given.
// Errors:    Check: kOutOfOrderSequence, kInvalidProducerEpoch. DecodeSnapshot: kStorage,
//            kUnsupportedVersion. Nothing else fails; an index that is not in order is a bug.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/byte_codec.h"
#include "common/ids.h"
#include "common/record_batch.h"

namespace garam {

// What the header of a batch says of its producer.
struct ProducerBatch {
  int64_t producer_id = -1;
  int16_t epoch = -1;
  int32_t base_sequence = -1;
  int32_t last_offset_delta = 0;
  Offset base_offset;         // As the leader gave it; Check does not look at it.
  int64_t timestamp_ms = -1;  // The largest of its records.

  static ProducerBatch Of(const RecordBatchView& batch);

  // Whether it has a producer and a sequence. Others, control batches among them, are of no concern
  // here: Check takes them as new, Apply remembers nothing.
  bool idempotent() const {
    return producer_id >= 0 && base_sequence >= 0 && last_offset_delta >= 0;
  }
};

struct ProducerLimits {
  // Of ids. One more makes room by forgetting the one whose last batch is the oldest in the log:
  // part of what a log means, so the same on every replica.
  size_t producers_max = 100'000;
  // Of changes that can be taken back. More uncommitted ones than that only make TruncateTo fail.
  size_t undo_max = 65'536;
};

class ProducerState {
 public:
  // As many requests as an idempotent client may have under way (KIP-98).
  static constexpr size_t kBatchesKept = 5;

  // A batch that is in the log, or on its way there.
  struct Original {
    LogIndex index;  // Its duplicate is answered when this entry is as safe as the acks ask.
    Offset base_offset;
    Offset last_offset;
    int64_t timestamp_ms = -1;

    friend bool operator==(const Original&, const Original&) = default;
  };

  // What DescribeProducers tells of one.
  struct Producer {
    int64_t id = -1;
    int16_t epoch = -1;
    int32_t last_sequence = -1;
    int64_t last_timestamp_ms = -1;
    LogIndex last_index;
    Offset last_offset;

    friend bool operator==(const Producer&, const Producer&) = default;
  };

  explicit ProducerState(ProducerLimits limits = {});

  // What is to be done with a batch that a client sends, as Apache Kafka 4.3 decides it:
  //   nothing               append it: it is the next one, sequence 0 of a newer epoch, the first
  //                         of a producer that is not known, or not idempotent;
  //   an original           it is one of the last kBatchesKept, with the same epoch, first and last
  //                         sequence;
  //   kInvalidProducerEpoch of an older epoch than the last one;
  //   kOutOfOrderSequence   any other sequence: after a gap, an overlap, a duplicate that is older
  //                         than what is kept, a newer epoch that begins above 0.
  absl::StatusOr<std::optional<Original>> Check(const ProducerBatch& batch) const;

  // The entry at `index`, above last_index(), is `batch`. What is in the log is the truth: taken as
  // it is, whatever Check would say.
  void Apply(LogIndex index, const ProducerBatch& batch);

  // Whether the entry at `index` is `batch`, and has been applied. False also where that is not
  // known any more.
  bool Has(LogIndex index, const ProducerBatch& batch) const;

  // The entry at `index`, above last_index(), forgets the producers whose last batch lies below
  // `before`.
  void Expire(LogIndex index, LogIndex before);

  // Takes back what the entries at `from` and above have done, exactly. False, with nothing done,
  // when that is not known any more: what is committed, what came in a snapshot, more than
  // undo_max changes. Then this must be made again, from a snapshot and the log.
  [[nodiscard]] bool TruncateTo(LogIndex from);

  // What the entries up to `index` have done stays.
  void Committed(LogIndex index);

  // What it was when `through` was the last entry; nothing of that can be taken back. Nothing where
  // TruncateTo(through + 1) would fail. O(n).
  std::optional<ProducerState> AsOf(LogIndex through) const;

  // The state as of the entry `through`, at or above last_index(), with format and checksum.
  std::string EncodeSnapshot(LogIndex through) const;
  // last_index() is then what `through` was. Allocates in proportion to `bytes` only. kStorage when
  // they are damaged or hold more than `limits` allow; kUnsupportedVersion for a newer format.
  static absl::StatusOr<ProducerState> DecodeSnapshot(std::string_view bytes,
                                                      ProducerLimits limits = {});

  // From the one whose last batch is the oldest on. `visit` must not change this.
  void ForEach(absl::FunctionRef<void(const Producer&)> visit) const;

  // Of every batch that is remembered, or will be when changes are taken back: ascending. A log
  // with no other batches of producers makes the same state.
  std::vector<LogIndex> BatchIndexes() const;

  size_t size() const { return producers_.size(); }
  // The least index of a last batch: an Expire up to here forgets nobody. Nothing: nobody is known.
  std::optional<LogIndex> oldest_index() const;
  // No entry above this one has been told, or is taken back again.
  LogIndex last_index() const { return last_index_; }
  // An estimate of what it all takes, containers and undo included.
  size_t memory_bytes() const;

 private:
  struct Batch {
    LogIndex index;
    Offset last_offset;
    int64_t timestamp_ms = -1;
    int32_t base_sequence = -1;
    int32_t last_offset_delta = 0;

    static Batch Of(LogIndex index, const ProducerBatch& batch);
    Offset base_offset() const { return last_offset - last_offset_delta; }
    int32_t last_sequence() const;

    friend bool operator==(const Batch&, const Batch&) = default;
  };

  // The last batches of one producer, never none.
  class History {
   public:
    explicit History(int16_t epoch) : epoch_(epoch) {}

    int16_t epoch() const { return epoch_; }
    size_t size() const { return size_; }
    // The oldest is 0.
    const Batch& At(size_t i) const { return ring_[(first_ + i) % kBatchesKept]; }
    const Batch& newest() const { return At(size_ - 1); }

    // Gives the batch that had to make room.
    std::optional<Batch> PushNewest(const Batch& batch);
    void PopNewest() { --size_; }
    void PushOldest(const Batch& batch);

   private:
    std::array<Batch, kBatchesKept> ring_;
    int16_t epoch_;
    uint8_t first_ = 0;
    uint8_t size_ = 0;
  };

  // How to take back one change: a producer's newest batch, with the one that made room for it; or
  // a whole producer, with what was in its place.
  struct Undo {
    LogIndex index;
    int64_t producer_id = -1;
    int16_t epoch = -1;
    bool whole = false;
    Batch added;                      // Of index 0: the producer was forgotten.
    Batch dropped;                    // Of index 0: none made room.
    std::unique_ptr<History> before;  // Null: the producer was not known.

    Undo Copy() const;
  };

  static absl::StatusOr<History> TakeHistory(ByteReader& reader);

  void Append(LogIndex index, int64_t producer_id, const Batch& batch, History& history);
  void Forget(LogIndex index, int64_t producer_id);
  void Note(Undo undo);
  void ReleaseOldest();
  void TakeBack(Undo undo);

  ProducerLimits limits_;
  absl::flat_hash_map<int64_t, std::unique_ptr<History>> producers_;
  absl::btree_map<LogIndex, int64_t> order_;  // Each producer by the index of its last batch.
  std::deque<Undo> undo_;                     // In the order of the changes.
  size_t undo_histories_ = 0;                 // Of those that have a `before`.
  LogIndex last_index_;
  LogIndex released_;  // The highest index that has a change which can no longer be taken back.
};

}  // namespace garam
