// The rows that one log keeps in the key-value store, and their formats.
//
// kPartition (journaled, mostly unsynced):
//   m<group>                 the durable mark
//   t<group>                 the term rows up to the mark
//   c<group>                 the configurations up to the mark
//   o<group>                 the log start
//   p<group>                 log starts up to the mark that were not committed yet
//   k<group>                 how far compaction has come
//   a<group><base><number>   index rows of a segment that has no footer yet, up to the mark
// kIndex (not journaled):
//   i<group><base><number>   index rows of a sealed segment; those of a compacted one name it
// Others who keep rows in kPartition use other first letters. Group and base index are 8 bytes,
// big-endian; the number of a piece is 4.
//
// Threads: any; what takes a KvStore blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/configuration_rows.h"
#include "common/ids.h"
#include "common/term_rows.h"
#include "storage/frame.h"
#include "storage/kv_store.h"
#include "storage/segment.h"
#include "storage/segment_index.h"

namespace garam::storage {

// `prefix` and the group: rows of one kind sort by group.
std::string GroupKey(char prefix, GroupId group);
GroupId GroupOfKey(const std::string& key);

// A place in a log: the segment and the place inside it.
struct LogPoint {
  LogIndex segment_base;
  SegmentPoint at;

  friend bool operator==(const LogPoint&, const LogPoint&) = default;
};

// All before `point` is on stable storage. Written after syncs, at most about once a second, so it
// may lag behind; lowered, synced, before anything below it is overwritten.
struct DurableMark {
  LogPoint point;
  uint32_t index_pieces = 0;       // How many a-rows the mark's segment has.
  int64_t segment_created_ms = 0;  // Wall time of its first entry; 0: it has none.
};

// A kSetLogStart entry that has not taken effect yet.
struct LogStartRow {
  LogIndex index;
  Offset start;

  friend bool operator==(const LogStartRow&, const LogStartRow&) = default;
};

// What compaction has behind it. Nothing lost when it is: the next pass then looks at everything.
struct CleanPoint {
  Offset before;  // Of every key below here there is one record below here at most.
  // When the last of the tombstones below may go, by the wall clock; -1: there are none.
  int64_t tombstones_until_ms = -1;

  friend bool operator==(const CleanPoint&, const CleanPoint&) = default;
};

// By index, ascending.
using LogStartRows = std::vector<LogStartRow>;

class LogRows {
 public:
  LogRows(KvStore& kv, GroupId group) : kv_(kv), group_(group) {}

  // Nothing when the log never had one, or the store was lost.
  absl::StatusOr<std::optional<DurableMark>> LoadMark();
  absl::StatusOr<TermRows> LoadTerms();
  absl::StatusOr<ConfigurationRows> LoadConfigurations();
  absl::StatusOr<std::optional<Offset>> LoadStart();
  absl::StatusOr<LogStartRows> LoadPendingStarts();
  absl::StatusOr<CleanPoint> LoadClean();
  // Durably.
  absl::Status SaveStart(Offset start);
  // Appends the a-rows of the segment to `index`. How many there are; 0 when they are not as they
  // should be.
  absl::StatusOr<uint32_t> LoadUnsealed(LogIndex base, SegmentIndex& index);
  // Appends the i-rows; false when there are none, or damaged ones.
  absl::StatusOr<bool> LoadSealed(LogIndex base, IndexStamp stamp, SegmentIndex& index);
  // Replaces the i-rows of a sealed segment and drops its a-rows.
  absl::Status SaveSealed(LogIndex base, IndexStamp stamp, const SegmentIndex& index);

  void StageMark(const DurableMark& mark, KvBatch& batch) const;
  // Rows of terms that begin at or above `end` are left out.
  void StageTerms(const TermRows& terms, LogIndex end, KvBatch& batch) const;
  // Likewise, of entries at or above `end`.
  void StageConfigurations(const ConfigurationRows& rows, LogIndex end, KvBatch& batch) const;
  void StageStart(Offset start, KvBatch& batch) const;
  void StageClean(const CleanPoint& clean, KvBatch& batch) const;
  // Likewise, of entries at or above `end`.
  void StagePendingStarts(const LogStartRows& rows, LogIndex end, KvBatch& batch) const;
  void StagePiece(LogIndex base, uint32_t number, std::string rows, KvBatch& batch) const;
  void StageDropUnsealed(LogIndex base, KvBatch& batch) const;
  // Of that segment and every later one.
  void StageDropUnsealedFrom(LogIndex base, KvBatch& batch) const;
  void StageDropSealed(LogIndex base, KvBatch& batch) const;

  // Forgets every row of the group, durably.
  absl::Status RemoveAll();

 private:
  // Pieces whose value begins with `head`.
  absl::StatusOr<uint32_t> LoadPieces(char prefix, KvFamily family, LogIndex base,
                                      const std::string& head, SegmentIndex& index);
  void PutUnlessBare(char prefix, std::string value, KvBatch& batch) const;

  KvStore& kv_;
  const GroupId group_;
};

}  // namespace garam::storage
