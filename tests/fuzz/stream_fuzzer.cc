// Feeds any bytes to what reads a peer's entry stream: cut into pieces by the first byte, through
// the buffer, to the decoder. The checksum of each frame is made right first, or nothing would get
// past it. What decodes must encode, and decode again to the same.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "broker/wire/frame_buffer.h"
#include "broker/wire/stream_codec.h"
#include "common/crc32c.h"
#include "common/endian.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/require.h"

namespace garam {
namespace {

constexpr size_t kFrameBytesMax = size_t{1} << 20;
constexpr size_t kCrcAt = 12;
// An entry's row has 17 bytes and becomes 48, three times over with the second and third coding.
constexpr size_t kFactor = 24;
// A frame may claim the limit before its bytes are there, while an old chunk is being left.
constexpr size_t kFixedBytes = kFrameBytesMax + 2 * FrameBuffer::kChunkBytesMax + (64 << 10);

using fuzz::Require;

// Gives every whole frame at the front of `stream` its right checksum.
void MendChecksums(std::string& stream) {
  size_t at = 0;
  while (stream.size() - at >= kFrameHeaderBytes) {
    const auto header = ParseFrameHeader(std::string_view(stream).substr(at), kFrameBytesMax);
    if (!header.ok() || header->frame_bytes() > stream.size() - at) return;
    char* const frame = stream.data() + at;
    const uint32_t crc =
        Crc32c({frame + kFrameHeaderBytes, header->head_bytes}, Crc32c({frame, kCrcAt}));
    StoreBigEndian(frame + kCrcAt, crc);
    at += header->frame_bytes();
  }
}

bool FeedFrame(FrameBuffer& buffer, std::string_view frame) {
  std::string again;
  if (FrameKindOf(frame) == FrameKind::kHello) {
    const auto hello = DecodeHello(frame);
    if (!hello.ok()) return false;
    EncodeHello(*hello, again);
    Require(DecodeHello(again).ok(), "a hello decodes once only");
    return true;
  }
  const auto message =
      DecodeMessage(frame, [&](std::string_view part) { return buffer.Keep(part); });
  if (!message.ok()) return false;
  EncodeMessage(*message, again);
  const auto twice = DecodeMessages(again);
  Require(twice.ok() && twice->size() == 1, "a message decodes once only");
  std::string third;
  EncodeMessage((*twice)[0], third);
  Require(third == again, "changed on its second way");
  // Shorter only when a later protocol's additions were dropped.
  Require(again.size() <= frame.size(), "encoded more than was decoded");
  return true;
}

void FeedStream(std::string_view stream, size_t piece) {
  FrameBuffer buffer(kFrameBytesMax);
  while (!stream.empty()) {
    const FrameBuffer::Space space = buffer.Prepare();
    Require(space.size > 0, "no space");
    const size_t count = std::min({piece, space.size, stream.size()});
    std::memcpy(space.data, stream.data(), count);
    stream.remove_prefix(count);
    buffer.Commit(count);
    while (true) {
      const auto frame = buffer.Next();
      if (!frame.ok()) return;
      if (!frame->has_value()) break;
      if (!FeedFrame(buffer, **frame)) return;
    }
  }
}

}  // namespace
}  // namespace garam

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  garam::MendChecksums(stream);
  const garam::fuzz::AllocationLimit limit(size, garam::kFactor, garam::kFixedBytes);
  garam::FeedStream(stream, size_t{1} + data[0] * size_t{data[0]});
  return 0;
}
