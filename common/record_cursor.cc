#include "common/record_cursor.h"

#include "common/compression.h"
#include "common/status.h"

namespace garam {
namespace {

// Reads an unsigned varint of at most `bits` bits; false when it is torn or longer.
inline bool ReadUnsigned(const char*& at, const char* end, int bits, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < bits; shift += 7) {
    if (at == end) return false;
    const auto byte = static_cast<uint8_t>(*at++);
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

inline int64_t ZigZag(uint64_t raw) {
  return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
}

inline bool ReadVarint(const char*& at, const char* end, int32_t& value) {
  if (at != end && static_cast<uint8_t>(*at) < 0x80) [[likely]] {
    value = static_cast<int32_t>(ZigZag(static_cast<uint8_t>(*at++)));
    return true;
  }
  uint64_t raw = 0;
  if (!ReadUnsigned(at, end, 35, raw) || raw > UINT32_MAX) return false;
  value = static_cast<int32_t>(ZigZag(raw));
  return true;
}

inline bool ReadVarlong(const char*& at, const char* end, int64_t& value) {
  uint64_t raw = 0;
  if (!ReadUnsigned(at, end, 70, raw)) return false;
  value = ZigZag(raw);
  return true;
}

// Skips a length and that many bytes; `length` -1 stands for null, where `nullable`.
inline bool SkipBlob(const char*& at, const char* end, bool nullable, int32_t& length) {
  if (!ReadVarint(at, end, length)) return false;
  if (length < 0) return nullable && length == -1;
  if (length > end - at) return false;
  at += length;
  return true;
}

bool SkipHeaders(const char*& at, const char* end) {
  int32_t count = 0;
  if (!ReadVarint(at, end, count) || count < 0) return false;
  for (int32_t i = 0; i < count; ++i) {
    int32_t length = 0;
    if (!SkipBlob(at, end, /*nullable=*/false, length)) return false;
    if (!SkipBlob(at, end, /*nullable=*/true, length)) return false;
  }
  return true;
}

}  // namespace

bool RecordCursor::Next(RecordFields& record) {
  const char* const begin = at_;
  int32_t length = 0;
  if (!ReadVarint(at_, end_, length) || length < 1 || length > end_ - at_) return false;
  const char* at = at_ + 1;  // The record's attributes, of which none is defined.
  const char* const end = at_ + length;
  int32_t blob = 0;
  if (!ReadVarlong(at, end, record.timestamp_delta_ms)) return false;
  if (!ReadVarint(at, end, record.offset_delta)) return false;
  if (!SkipBlob(at, end, /*nullable=*/true, blob)) return false;
  record.has_key = blob >= 0;
  record.key =
      record.has_key ? std::string_view(at - blob, static_cast<size_t>(blob)) : std::string_view();
  if (!SkipBlob(at, end, /*nullable=*/true, blob)) return false;
  record.value.reset();
  if (blob >= 0) record.value.emplace(at - blob, static_cast<size_t>(blob));
  if (!SkipHeaders(at, end)) return false;
  at_ = end;
  record.bytes = {begin, static_cast<size_t>(end - begin)};
  return at == end;
}

absl::StatusOr<std::string_view> PlainRecords(std::string_view batch, std::string& scratch) {
  const RecordBatchView header(batch.data());
  if (header.codec_bits() == 0) return header.records();
  if (header.codec_bits() > static_cast<uint8_t>(Compression::kZstd))
    return MakeError(Errc::kCorruptRecord, "an unknown compression codec");
  RETURN_IF_ERROR(DecompressInto(static_cast<Compression>(header.codec_bits()), header.records(),
                                 kDecompressedBytesMax, scratch));
  return scratch;
}

absl::Status ForEachRecordFields(std::string_view batch, std::string& scratch,
                                 absl::FunctionRef<bool(const RecordFields&)> visit) {
  ASSIGN_OR_RETURN(const std::string_view records, PlainRecords(batch, scratch));
  RecordCursor cursor(records);
  RecordFields fields;
  for (int32_t i = RecordBatchView(batch.data()).record_count(); i > 0; --i) {
    if (!cursor.Next(fields))
      return MakeError(Errc::kCorruptRecord, "a record in the batch does not add up");
    if (!visit(fields)) break;
  }
  return absl::OkStatus();
}

}  // namespace garam
