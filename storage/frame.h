// What a segment file is made of: frames, one after the other. A frame is either a v2 record batch,
// exactly as served, or a private frame of ours. Both begin with the same 17 bytes {base offset,
// length, term, magic}, so one walk passes over both; zeros where a length should be are the end.
//
// A private frame: int64 offset (the next Kafka offset at this place), int32 length (of what
// follows it), int32 term, int8 magic 'G', uint32 CRC-32C of all the frame's other bytes, uint8
// format, uint8 kind, int64 Raft index, payload. All big-endian.
//
// Kinds below 0x80 are those of EntryKind; kHeader and kFooter belong to the file, not to Raft, and
// kGap stands for entries that compaction has taken away.
//
// Threads: any; values and views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/bytes.h"
#include "common/ids.h"
#include "common/log_entry.h"

namespace garam::storage {

inline constexpr int8_t kPrivateMagic = 'G';
inline constexpr uint8_t kFrameFormat = 1;
inline constexpr uint8_t kHeaderKind = 0x80;
inline constexpr uint8_t kFooterKind = 0x81;
inline constexpr uint8_t kGapKind = 0x82;
// The fewest bytes that tell which kind of frame it is and how long.
inline constexpr size_t kFramePeekBytes = 61;
inline constexpr size_t kPrivateFrameBytes = 31;  // Before the payload.
inline constexpr size_t kFrameBytesMax = size_t{1} << 30;

// The first frame of a segment.
struct SegmentHeader {
  GroupId group;
  LogIndex base_index;
  Offset base_offset;
  Term term_before;  // Of the entry before base_index.

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};
inline constexpr size_t kHeaderBytes = kPrivateFrameBytes + 8;

// The last frame of a sealed segment.
struct SegmentFooter {
  LogIndex last_index;
  Term last_term;
  Offset next_offset;
  uint32_t checksum = 0;   // See SegmentPoint.
  bool compacted = false;  // There may be gaps, and batches with fewer records than they came with.
  int64_t max_timestamp_ms = -1;
  Offset max_timestamp_offset{-1};

  friend bool operator==(const SegmentFooter&, const SegmentFooter&) = default;
};
inline constexpr size_t kFooterBytes = kPrivateFrameBytes + 4 + 1 + 8 + 8;

// Entries of one term that compaction has taken away (design decision D13): the log goes on behind
// them as if they were there.
struct EntryGap {
  LogIndex first_index;
  LogIndex last_index;
  Offset first_offset;
  Offset next_offset;
  Term term;

  friend bool operator==(const EntryGap&, const EntryGap&) = default;
};
inline constexpr size_t kGapBytes = kPrivateFrameBytes + 8 + 8;

Bytes EncodePrivateFrame(uint8_t kind, Offset offset, Term term, LogIndex index,
                         std::string_view payload);
Bytes EncodeHeader(const SegmentHeader& header);
Bytes EncodeFooter(const SegmentFooter& footer);
Bytes EncodeGap(const EntryGap& gap);

// A frame inside a buffer that outlives it. `size` may reach beyond the buffer when it was only
// peeked at; payload() and FrameChecksOut need all of it.
struct Frame {
  const char* at = nullptr;
  size_t size = 0;
  Offset offset;  // The base offset.
  Term term;
  bool batch = false;
  uint8_t kind = 0;  // Of a private frame, as the rest.
  LogIndex index;

  std::string_view payload() const { return {at + kPrivateFrameBytes, size - kPrivateFrameBytes}; }
  std::string_view view() const { return {at, size}; }
};

enum class FrameFound {
  kFrame,
  kEnd,   // Zeros, or no bytes at all.
  kBad,   // What stands there is no frame.
  kMore,  // The buffer is too short to tell.
};

// Looks at the frame that begins at the buffer's start. `last` says that nothing follows the
// buffer: then kMore becomes kBad or kEnd. A private frame must be held to its 31st byte, a batch
// to 61.
FrameFound PeekFrame(std::string_view buffer, bool last, Frame* frame);

// Whether the CRC and what it protects are right. The frame must be whole.
bool FrameChecksOut(const Frame& frame);

// Of a whole frame that checks out; nothing when it is of another kind or another size, or has
// numbers that no log reaches.
std::optional<SegmentHeader> DecodeHeader(const Frame& frame);
std::optional<SegmentFooter> DecodeFooter(const Frame& frame);
// Likewise; its checksum need not have been looked at.
std::optional<EntryGap> DecodeGap(const Frame& frame);

// A place between two entries of a segment, with what can be said of all before it: a row of the
// sparse index, and the state of a segment's end.
struct SegmentPoint {
  LogIndex index;  // Of the entry that begins here.
  Offset offset;   // The next Kafka offset here.
  int64_t position = 0;
  // CRC-32C over the file so far: of a batch its header (which holds the CRC of the rest), of a
  // private frame all.
  uint32_t checksum = 0;
  // The largest of the segment's batches so far, but for those without a record; -1: none.
  int64_t max_timestamp_ms = -1;
  Offset max_timestamp_offset{-1};  // The base offset of the first batch that has it.

  // The place right after `frame`, which begins at this one.
  SegmentPoint After(const Frame& frame) const;

  friend bool operator==(const SegmentPoint&, const SegmentPoint&) = default;
};

// Where a segment's first entry begins.
SegmentPoint FirstPoint(const SegmentHeader& header);

// The frame of an entry that is not a batch; a batch is its own frame.
Bytes FrameOfEntry(const LogEntry& entry, Offset next_offset);

}  // namespace garam::storage
