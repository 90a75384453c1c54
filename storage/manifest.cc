#include "storage/manifest.h"

#include <utility>

#include "common/byte_codec.h"
#include "common/crc32c.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kSegmentBytes = kHeaderBytes + kFooterBytes + sizeof(int64_t);
constexpr size_t kTermRowBytes = sizeof(int32_t) + 2 * sizeof(int64_t);

absl::Status Damaged(const char* what) {
  return MakeError(Errc::kStorage, std::string("a manifest of segments is damaged: ") + what);
}

// The next `bytes` as one frame; not `batch` and whole, or nothing.
std::optional<Frame> TakeFrame(ByteReader& reader, size_t bytes) {
  const std::string_view taken = reader.GetBytes(bytes);
  Frame frame;
  if (PeekFrame(taken, /*last=*/true, &frame) != FrameFound::kFrame || frame.batch ||
      frame.size != bytes || !FrameChecksOut(frame)) {
    return std::nullopt;
  }
  return frame;
}

absl::StatusOr<SegmentHeader> TakeHeader(ByteReader& reader) {
  const std::optional<Frame> frame = TakeFrame(reader, kHeaderBytes);
  const std::optional<SegmentHeader> header = frame ? DecodeHeader(*frame) : std::nullopt;
  return header ? absl::StatusOr<SegmentHeader>(*header) : Damaged("a header");
}

absl::StatusOr<ManifestSegment> TakeSegment(ByteReader& reader) {
  ManifestSegment segment;
  ASSIGN_OR_RETURN(segment.header, TakeHeader(reader));
  const std::optional<Frame> frame = TakeFrame(reader, kFooterBytes);
  const std::optional<SegmentFooter> footer = frame ? DecodeFooter(*frame) : std::nullopt;
  if (!footer) return Damaged("a footer");
  segment.footer = *footer;
  segment.size_bytes = reader.Get<int64_t>();
  return segment;
}

absl::StatusOr<TermRows> TakeTerms(ByteReader& reader) {
  const size_t count = reader.Get<uint32_t>();
  if (count > reader.left() / kTermRowBytes) return Damaged("its terms");
  std::vector<TermRow> rows;
  for (size_t i = 0; i < count; ++i) {
    const Term term(reader.Get<int32_t>());
    const LogIndex first_index(reader.Get<int64_t>());
    const TermRow row{term, first_index, Offset(reader.Get<int64_t>())};
    if (!rows.empty() &&
        (row.term <= rows.back().term || row.first_index <= rows.back().first_index)) {
      return Damaged("its terms do not ascend");
    }
    rows.push_back(row);
  }
  return TermRows(std::move(rows));
}

// Whether each segment goes on where the one before it ends, and `next` behind the last.
bool HangsTogether(const Manifest& manifest) {
  for (size_t i = 0; i < manifest.segments.size(); ++i) {
    const auto& [header, footer, size_bytes] = manifest.segments[i];
    const bool last = i + 1 == manifest.segments.size();
    const SegmentHeader& after = last ? manifest.next : manifest.segments[i + 1].header;
    const SegmentHeader expected{header.group, footer.last_index + 1, footer.next_offset,
                                 footer.last_term};
    if (!(after == expected) || footer.last_index < header.base_index ||
        manifest.terms.TermAt(footer.last_index) != footer.last_term ||
        size_bytes < static_cast<int64_t>(kHeaderBytes + kFooterBytes)) {
      return false;
    }
  }
  return manifest.terms.TermAt(manifest.last_index()) == manifest.next.term_before &&
         manifest.start_offset >= Offset(0) && manifest.start_offset <= manifest.next.base_offset;
}

}  // namespace

std::string EncodeManifest(const Manifest& manifest) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.Put(kFormat);
  writer.Put(static_cast<uint32_t>(manifest.segments.size()));
  for (const ManifestSegment& segment : manifest.segments) {
    bytes += EncodeHeader(segment.header).view();
    bytes += EncodeFooter(segment.footer).view();
    writer.Put(segment.size_bytes);
  }
  bytes += EncodeHeader(manifest.next).view();
  writer.Put(manifest.start_offset.value());
  writer.Put(static_cast<uint32_t>(manifest.terms.rows().size()));
  for (const TermRow& row : manifest.terms.rows()) {
    writer.Put(row.term.value());
    writer.Put(row.first_index.value());
    writer.Put(row.first_offset.value());
  }
  writer.Put(static_cast<uint8_t>(manifest.configuration.has_value()));
  if (manifest.configuration) {
    writer.Put(manifest.configuration->index.value());
    bytes += manifest.configuration->payload;
  }
  writer.Put(Crc32c(bytes));
  return bytes;
}

absl::StatusOr<Manifest> DecodeManifest(std::string_view bytes) {
  if (bytes.size() <= sizeof(uint32_t)) return Damaged("it is cut short");
  if (static_cast<uint8_t>(bytes[0]) > kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     "a manifest of segments is of a newer format; start the newer build");
  }
  ByteReader crc(bytes.substr(bytes.size() - sizeof(uint32_t)));
  bytes.remove_suffix(sizeof(uint32_t));
  if (crc.Get<uint32_t>() != Crc32c(bytes)) return Damaged("its checksum is wrong");
  ByteReader reader(bytes.substr(1));
  Manifest manifest;
  const size_t count = reader.Get<uint32_t>();
  if (count > reader.left() / kSegmentBytes) return Damaged("its segments");
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(ManifestSegment segment, TakeSegment(reader));
    manifest.segments.push_back(segment);
  }
  ASSIGN_OR_RETURN(manifest.next, TakeHeader(reader));
  manifest.start_offset = Offset(reader.Get<int64_t>());
  ASSIGN_OR_RETURN(manifest.terms, TakeTerms(reader));
  if (reader.Get<uint8_t>() != 0) {
    const LogIndex index(reader.Get<int64_t>());
    manifest.configuration = {index, std::string(reader.GetBytes(reader.left()))};
    if (index > manifest.last_index()) return Damaged("its configuration");
  }
  if (!reader.done()) return Damaged("it is cut short");
  if (!HangsTogether(manifest)) return Damaged("its segments do not follow one another");
  return manifest;
}

}  // namespace garam::storage
