#include "broker/gateway/frame_assembler.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/endian.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr size_t kLengthBytes = 4;

}  // namespace

absl::Status FrameAssembler::CheckLength(int32_t length) const {
  if (length > 0 && static_cast<size_t>(length) <= frame_bytes_max_) return absl::OkStatus();
  return MakeError(Errc::kInvalidRequest,
                   absl::StrCat("a request of ", length, " bytes; 1 to ", frame_bytes_max_,
                                " are accepted (socket.request.max.bytes)"));
}

void FrameAssembler::StartPartial(std::string_view rest, size_t length,
                                  MemoryBudget::Charge charge) {
  partial_ = MutableBuffer(length);
  partial_charge_ = std::move(charge);
  filled_ = rest.size();
  std::memcpy(partial_.data(), rest.data(), rest.size());
}

absl::Status FrameAssembler::Received(size_t direct_bytes, std::string_view more,
                                      std::deque<Frame>& frames) {
  if (partial_.capacity() > 0) {
    filled_ += direct_bytes;
    if (filled_ < partial_.capacity()) return absl::OkStatus();
    frames.push_back(Frame{partial_.View(0, filled_), std::move(partial_charge_)});
    partial_ = MutableBuffer();
    partial_charge_ = MemoryBudget::Charge();
    filled_ = 0;
  }
  std::string joined;
  if (!tail_.empty()) {
    joined = std::exchange(tail_, std::string());
    joined += more;
    more = joined;
  }
  size_t whole = 0;  // How far whole frames reach.
  int32_t length = 0;
  while (more.size() - whole >= kLengthBytes) {
    length = LoadBigEndian<int32_t>(more.data() + whole);
    RETURN_IF_ERROR(CheckLength(length));
    if (more.size() - whole - kLengthBytes < static_cast<size_t>(length)) break;
    whole += kLengthBytes + static_cast<size_t>(length);
  }
  const Bytes run = whole > 0 ? Bytes::Copy(more.substr(0, whole)) : Bytes();
  for (size_t at = 0; at < whole;) {
    const auto size = static_cast<size_t>(LoadBigEndian<int32_t>(run.data() + at));
    frames.push_back(
        Frame{run.Slice(at + kLengthBytes, size), budget_.ChargeAnyway(kLengthBytes + size)});
    at += kLengthBytes + size;
  }
  const std::string_view rest = more.substr(whole);
  if (rest.size() < kLengthBytes) {
    tail_ = rest;
    return absl::OkStatus();
  }
  MemoryBudget::Charge charge;
  if (budget_.TryCharge(static_cast<size_t>(length), charge)) {
    StartPartial(rest.substr(kLengthBytes), static_cast<size_t>(length), std::move(charge));
  } else {
    wanted_bytes_ = static_cast<size_t>(length);
    tail_ = rest;
  }
  return absl::OkStatus();
}

void FrameAssembler::Grant(MemoryBudget::Charge charge) {
  const std::string rest = std::exchange(tail_, std::string());
  StartPartial(std::string_view(rest).substr(kLengthBytes), std::exchange(wanted_bytes_, 0),
               std::move(charge));
}

}  // namespace garam
