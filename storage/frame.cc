#include "storage/frame.h"

#include <algorithm>
#include <cstring>

#include "common/crc32c.h"
#include "common/endian.h"
#include "common/record_batch.h"

namespace garam::storage {
namespace {

constexpr size_t kPrefixBytes = RecordBatchView::kLengthPrefixBytes;
constexpr size_t kMagicAt = 16;
constexpr size_t kCrcAt = 17;
constexpr size_t kAfterCrc = 21;

uint32_t PrivateCrc(std::string_view frame) {
  return Crc32c(frame.substr(kAfterCrc), Crc32c(frame.substr(0, kCrcAt)));
}

// Above what any log reaches, and far enough below the end of the type to count on from.
constexpr int64_t kNumberMax = int64_t{1} << 62;

bool IsNumber(int64_t value, int64_t least) { return value >= least && value < kNumberMax; }

bool AllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

}  // namespace

Bytes EncodePrivateFrame(uint8_t kind, Offset offset, Term term, LogIndex index,
                         std::string_view payload) {
  const size_t size = kPrivateFrameBytes + payload.size();
  MutableBuffer buffer(size);
  char* at = buffer.data();
  StoreBigEndian<int64_t>(at, offset.value());
  StoreBigEndian<int32_t>(at + 8, static_cast<int32_t>(size - kPrefixBytes));
  StoreBigEndian<int32_t>(at + 12, term.value());
  at[kMagicAt] = kPrivateMagic;
  at[21] = static_cast<char>(kFrameFormat);
  at[22] = static_cast<char>(kind);
  StoreBigEndian<int64_t>(at + 23, index.value());
  if (!payload.empty()) std::memcpy(at + kPrivateFrameBytes, payload.data(), payload.size());
  StoreBigEndian<uint32_t>(at + kCrcAt, PrivateCrc({at, size}));
  return buffer.View(0, size);
}

Bytes EncodeHeader(const SegmentHeader& header) {
  char payload[8];
  StoreBigEndian<uint64_t>(payload, header.group.value());
  return EncodePrivateFrame(kHeaderKind, header.base_offset, header.term_before, header.base_index,
                            {payload, sizeof(payload)});
}

Bytes EncodeFooter(const SegmentFooter& footer) {
  char payload[kFooterBytes - kPrivateFrameBytes];
  StoreBigEndian<uint32_t>(payload, footer.checksum);
  payload[4] = footer.compacted ? 1 : 0;
  StoreBigEndian<int64_t>(payload + 5, footer.max_timestamp_ms);
  StoreBigEndian<int64_t>(payload + 13, footer.max_timestamp_offset.value());
  return EncodePrivateFrame(kFooterKind, footer.next_offset, footer.last_term, footer.last_index,
                            {payload, sizeof(payload)});
}

Bytes EncodeGap(const EntryGap& gap) {
  char payload[kGapBytes - kPrivateFrameBytes];
  StoreBigEndian<int64_t>(payload, gap.last_index.value());
  StoreBigEndian<int64_t>(payload + 8, gap.next_offset.value());
  return EncodePrivateFrame(kGapKind, gap.first_offset, gap.term, gap.first_index,
                            {payload, sizeof(payload)});
}

FrameFound PeekFrame(std::string_view buffer, bool last, Frame* frame) {
  if (buffer.size() < kAfterCrc) {
    if (!last) return FrameFound::kMore;
    return AllZero(buffer) ? FrameFound::kEnd : FrameFound::kBad;
  }
  const char* at = buffer.data();
  const int32_t length = LoadBigEndian<int32_t>(at + 8);
  if (length == 0 && AllZero(buffer.substr(0, kAfterCrc))) return FrameFound::kEnd;
  const int8_t magic = static_cast<int8_t>(at[kMagicAt]);
  const bool batch = magic == RecordBatchView::kMagic;
  if (!batch && magic != kPrivateMagic) return FrameFound::kBad;
  const size_t fixed = batch ? RecordBatchView::kHeaderBytes : kPrivateFrameBytes;
  if (length < static_cast<int32_t>(fixed - kPrefixBytes)) return FrameFound::kBad;
  if (static_cast<size_t>(length) > kFrameBytesMax) return FrameFound::kBad;
  if (buffer.size() < fixed) return last ? FrameFound::kBad : FrameFound::kMore;
  frame->at = at;
  frame->size = static_cast<size_t>(length) + kPrefixBytes;
  frame->offset = Offset(LoadBigEndian<int64_t>(at));
  frame->term = Term(LoadBigEndian<int32_t>(at + 12));
  frame->batch = batch;
  frame->kind = batch ? static_cast<uint8_t>(EntryKind::kBatch) : static_cast<uint8_t>(at[22]);
  frame->index = batch ? LogIndex(0) : LogIndex(LoadBigEndian<int64_t>(at + 23));
  return FrameFound::kFrame;
}

bool FrameChecksOut(const Frame& frame) {
  if (!frame.batch) {
    return static_cast<uint8_t>(frame.at[21]) == kFrameFormat &&
           LoadBigEndian<uint32_t>(frame.at + kCrcAt) == PrivateCrc(frame.view());
  }
  const RecordBatchView batch(frame.at);
  return batch.last_offset_delta() >= 0 && batch.crc() == Crc32c(batch.checked_bytes());
}

std::optional<SegmentHeader> DecodeHeader(const Frame& frame) {
  if (frame.batch || frame.kind != kHeaderKind || frame.size != kHeaderBytes) return std::nullopt;
  if (!IsNumber(frame.index.value(), 1) || !IsNumber(frame.offset.value(), 0)) return std::nullopt;
  return SegmentHeader{GroupId(LoadBigEndian<uint64_t>(frame.payload().data())), frame.index,
                       frame.offset, frame.term};
}

std::optional<SegmentFooter> DecodeFooter(const Frame& frame) {
  if (frame.batch || frame.kind != kFooterKind || frame.size != kFooterBytes) return std::nullopt;
  if (!IsNumber(frame.index.value(), 0) || !IsNumber(frame.offset.value(), 0)) return std::nullopt;
  const char* payload = frame.payload().data();
  return SegmentFooter{frame.index,
                       frame.term,
                       frame.offset,
                       LoadBigEndian<uint32_t>(payload),
                       payload[4] != 0,
                       LoadBigEndian<int64_t>(payload + 5),
                       Offset(LoadBigEndian<int64_t>(payload + 13))};
}

std::optional<EntryGap> DecodeGap(const Frame& frame) {
  if (frame.batch || frame.kind != kGapKind || frame.size != kGapBytes) return std::nullopt;
  const LogIndex last(LoadBigEndian<int64_t>(frame.payload().data()));
  const Offset next(LoadBigEndian<int64_t>(frame.payload().data() + 8));
  if (last < frame.index || next < frame.offset || !IsNumber(frame.index.value(), 1) ||
      !IsNumber(last.value(), 1) || !IsNumber(next.value(), 0)) {
    return std::nullopt;
  }
  return EntryGap{frame.index, last, frame.offset, next, frame.term};
}

SegmentPoint SegmentPoint::After(const Frame& frame) const {
  SegmentPoint after = *this;
  after.index += 1;
  after.position += static_cast<int64_t>(frame.size);
  if (!frame.batch) {
    after.checksum = Crc32c(frame.view(), checksum);
    if (const std::optional<EntryGap> gap = DecodeGap(frame)) {
      after.index = gap->last_index + 1;
      after.offset = gap->next_offset;
    }
    return after;
  }
  const RecordBatchView batch(frame.at);
  after.checksum = Crc32c({frame.at, RecordBatchView::kHeaderBytes}, checksum);
  after.offset = batch.next_offset();
  if (batch.max_timestamp_ms() > max_timestamp_ms && batch.record_count() > 0) {
    after.max_timestamp_ms = batch.max_timestamp_ms();
    after.max_timestamp_offset = batch.base_offset();
  }
  return after;
}

SegmentPoint FirstPoint(const SegmentHeader& header) {
  SegmentPoint point;
  point.index = header.base_index;
  point.offset = header.base_offset;
  point.position = kHeaderBytes;
  point.checksum = Crc32c(EncodeHeader(header).view());
  return point;
}

Bytes FrameOfEntry(const LogEntry& entry, Offset next_offset) {
  if (entry.kind == EntryKind::kBatch) return entry.bytes;
  return EncodePrivateFrame(static_cast<uint8_t>(entry.kind), next_offset, entry.term, entry.index,
                            entry.bytes.view());
}

}  // namespace garam::storage
