#include "storage/compaction/batch_cleaner.h"

#include <algorithm>

#include "common/batch_bytes.h"
#include "common/compression.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "common/record_cursor.h"
#include "common/saturated.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr size_t kHeaderBytes = RecordBatchView::kHeaderBytes;
constexpr size_t kAttributesAt = 21;
constexpr size_t kBaseTimestampAt = 27;
constexpr size_t kMaxTimestampAt = 35;
constexpr size_t kCountAt = 57;
constexpr uint16_t kCodecBits = 0x7;

bool HasHorizon(const RecordBatchView& batch) {
  return (batch.attributes() & kDeleteHorizonBit) != 0;
}

// Behind the variable-length number at `at`, which has been read before.
const char* SkipNumber(const char* at) {
  while (static_cast<uint8_t>(*at) >= 0x80) ++at;
  return at + 1;
}

// A record with another timestamp delta: {length, attributes, timestamp delta, the rest}.
void PutWithDelta(std::string_view record, int64_t delta_ms, std::string& out) {
  const char* attributes = SkipNumber(record.data());
  const char* rest = SkipNumber(attributes + 1);
  std::string body(1, *attributes);
  AppendVarint(body, delta_ms);
  body.append(rest, static_cast<size_t>(record.data() + record.size() - rest));
  AppendVarint(out, static_cast<int64_t>(body.size()));
  out += body;
}

}  // namespace

absl::StatusOr<BatchCleaner::Kept> BatchCleaner::Filter(std::string_view batch) {
  const RecordBatchView header(batch.data());
  // Its tombstones have been here for long enough.
  const bool expired = HasHorizon(header) && header.base_timestamp_ms() <= rules_.now_ms;
  Kept kept;
  records_.clear();
  RETURN_IF_ERROR(ForEachRecordFields(batch, scratch_, [&](const RecordFields& fields) {
    const Offset offset = header.base_offset() + fields.offset_delta;
    bool keep = offset >= rules_.end;
    if (!keep && fields.has_key) {
      const std::optional<Offset> latest = rules_.latest.Find(fields.key);
      keep = (!latest || offset >= *latest) && (fields.value || !expired);
    }
    if (!keep) return true;
    records_ += fields.bytes;
    kept.max_timestamp_ms = std::max(kept.max_timestamp_ms, TimestampOf(header, fields));
    kept.tombstones = kept.tombstones || !fields.value;
    ++kept.count;
    return true;
  }));
  return kept;
}

absl::StatusOr<BatchCleaner::Outcome> BatchCleaner::Clean(std::string_view batch) {
  const RecordBatchView header(batch.data());
  if (header.base_offset() >= rules_.end) return Outcome::kAsItWas;
  if (header.record_count() == 0) {
    WriteEmpty(batch);
    return Outcome::kEmpty;
  }
  // Markers of transactions are not keyed records.
  if (header.control()) return Outcome::kAsItWas;
  ASSIGN_OR_RETURN(const Kept kept, Filter(batch));
  records_dropped_ += static_cast<uint64_t>(header.record_count() - kept.count);
  if (kept.count == 0) {
    WriteEmpty(batch);
    return Outcome::kEmpty;
  }
  // Only where every record before the tombstones has been looked at, and they themselves.
  const bool sets_horizon =
      kept.tombstones && !HasHorizon(header) && header.next_offset() <= rules_.end;
  if (HasHorizon(header) && kept.tombstones) {
    tombstones_until_ms_ = std::max(tombstones_until_ms_, header.base_timestamp_ms());
  }
  if (kept.count == header.record_count() && !sets_horizon) return Outcome::kAsItWas;
  WriteBatch(batch, kept, sets_horizon);
  return Outcome::kRewritten;
}

void BatchCleaner::WriteEmpty(std::string_view batch) {
  out_.assign(batch.substr(0, kHeaderBytes));
  const RecordBatchView header(batch.data());
  // Nothing is packed any more, and no tombstone waits.
  StoreBigEndian<uint16_t>(
      out_.data() + kAttributesAt,
      static_cast<uint16_t>(header.attributes() & ~(kCodecBits | kDeleteHorizonBit)));
  StoreBigEndian<int32_t>(out_.data() + kCountAt, 0);
  SealBatch(out_);
}

// Gives the records in records_ the timestamps that they had, from another base.
void BatchCleaner::Rebase(std::string_view batch, int64_t horizon_ms) {
  const RecordBatchView header(batch.data());
  std::string rebased;
  rebased.reserve(records_.size() + records_.size() / 16);
  RecordCursor cursor(records_);
  RecordFields fields;
  while (!cursor.at_end() && cursor.Next(fields)) {
    const int64_t timestamp_ms =
        SaturatedSum(header.base_timestamp_ms(), fields.timestamp_delta_ms);
    const int64_t delta_ms = static_cast<int64_t>(static_cast<uint64_t>(timestamp_ms) -
                                                  static_cast<uint64_t>(horizon_ms));
    PutWithDelta(fields.bytes, delta_ms, rebased);
  }
  records_ = std::move(rebased);
}

void BatchCleaner::WriteBatch(std::string_view batch, const Kept& kept, bool sets_horizon) {
  const RecordBatchView header(batch.data());
  const int64_t horizon_ms = SaturatedSum(rules_.now_ms, rules_.delete_retention_ms);
  if (sets_horizon) {
    Rebase(batch, horizon_ms);
    tombstones_until_ms_ = std::max(tombstones_until_ms_, horizon_ms);
  }
  out_.assign(batch.substr(0, kHeaderBytes));
  const auto codec = static_cast<Compression>(header.codec_bits());
  if (codec == Compression::kNone) {
    out_ += records_;
  } else {
    out_ += Compress(codec, records_);
  }
  if (sets_horizon) {
    StoreBigEndian<uint16_t>(out_.data() + kAttributesAt,
                             static_cast<uint16_t>(header.attributes() | kDeleteHorizonBit));
    StoreBigEndian<int64_t>(out_.data() + kBaseTimestampAt, horizon_ms);
  }
  StoreBigEndian<int64_t>(out_.data() + kMaxTimestampAt, kept.max_timestamp_ms);
  StoreBigEndian<int32_t>(out_.data() + kCountAt, kept.count);
  SealBatch(out_);
}

absl::StatusOr<Offset> NoteKeys(std::string_view batch, Offset from, OffsetMap& map,
                                std::string& scratch) {
  const RecordBatchView header(batch.data());
  if (header.control() || header.record_count() == 0 || header.next_offset() <= from) {
    return header.next_offset();
  }
  Offset stopped = header.next_offset();
  RETURN_IF_ERROR(ForEachRecordFields(batch, scratch, [&](const RecordFields& fields) {
    const Offset offset = header.base_offset() + fields.offset_delta;
    if (!fields.has_key || offset < from || map.Put(fields.key, offset)) return true;
    stopped = offset;
    return false;
  }));
  return stopped;
}

}  // namespace garam::storage
