#include "broker/wire/stream_codec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/wire/frame_codec.h"
#include "common/byte_codec.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr uint16_t kMagic = 0x4752;
constexpr uint8_t kFormat = 1;
constexpr size_t kHeadBytesAt = 4;
constexpr size_t kEntryBytesAt = 8;
constexpr size_t kCrcAt = 12;

absl::Status Corrupt(std::string_view what) { return MakeError(Errc::kCorruptRecord, what); }

}  // namespace

size_t OpenFrame(FrameKind kind, std::string& out) {
  const size_t at = out.size();
  ByteWriter writer(out);
  writer.Put(kMagic);
  writer.Put(kFormat);
  writer.Put(static_cast<uint8_t>(kind));
  out.append(kFrameHeaderBytes - kHeadBytesAt, '\0');
  return at;
}

void CloseFrame(size_t at, size_t entry_bytes, std::string& out) {
  const size_t head_bytes = out.size() - at - kFrameHeaderBytes;
  char* const header = out.data() + at;
  StoreBigEndian(header + kHeadBytesAt, static_cast<uint32_t>(head_bytes));
  StoreBigEndian(header + kEntryBytesAt, static_cast<uint32_t>(entry_bytes));
  const uint32_t crc = Crc32c({header + kFrameHeaderBytes, head_bytes}, Crc32c({header, kCrcAt}));
  StoreBigEndian(header + kCrcAt, crc);
}

absl::StatusOr<std::string_view> CheckedHead(std::string_view frame, FrameKind kind) {
  ASSIGN_OR_RETURN(const FrameHeader header, ParseFrameHeader(frame, frame.size()));
  if (header.kind != kind || header.frame_bytes() != frame.size()) {
    return Corrupt("a frame of another kind or size than expected");
  }
  const std::string_view head = frame.substr(kFrameHeaderBytes, header.head_bytes);
  if (Crc32c(head, Crc32c(frame.substr(0, kCrcAt))) != LoadBigEndian<uint32_t>(&frame[kCrcAt])) {
    return Corrupt("the checksum of a frame's head does not match");
  }
  return head;
}

absl::StatusOr<FrameHeader> ParseFrameHeader(std::string_view bytes, size_t frame_bytes_max) {
  ByteReader reader(bytes);
  const auto magic = reader.Get<uint16_t>();
  const auto format = reader.Get<uint8_t>();
  FrameHeader header;
  header.kind = static_cast<FrameKind>(reader.Get<uint8_t>());
  header.head_bytes = reader.Get<uint32_t>();
  header.entry_bytes = reader.Get<uint32_t>();
  reader.Get<uint32_t>();
  if (!reader.ok() || magic != kMagic) return Corrupt("not a frame of a Garam broker");
  if (format != kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     absl::StrCat("frame format ", format, ", this broker reads ", kFormat));
  }
  if (header.kind != FrameKind::kHello && header.kind != FrameKind::kMessage) {
    return Corrupt("a frame of an unknown kind");
  }
  if (header.frame_bytes() > frame_bytes_max) {
    return Corrupt(
        absl::StrCat("a frame of ", header.frame_bytes(), " bytes, limit ", frame_bytes_max));
  }
  return header;
}

FrameKind FrameKindOf(std::string_view frame) { return static_cast<FrameKind>(frame[3]); }

void EncodeHello(const StreamHello& hello, std::string& out) {
  const size_t at = OpenFrame(FrameKind::kHello, out);
  ByteWriter writer(out);
  writer.Put(hello.protocol.min);
  writer.Put(hello.protocol.max);
  writer.Put(hello.self.node.value());
  writer.Put(hello.self.incarnation.value());
  writer.Put(hello.self.start_id.value());
  writer.PutText(hello.self.cluster_id);
  writer.Put(hello.to.value());
  writer.Put(hello.shard);
  writer.PutText(hello.refusal);
  CloseFrame(at, 0, out);
}

absl::StatusOr<StreamHello> DecodeHello(std::string_view frame) {
  ASSIGN_OR_RETURN(const std::string_view head, CheckedHead(frame, FrameKind::kHello));
  ByteReader reader(head);
  StreamHello hello;
  hello.protocol.min = reader.Get<uint16_t>();
  hello.protocol.max = reader.Get<uint16_t>();
  hello.self.node = NodeId(reader.Get<int32_t>());
  hello.self.incarnation = Incarnation(reader.Get<uint64_t>());
  hello.self.start_id = StartId(reader.Get<uint64_t>());
  hello.self.cluster_id = std::string(reader.GetText());
  hello.to = NodeId(reader.Get<int32_t>());
  hello.shard = reader.Get<uint32_t>();
  hello.refusal = std::string(reader.GetText());
  // A later protocol may say more after this; what it must not do is say less.
  if (!reader.ok()) return Corrupt("a hello that ends early");
  return hello;
}

}  // namespace garam
