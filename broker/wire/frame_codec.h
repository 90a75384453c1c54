// Making and checking the frame around a head, for the two halves of stream_codec.h only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "broker/wire/stream_codec.h"

namespace garam {

// Begins a frame at the end of `out`; returns where. The head is appended next, then CloseFrame
// fills in what is known only then.
size_t OpenFrame(FrameKind kind, std::string& out);
void CloseFrame(size_t at, size_t entry_bytes, std::string& out);

// The head of a whole frame of that kind, its checksum checked.
absl::StatusOr<std::string_view> CheckedHead(std::string_view frame, FrameKind kind);

}  // namespace garam
