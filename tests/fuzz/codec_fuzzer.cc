// Feeds any bytes to the decoding of requests, as a connection would: header, then message. What
// decodes must encode, and decode again to the same.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "proto/kafka/frame.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/require.h"
#include "tests/golden/message_ops.h"

namespace garam::kafka {
namespace {

const MessageOps* RequestOps(int16_t key) {
  for (const MessageOps& ops : AllMessages())
    if (ops.request_key == key) return &ops;
  return nullptr;
}

using fuzz::AllocationLimit;
using fuzz::Require;

// What Reader allows the vectors of one frame, see ElementBytesMax; the rest is for a path and a
// reason in an error.
constexpr size_t kFactor = 16;
constexpr size_t kFixedBytes = (size_t{1} << 20) + (64 << 10);

void FeedRequest(const Bytes& frame) {
  Reader reader(frame);
  std::optional<AllocationLimit> limit(std::in_place, frame.size(), kFactor, kFixedBytes);
  const auto header = DecodeRequestHeader(reader);
  if (!header.ok()) return;
  const MessageOps* ops = RequestOps(header->request_api_key);
  Require(ops != nullptr, "no message", std::to_string(header->request_api_key));
  const int16_t version = header->request_api_version;
  const absl::Status decoded = ops->decode(reader, version);
  limit.reset();
  if (!decoded.ok()) return;

  Reader again(frame);
  Require(DecodeRequestHeader(again).ok(), "the header decodes once only", "");
  const size_t begin = again.position();
  const auto first = ops->recode(frame.Slice(begin, frame.size() - begin), version);
  Require(first.ok(), "decodes but does not encode", first.status().ToString());
  const auto second = ops->recode(first->encoded, version);
  Require(second.ok(), "does not decode what was encoded", second.status().ToString());
  Require(first->dump == second->dump, "changed on its way", first->dump);
  Require(second->left_over == 0, "encoded too much", first->dump);
}

}  // namespace
}  // namespace garam::kafka

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly that size, so that the sanitizer sees a read past it.
  garam::kafka::FeedRequest(garam::Bytes::Copy({reinterpret_cast<const char*>(data), size}));
  return 0;
}
