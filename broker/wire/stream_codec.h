// The bytes between brokers: frames of the entry streams, and the same frames one after the other
// where raft messages ride in a control envelope. Pure; every number is big-endian.
//
//   offset  bytes  field
//   0       2      magic 0x4752
//   2       1      format, 1
//   3       1      kind of frame
//   4       4      head bytes
//   8       4      entry bytes
//   12      4      CRC-32C of the 12 bytes above and of the head
//   16             head: for a message its group id, kind and fields and, for each entry, index
//   (8),
//                  term (4), kind (1) and size (4)
//   16 + head      the entries' bytes, one after the other
//
// Entry bytes are under no checksum here: batches carry their own, and TCP has one.
//
// Errors:  kCorruptRecord where bytes are not what they must be; kUnsupportedVersion for a newer
//          format. Nothing is allocated by a length that was not checked against what is there.
// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "broker/peers.h"
#include "broker/wire/peer_check.h"
#include "common/bytes.h"

namespace garam {

inline constexpr size_t kFrameHeaderBytes = 16;

// On the wire: never renumber.
enum class FrameKind : uint8_t {
  kHello = 1,    // The first frame each way; the answer's `refusal` ends the connection.
  kMessage = 2,  // One raft message of one group.
};

struct FrameHeader {
  FrameKind kind = FrameKind::kHello;
  size_t head_bytes = 0;
  size_t entry_bytes = 0;
  size_t frame_bytes() const { return kFrameHeaderBytes + head_bytes + entry_bytes; }
};

// How a connection begins.
struct StreamHello {
  NodeIdentity self;
  NodeId to = kNoNode;  // Whom the sender means to reach.
  uint32_t shard = 0;   // The connecting side's.
  ProtocolRange protocol;
  std::string refusal;  // In an answer: why the connection is not taken. Empty: welcome.
};

// Memory with the bytes of `part`, the entries of a frame, which outlive the frame.
using KeepFn = absl::FunctionRef<Bytes(std::string_view part)>;

// Checks what the first kFrameHeaderBytes of `bytes` say, but the checksum, which needs the head.
absl::StatusOr<FrameHeader> ParseFrameHeader(std::string_view bytes, size_t frame_bytes_max);

// `frame` is one whole frame, as its header told.
FrameKind FrameKindOf(std::string_view frame);
absl::StatusOr<StreamHello> DecodeHello(std::string_view frame);
absl::StatusOr<GroupMessage> DecodeMessage(std::string_view frame, KeepFn keep);

void EncodeHello(const StreamHello& hello, std::string& out);
// Appends the frame but for the entries' bytes, which must follow it in order; returns their count.
size_t EncodeMessageHead(const GroupMessage& message, std::string& out);

// Whole frames side by side, as they ride in an envelope.
void EncodeMessage(const GroupMessage& message, std::string& out);
absl::StatusOr<std::vector<GroupMessage>> DecodeMessages(std::string_view frames);

// Whether the message answers one that came in, and belongs on the connection that brought it.
bool IsAnswer(const GroupMessage& message);
void ForEachEntry(const GroupMessage& message, absl::FunctionRef<void(const LogEntry&)> visit);

}  // namespace garam
