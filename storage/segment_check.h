// What a segment file says of itself at both ends, and whether all between them is right.
//
// Threads: any; blocks.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/term_rows.h"
#include "storage/file_system.h"
#include "storage/frame.h"
#include "storage/manifest.h"

namespace garam::storage {

// The first and the last frame of a file of `size` bytes; nothing when there is another, or a
// damaged one. The end of a record may look like a footer: clients choose what is in their records.
absl::StatusOr<std::optional<SegmentHeader>> ReadHeader(File& file, int64_t size);
absl::StatusOr<std::optional<SegmentFooter>> ReadFooter(File& file, int64_t size);

// Whether `kind` is one of EntryKind's that has a private frame.
bool IsEntryKind(uint8_t kind);
// Whether a whole private frame is an entry, or stands for some.
bool HasPlaceInLog(const Frame& frame);

// Reads all of a sealed segment: every frame's checksum, offset, term and index, and that they add
// up to the footer. kCorruptRecord when not.
absl::Status CheckSegment(File& file, const ManifestSegment& segment, const TermRows& terms);

}  // namespace garam::storage
