// Any bytes as a client's stream, cut into pieces as recv would and short of memory at times: the
// frames that come out must be those that the lengths in the stream say, whatever the pieces, and
// their headers are decoded as a connection does.
//
// The first byte is how large the pieces are, the second how much memory there is.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "broker/gateway/frame_assembler.h"
#include "common/endian.h"
#include "common/testing/fake_executor.h"
#include "proto/kafka/frame.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

// socket.request.max.bytes: what a length may make the assembler take before the bytes are there.
constexpr size_t kFrameBytesMax = 8 << 10;
// A frame of one byte has a buffer's owner, a slot in the queue and a charge.
constexpr size_t kFactor = 64;
constexpr size_t kFixedBytes = kFrameBytesMax + (64 << 10);

// Straight from the definition: a length of 1 to the limit, then that many bytes.
std::vector<std::string_view> FramesOf(std::string_view stream) {
  std::vector<std::string_view> frames;
  while (stream.size() >= 4) {
    const int64_t length = LoadBigEndian<int32_t>(stream.data());
    if (length < 1 || length > static_cast<int64_t>(kFrameBytesMax)) break;
    if (stream.size() - 4 < static_cast<size_t>(length)) break;
    frames.push_back(stream.substr(4, static_cast<size_t>(length)));
    stream.remove_prefix(4 + static_cast<size_t>(length));
  }
  return frames;
}

void DecodeHeader(const Bytes& frame) {
  kafka::Reader reader(frame);
  const auto header = kafka::DecodeRequestHeader(reader);
  if (!header.ok()) return;
  Require(kafka::FindApi(header->request_api_key) != nullptr, "a header of no API");
  Require(reader.position() <= frame.size(), "a header beyond its frame");
}

class Client {
 public:
  explicit Client(size_t memory) : budget_(memory) {}

  // As Connection::ReadOnce. False once the stream is lost.
  bool Receive(std::string_view bytes) {
    if (assembler_.wanted_bytes() > 0) Grant();
    const std::span<char> direct = assembler_.direct();
    const size_t head = std::min(direct.size(), bytes.size());
    if (head > 0) std::memcpy(direct.data(), bytes.data(), head);
    return assembler_.Received(head, bytes.substr(head), frames_).ok();
  }
  const std::deque<Frame>& frames() const { return frames_; }

 private:
  void Grant() { assembler_.Grant(budget_.ChargeAnyway(assembler_.wanted_bytes())); }

  MemoryBudget budget_;  // Outlives the charges of the rest.
  FrameAssembler assembler_{budget_, kFrameBytesMax};
  std::deque<Frame> frames_;
};

void Feed(std::string_view stream, size_t piece, size_t memory) {
  const std::vector<std::string_view> expected = FramesOf(stream);
  Client client(memory);
  bool ok = true;
  while (ok && !stream.empty()) {
    const std::string_view next = stream.substr(0, piece);
    ok = client.Receive(next);
    stream.remove_prefix(next.size());
  }
  // What came before a bad length in the same piece may be dropped with the stream.
  const size_t count = client.frames().size();
  Require(ok ? count == expected.size() : count <= expected.size(), "frames too many or too few");
  for (size_t i = 0; i < count; ++i) {
    Require(client.frames()[i].bytes.view() == expected[i], "a frame has changed");
    DecodeHeader(client.frames()[i].bytes);
  }
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const garam::fuzz::AllocationLimit limit(size, garam::fuzz::kFactor, garam::fuzz::kFixedBytes);
  garam::fuzz::Feed(stream, size_t{1} + data[0] * size_t{data[0]}, size_t{1} + data[1] * 64);
  return 0;
}
