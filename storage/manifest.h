// What a member needs that lacks entries which its leader no longer has (design decision D15): the
// sealed segments that there are, and where the log goes on behind them. All of it is committed.
//
// Bytes: a format byte, fields big-endian, CRC-32C of all before it.
//
// Threads: any; values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/configuration_rows.h"
#include "common/ids.h"
#include "common/term_rows.h"
#include "storage/frame.h"

namespace garam::storage {

struct ManifestSegment {
  SegmentHeader header;
  SegmentFooter footer;
  int64_t size_bytes = 0;  // With the footer.

  friend bool operator==(const ManifestSegment&, const ManifestSegment&) = default;
};

struct Manifest {
  std::vector<ManifestSegment>
      segments;        // In order, without a gap. None: a snapshot stands for it.
  SegmentHeader next;  // Of the segment that goes on behind them.
  Offset start_offset;
  TermRows terms;  // Of [first index - 1, next.base_index - 1].
  // The newest committed one that its maker knew. Without it the founders are all members still.
  std::optional<ConfigurationRow> configuration;

  LogIndex last_index() const { return next.base_index - 1; }
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

std::string EncodeManifest(const Manifest& manifest);
// kStorage when the bytes are damaged or do not hang together, kUnsupportedVersion when they are of
// a newer format.
absl::StatusOr<Manifest> DecodeManifest(std::string_view bytes);

}  // namespace garam::storage
