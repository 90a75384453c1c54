#include "storage/compaction/batch_cleaner.h"

#include <algorithm>

#include "common/compression.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"
#include "common/record_cursor.h"
#include "common/saturated.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr size_t kHeaderBytes = RecordBatchView::kHeaderBytes;
constexpr size_t kLengthAt = 8;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;
constexpr size_t kBaseTimestampAt = 27;
constexpr size_t kMaxTimestampAt = 35;
constexpr size_t kCountAt = 57;
constexpr uint16_t kCodecBits = 0x7;

absl::Status DoesNotAddUp() {
  return MakeError(Errc::kCorruptRecord, "a record in the batch does not add up");
}

bool HasHorizon(const RecordBatchView& batch) {
  return (batch.attributes() & kDeleteHorizonBit) != 0;
}

// Sets what depends on the rest.
void Close(std::string& batch) {
  StoreBigEndian<int32_t>(batch.data() + kLengthAt,
                          static_cast<int32_t>(batch.size() - RecordBatchView::kLengthPrefixBytes));
  StoreBigEndian<uint32_t>(batch.data() + kCrcAt,
                           Crc32c(std::string_view(batch).substr(RecordBatchView::kCrcStart)));
}

void PutVarlong(int64_t value, std::string& out) {
  uint64_t left = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (left >= 0x80) {
    out.push_back(static_cast<char>(left | 0x80));
    left >>= 7;
  }
  out.push_back(static_cast<char>(left));
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
  PutVarlong(delta_ms, body);
  body.append(rest, static_cast<size_t>(record.data() + record.size() - rest));
  PutVarlong(static_cast<int64_t>(body.size()), out);
  out += body;
}

}  // namespace

absl::StatusOr<BatchCleaner::Kept> BatchCleaner::Filter(std::string_view batch,
                                                        std::string_view records) {
  const RecordBatchView header(batch.data());
  // Its tombstones have been here for long enough.
  const bool expired = HasHorizon(header) && header.base_timestamp_ms() <= rules_.now_ms;
  RecordCursor cursor(records);
  RecordFields fields;
  Kept kept;
  records_.clear();
  for (int32_t i = 0; i < header.record_count(); ++i) {
    const char* const begin = cursor.at();
    if (!cursor.Next(fields)) return DoesNotAddUp();
    const Offset offset = header.base_offset() + fields.offset_delta;
    bool keep = offset >= rules_.end;
    if (!keep && fields.has_key) {
      const std::optional<Offset> latest = rules_.latest.Find(fields.key);
      keep = (!latest || offset >= *latest) && (fields.value || !expired);
    }
    if (!keep) continue;
    records_.append(begin, static_cast<size_t>(cursor.at() - begin));
    kept.max_timestamp_ms = std::max(kept.max_timestamp_ms, TimestampOf(header, fields));
    kept.tombstones = kept.tombstones || !fields.value;
    ++kept.count;
  }
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
  ASSIGN_OR_RETURN(const std::string_view records, PlainRecords(batch, scratch_));
  ASSIGN_OR_RETURN(const Kept kept, Filter(batch, records));
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
  Close(out_);
}

// Gives the records in records_ the timestamps that they had, from another base.
void BatchCleaner::Rebase(std::string_view batch, int64_t horizon_ms) {
  const RecordBatchView header(batch.data());
  std::string rebased;
  rebased.reserve(records_.size() + records_.size() / 16);
  RecordCursor cursor(records_);
  RecordFields fields;
  while (!cursor.at_end()) {
    const char* const begin = cursor.at();
    if (!cursor.Next(fields)) break;  // They have been read before.
    const int64_t timestamp_ms =
        SaturatedSum(header.base_timestamp_ms(), fields.timestamp_delta_ms);
    const int64_t delta_ms = static_cast<int64_t>(static_cast<uint64_t>(timestamp_ms) -
                                                  static_cast<uint64_t>(horizon_ms));
    PutWithDelta({begin, static_cast<size_t>(cursor.at() - begin)}, delta_ms, rebased);
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
  Close(out_);
}

absl::StatusOr<Offset> NoteKeys(std::string_view batch, Offset from, OffsetMap& map,
                                std::string& scratch) {
  const RecordBatchView header(batch.data());
  if (header.control() || header.record_count() == 0 || header.next_offset() <= from) {
    return header.next_offset();
  }
  ASSIGN_OR_RETURN(const std::string_view records, PlainRecords(batch, scratch));
  RecordCursor cursor(records);
  RecordFields fields;
  for (int32_t i = 0; i < header.record_count(); ++i) {
    if (!cursor.Next(fields)) return DoesNotAddUp();
    const Offset offset = header.base_offset() + fields.offset_delta;
    if (!fields.has_key || offset < from) continue;
    if (!map.Put(fields.key, offset)) return offset;
  }
  return header.next_offset();
}

}  // namespace garam::storage
