// Takes the records out of a batch that later ones have replaced.
//
// What is left keeps its offsets, timestamps, headers and codec; the batch keeps its offsets,
// leader epoch, producer and sequence, so that whoever counts by those finds what it expects. A
// tombstone (a null value) that is the last of its key stays until its batch's delete horizon
// (KIP-534): the first pass that has looked at everything before it writes the horizon where the
// base timestamp was and sets bit 6 of the attributes; the first one after the horizon drops it.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "storage/compaction/offset_map.h"

namespace garam::storage {

// Bit 6 of a batch's attributes: its base timestamp is a delete horizon.
inline constexpr uint16_t kDeleteHorizonBit = 0x40;

struct CleaningRules {
  const OffsetMap& latest;  // Of the keys that have records in [where the last pass ended, `end`).
  Offset end;               // Records from here on stay as they are.
  int64_t now_ms = 0;       // By the wall clock.
  int64_t delete_retention_ms = 0;
};

class BatchCleaner {
 public:
  explicit BatchCleaner(const CleaningRules& rules) : rules_(rules) {}

  enum class Outcome {
    kAsItWas,
    kRewritten,  // bytes() is the batch now.
    kEmpty,      // No record is left; bytes() is a header that keeps its place.
  };
  // `batch`: whole and checked. kCorruptRecord when its records do not add up.
  absl::StatusOr<Outcome> Clean(std::string_view batch);

  // Until the next call.
  const std::string& bytes() const { return out_; }
  // The latest delete horizon of what was left so far; -1: none.
  int64_t tombstones_until_ms() const { return tombstones_until_ms_; }
  uint64_t records_dropped() const { return records_dropped_; }

 private:
  struct Kept {
    int32_t count = 0;
    int64_t max_timestamp_ms = -1;
    bool tombstones = false;
  };

  absl::StatusOr<Kept> Filter(std::string_view batch);
  void WriteEmpty(std::string_view batch);
  void WriteBatch(std::string_view batch, const Kept& kept, bool sets_horizon);
  void Rebase(std::string_view batch, int64_t horizon_ms);

  const CleaningRules& rules_;
  std::string scratch_;  // Of decompression.
  std::string records_;  // What is left, plain.
  std::string out_;
  int64_t tombstones_until_ms_ = -1;
  uint64_t records_dropped_ = 0;
};

// Puts the keys of the records of `batch` in [from, …) into `map`, and says where it stopped: the
// offset of the first record that has no place any more, or the batch's next offset.
absl::StatusOr<Offset> NoteKeys(std::string_view batch, Offset from, OffsetMap& map,
                                std::string& scratch);

}  // namespace garam::storage
